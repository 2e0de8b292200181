#!/usr/bin/python3
"""Training speed of a multilayer perceptron at batch size 1: numpy beside `stoa-bench train`, in one run.

Usage: /usr/bin/python3 bench/peers/numpy_mlp.py [--bench PATH] [--threads N] [--images N] [--pairs N] [--json FILE]

The network is 784-512-256-64-10 with ReLU, biases and softmax cross-entropy, He's initial values, plain SGD. numpy's side is
what one writes by hand: vectors and `@`, the weight updated in place with an outer product. Both sides are given drawn images.
Pairs of the two in turn, each in a process of its own; README.md in the folder above says how to read the result."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SIZES = (784, 512, 256, 64, 10)
WARM_UP = 200  # images

RECIPE = """title = a measure of single-sample training
[model]
input = 28x28x1
f = flatten
%s
[data]
set = mnist
[train]
batch = 1
lr = 1e-2
optimizer = sgd
"""


def recipe_text():
    lines = []
    for number, units in enumerate(SIZES[1:], 1):
        lines.append("l%d = linear units=%d" % (number, units))
        if number < len(SIZES) - 1:
            lines.append("r%d = relu" % number)
    return RECIPE % "\n".join(lines)


def parameter_count():
    return sum(a * b + b for a, b in zip(SIZES, SIZES[1:]))


# ---- numpy's side: a process of its own ----


def step(numpy, weights, biases, x, label, rate):
    """Forward, backward and update on one image; its loss."""
    inputs, y = [], x
    for number, (w, b) in enumerate(zip(weights, biases)):
        inputs.append(y)
        y = y @ w + b
        if number < len(weights) - 1:
            y = numpy.maximum(y, 0)
    shifted = y - y.max()
    exponents = numpy.exp(shifted)
    total = exponents.sum()
    dy = exponents / total
    dy[label] -= 1
    for number in range(len(weights) - 1, -1, -1):
        dx = weights[number] @ dy if number > 0 else None
        weights[number] -= rate * numpy.outer(inputs[number], dy)
        biases[number] -= rate * dy
        if number > 0:
            dy = dx * (inputs[number] > 0)
    return float(numpy.log(total) - shifted[label])


def worker(images):
    import numpy

    generator = numpy.random.default_rng(1)
    weights = [(generator.standard_normal((a, b)) * (2 / a) ** 0.5).astype(numpy.float32) for a, b in zip(SIZES, SIZES[1:])]
    biases = [numpy.zeros(b, numpy.float32) for b in SIZES[1:]]
    data = generator.random((256, SIZES[0]), numpy.float32)
    labels = generator.integers(0, SIZES[-1], 256)
    rate = numpy.float32(1e-6)  # labels mean nothing: nothing is to be learnt, nor to overflow
    for i in range(WARM_UP):
        step(numpy, weights, biases, data[i % 256], labels[i % 256], rate)
    start = time.perf_counter()
    loss = 0.0
    for i in range(images):
        loss += step(numpy, weights, biases, data[i % 256], labels[i % 256], rate)
    seconds = time.perf_counter() - start
    assert loss == loss, "the loss is not a number"
    parameters = sum(w.size for w in weights) + sum(b.size for b in biases)
    print(json.dumps({"version": numpy.__version__, "parameters": parameters, "images_per_second": images / seconds}))


def environment():
    """As a user has it: without settings that a shell may hold for other work."""
    dropped = ("OPENBLAS_", "GOTO_", "OMP_", "GOMP_", "MALLOC_", "STOA_")
    return {k: v for k, v in os.environ.items() if not k.startswith(dropped)}


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment(), text=True)
    if done.returncode != 0:
        sys.exit("numpy_mlp.py: %s ended with status %d" % (" ".join(command), done.returncode))
    return done.stdout


def ask_numpy(arguments):
    return json.loads(run([sys.executable, os.path.abspath(__file__), "--worker", str(arguments.images)]))


# ---- Stoa's side ----


def ask_stoa(arguments, recipe, folder):
    result = os.path.join(folder, "result.json")
    run([arguments.bench, "train", recipe, "--threads", str(arguments.threads), "--json", result])
    with open(result, encoding="utf-8") as file:
        found = json.load(file)
    median = next(row for row in found["benchmarks"] if row.get("aggregate_name") == "median")
    return {"context": found["context"], "parameters": int(median["parameters"]), "images_per_second": 1e9 / median["real_time"]}


# ---- The comparison ----


def compare(arguments):
    pairs = []
    with tempfile.TemporaryDirectory() as folder:
        recipe = os.path.join(folder, "mlp.ini")
        with open(recipe, "w", encoding="utf-8") as file:
            file.write(recipe_text())
        for number in range(arguments.pairs):
            side = {}
            for engine in ("numpy", "stoa") if number % 2 == 0 else ("stoa", "numpy"):
                side[engine] = ask_numpy(arguments) if engine == "numpy" else ask_stoa(arguments, recipe, folder)
            if not side["numpy"]["parameters"] == side["stoa"]["parameters"] == parameter_count():
                sys.exit("numpy_mlp.py: the networks differ in their parameters")
            if number == 0:
                context = side["stoa"]["context"]
                print("%s, %d threads, BLAS core %s; numpy %s" % (context["cpu_model"], arguments.threads,
                      context["blas_core"], side["numpy"]["version"]))  # fmt: skip
            pairs.append((side["numpy"]["images_per_second"], side["stoa"]["images_per_second"]))
            print("  pair %d: numpy %7.0f   stoa %7.0f images/s   ratio %.2f" % (number + 1, *pairs[-1], pairs[-1][1] / pairs[-1][0]))
    ratios = [b / a for a, b in pairs]
    medians = [statistics.median(side) for side in zip(*pairs)]
    print("medians: numpy %.0f, stoa %.0f images/s; median ratio %.2f" % (*medians, statistics.median(ratios)))
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"pairs": pairs, "median_numpy": medians[0], "median_stoa": medians[1],
                       "median_ratio": statistics.median(ratios), "context": context}, file, indent=1)  # fmt: skip


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--worker":
        worker(int(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description="Training at batch size 1: numpy beside stoa-bench train.")
    parser.add_argument("--bench", default=os.path.join(ROOT, "build", "bench", "stoa-bench"), help="stoa-bench")
    parser.add_argument("--threads", type=int, default=2, help="threads of stoa (default 2); numpy's BLAS takes all CPUs")
    parser.add_argument("--images", type=int, default=3000, help="images that numpy is timed on (default 3000)")
    parser.add_argument("--pairs", type=int, default=5, help="interleaved pairs (default 5, the least for a result)")
    parser.add_argument("--json", help="write the result to this file too")
    compare(parser.parse_args())


main()
