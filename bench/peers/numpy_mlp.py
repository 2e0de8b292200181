#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Training speed of a multilayer perceptron at batch size 1: numpy beside `stoa-bench train`, in one run.

Usage: /usr/bin/python3 bench/peers/numpy_mlp.py [--bench PATH] [--threads N] [--images N] [--pairs N] [--json FILE]

The network is 784-512-256-64-10 with ReLU, biases and softmax cross-entropy, He's initial values, plain SGD. numpy's side is
what one writes by hand: vectors and `@`, the weight updated in place with an outer product. Both sides are given drawn images.
Stoa runs on one thread and on N. All take turns, each in a process of its own; README.md in the folder above says how to
read the result."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from needs import need_module, need_program

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


def ask_stoa(arguments, threads, recipe, folder):
    result = os.path.join(folder, "result.json")
    run([arguments.bench, "train", recipe, "--threads", str(threads), "--json", result])
    with open(result, encoding="utf-8") as file:
        found = json.load(file)
    median = next(row for row in found["benchmarks"] if row.get("aggregate_name") == "median")
    return {"context": found["context"], "parameters": int(median["parameters"]),
            "images_per_second": 1e9 / median["real_time"], "share": median["weight_bandwidth_share"]}  # fmt: skip


# ---- The comparison ----


def check(sides):
    if {side["parameters"] for side in sides.values()} != {parameter_count()}:
        sys.exit("numpy_mlp.py: the networks differ in their parameters")


def describe(threads, sides):
    """One of Stoa's sides beside numpy's, over all pairs."""
    rates = [side[threads]["images_per_second"] for side in sides]
    ratios = [rate / side[0]["images_per_second"] for rate, side in zip(rates, sides)]
    return {"threads": threads, "images_per_second": statistics.median(rates), "ratio": statistics.median(ratios),
            "memory_share": statistics.median(side[threads]["share"] for side in sides)}  # fmt: skip


def show(label, sides):
    numpy = statistics.median(side[0]["images_per_second"] for side in sides)
    print("%-8s numpy %6.0f images/s" % (label, numpy))
    for threads in sorted(sides[0])[1:]:
        found = describe(threads, sides)
        print("         stoa  %6.0f on %d thread%s: %.2f times; %.0f %% of the memory limit" % (
            found["images_per_second"], threads, "" if threads == 1 else "s", found["ratio"], 100 * found["memory_share"]))  # fmt: skip


def compare(arguments):
    need_module("numpy", "numpy")
    need_program(arguments.bench, "--bench")
    pairs = []  # in each numpy under 0 threads, Stoa under its own
    with tempfile.TemporaryDirectory() as folder:
        recipe = os.path.join(folder, "mlp.ini")
        with open(recipe, "w", encoding="utf-8") as file:
            file.write(recipe_text())
        for number in range(arguments.pairs):
            order = sorted({0, 1, arguments.threads}, reverse=number % 2 == 1)
            pairs.append({n: ask_stoa(arguments, n, recipe, folder) if n else ask_numpy(arguments) for n in order})
            check(pairs[-1])
            context = pairs[0][1]["context"]
            if number == 0:
                print("%s, BLAS core %s; numpy %s" % (context["cpu_model"], context["blas_core"], pairs[0][0]["version"]))
            show("pair %d" % (number + 1), pairs[-1:])
    show("medians", pairs)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            stoa = [describe(threads, pairs) for threads in sorted(pairs[0])[1:]]
            json.dump({"pairs": [{n: side["images_per_second"] for n, side in pair.items()} for pair in pairs],
                       "stoa": stoa, "context": context,
                       "numpy": {"version": pairs[0][0]["version"],
                                 "images_per_second": statistics.median(pair[0]["images_per_second"] for pair in pairs)}},
                      file, indent=1)  # fmt: skip


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--worker":
        worker(int(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description="Training at batch size 1: numpy beside stoa-bench train.")
    parser.add_argument("--bench", default=os.path.join(ROOT, "build", "bench", "stoa-bench"), help="stoa-bench")
    parser.add_argument("--threads", type=int, default=2, help="most threads of stoa, beside one (default 2); numpy's BLAS takes all CPUs")
    parser.add_argument("--images", type=int, default=3000, help="images that numpy is timed on (default 3000)")
    parser.add_argument("--pairs", type=int, default=5, help="interleaved pairs (default 5, the least for a result)")
    parser.add_argument("--json", help="write the result to this file too")
    compare(parser.parse_args())


main()
