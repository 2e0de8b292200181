#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Training speed of a recipe's network: PyTorch at its best beside `stoa train`, in one run.

Usage: /usr/bin/python3 bench/peers/pytorch.py [RECIPE] [--stoa PATH] [--threads N] [--batch N] [--pairs N] [--isa NAME]
       [--json FILE]

The network is generated from the recipe file; parameters and flops of both engines are compared before anything is timed.
PyTorch runs in processes of their own with the environment it needs to be fast, its data whole in memory as tensors, already
shuffled; every combination of threads, memory format and Adam's two implementations is tried, the fastest one with huge pages
too, and the fastest of all used.
Then pairs of one epoch each, the two engines in turn. README.md in the folder above says how to read the result."""

import argparse
import gzip
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time

from needs import import_module, need_module, need_program, refuse
from networks import HELD, HUGE_PAGES, ROOT, TORCH_ENVIRONMENT, build, find_recipe, has_avx512, read_recipe

WARM_UP, TRIAL = 50, 300  # steps


# ---- PyTorch's side: a process of its own ----


def read_idx(torch, folder, name):
    for path in (os.path.join(folder, name), os.path.join(folder, name + ".gz")):
        if os.path.isfile(path):
            with (gzip.open if path.endswith(".gz") else open)(path, "rb") as file:
                data = file.read()
            sizes = [int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(data[3])]
            return torch.frombuffer(bytearray(data[4 + 4 * len(sizes) :]), dtype=torch.uint8).reshape(sizes)
    refuse("no %s in %s" % (name, folder))


def load_batches(torch, folder, batch, channels_last):
    images = read_idx(torch, folder, "train-images-idx3-ubyte").float().div_(255).unsqueeze(1)
    labels = read_idx(torch, folder, "train-labels-idx1-ubyte").long()
    order = torch.randperm(len(images))
    images, labels = images[order], labels[order]
    if channels_last:
        images = images.contiguous(memory_format=torch.channels_last)
    return list(zip(images.split(batch), labels.split(batch)))


def train(torch, model, optimizer, batches):
    """Seconds for these batches. The loss is looked at once, at the end."""
    start = time.perf_counter()
    for images, labels in batches:
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
    value = loss.item()
    seconds = time.perf_counter() - start
    assert value == value, "the loss is not a number"
    return seconds


def worker(request):
    """One measurement, as asked on the command line in JSON; prints JSON."""
    torch = import_module("torch", "PyTorch")
    torch.set_num_threads(request["threads"])
    torch.manual_seed(1)
    recipe = read_recipe(request["recipe"])
    model, flops = build(torch, recipe)
    answer = {
        "version": torch.__version__,
        "parameters": sum(p.numel() for p in model.parameters()),
        "flops": flops,
    }
    if request["steps"] is not None:
        model.train()
        if request["channels_last"]:
            model = model.to(memory_format=torch.channels_last)
        optimizer = torch.optim.Adam(model.parameters(), 1e-3, foreach=request["foreach"])
        batches = load_batches(torch, request["data"], request["batch"], request["channels_last"])
        train(torch, model, optimizer, batches[:WARM_UP])
        timed = batches[: request["steps"] or len(batches)]
        seconds = train(torch, model, optimizer, timed)
        answer["images_per_second"] = sum(len(labels) for _, labels in timed) / seconds
    print(json.dumps(answer))


def ask_torch(arguments, recipe, variant=None, steps=None):
    request = {"recipe": recipe, "data": arguments.data, "batch": arguments.batch, "steps": steps, "threads": 1}
    request.update(variant or {})
    environment = {**plain_environment(), **TORCH_ENVIRONMENT, "OMP_NUM_THREADS": str(request["threads"])}
    if request.get("huge_pages"):
        environment.update(HUGE_PAGES)
    if arguments.torch_core:
        environment["OPENBLAS_CORETYPE"] = arguments.torch_core
    environment.update(HELD[arguments.isa][0] if arguments.isa else {})
    command = [sys.executable, os.path.abspath(__file__), "--worker", json.dumps(request)]
    done = subprocess.run(command, stdout=subprocess.PIPE, env=environment)
    if done.returncode != 0:
        sys.exit(done.returncode)  # it has said why
    return json.loads(done.stdout)


def describe(variant):
    return "%d thread%s, %s, Adam %s%s" % (
        variant["threads"],
        "" if variant["threads"] == 1 else "s",
        "channels_last" if variant["channels_last"] else "contiguous",
        "foreach" if variant["foreach"] else "loop",
        ", huge pages" if variant["huge_pages"] else "",
    )


def fastest(arguments, recipe, variants):
    """Each variant twice, in turn; the best of both counts."""
    speed = [0.0] * len(variants)
    for _ in range(2):
        for i, variant in enumerate(variants):
            speed[i] = max(speed[i], ask_torch(arguments, recipe, variant, TRIAL)["images_per_second"])
    for i, variant in enumerate(variants):
        print("  %-56s %9.0f images/s" % (describe(variant), speed[i]))
    return variants[speed.index(max(speed))]


def best_variant(arguments, recipe):
    """The fastest of all in small pages, or the same in huge ones, where that is faster still."""
    variants = [
        {"threads": threads, "channels_last": last, "foreach": foreach, "huge_pages": False}
        for threads in sorted({1, arguments.threads})
        for last in (True, False)
        for foreach in (False, True)
    ]
    best = fastest(arguments, recipe, variants)
    return fastest(arguments, recipe, [best, {**best, "huge_pages": True}])


# ---- Stoa's side ----


def plain_environment():
    """As a user has it: without settings that a shell may hold for other work. `stoa` chooses its BLAS core itself."""
    dropped = ("OPENBLAS_", "GOTO_", "OMP_", "GOMP_", "MALLOC_", "GLIBC_TUNABLES", "THP_", "STOA_")
    return {k: v for k, v in os.environ.items() if not k.startswith(dropped)}


def run_stoa(arguments, recipe, folder, quiet=True):
    command = [arguments.stoa, "train", recipe, "--epochs", "1", "--batch", str(arguments.batch), "--threads",
               str(arguments.threads), "--data", arguments.data, "--out", folder, "--force"]  # fmt: skip
    environment = {**plain_environment(), **(HELD[arguments.isa][1] if arguments.isa else {})}
    done = subprocess.run(command + ["--quiet"] * quiet, stdout=subprocess.PIPE, env=environment, text=True)
    if done.returncode != 0:
        sys.exit("pytorch.py: %s ended with status %d" % (" ".join(command), done.returncode))
    metrics = {}
    for name in "metrics.jsonl", "timing.jsonl":
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            metrics.update(json.loads(file.readlines()[-1]))
    return metrics, done.stdout


def describe_stoa(arguments, folder):
    command = [arguments.stoa, "info", folder, "--json"]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, env=plain_environment()).stdout)


def compare_networks(torch_side, stoa_side):
    flops = {l["name"]: l["flops"] for l in stoa_side["layers"] if l["name"] in torch_side["flops"]}
    for what, a, b in (
        ("parameters", torch_side["parameters"], stoa_side["parameters"]),
        ("flops of conv2d and linear", torch_side["flops"], flops),
    ):
        if a != b:
            sys.exit("pytorch.py: the networks differ: %s: PyTorch %s, stoa %s" % (what, a, b))
    print("both networks: %d parameters, %.0f flops an image forward" % (stoa_side["parameters"], sum(flops.values())))


# ---- The whole comparison ----


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor()


def commit():
    def git(*words):
        return subprocess.run(["git", "-C", ROOT, *words], stdout=subprocess.PIPE, text=True).stdout.strip()

    return git("rev-parse", "--short", "HEAD") + ("+changes" if git("status", "--porcelain", "-uno") else "")


def measure(arguments, recipe, variant, folder):
    """Pairs of images a second (PyTorch, stoa); the engine that goes first changes."""
    pairs = []
    for number in range(arguments.pairs):
        speed = {}
        for engine in ("torch", "stoa") if number % 2 == 0 else ("stoa", "torch"):
            if engine == "torch":
                speed[engine] = ask_torch(arguments, recipe, variant, 0)["images_per_second"]
            else:
                speed[engine] = run_stoa(arguments, recipe, folder)[0]["images_per_second"]
        pairs.append((speed["torch"], speed["stoa"]))
        print("  pair %d: PyTorch %9.0f   stoa %9.0f   ratio %.2f" % (number + 1, *pairs[-1], pairs[-1][1] / pairs[-1][0]))
    return pairs


def compare(arguments):
    need_module("torch", "PyTorch")
    need_program(arguments.stoa, "--stoa")
    recipe = find_recipe(arguments.recipe)
    arguments.data = os.path.abspath(arguments.data or os.path.join(ROOT, "data", read_recipe(recipe)[2]))
    # Whatever the shell says: a core chosen for something else must not slow the peer down.
    arguments.torch_core = HELD[arguments.isa][0]["OPENBLAS_CORETYPE"] if arguments.isa else "SkylakeX" if has_avx512() else None
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        _, said = run_stoa(arguments, recipe, folder, quiet=False)
        torch_side = ask_torch(arguments, recipe)
        print("%s, batch %d, %d threads; commit %s" % (arguments.recipe, arguments.batch, arguments.threads, commit()))
        print("CPU: %s, %d CPUs; %s" % (cpu_name(), os.cpu_count(), platform.platform()))
        print("load before: %.1f%s" % (load, ", NOT IDLE: these numbers are worth little" if load > 0.5 else ""))
        print("PyTorch %s, BLAS core %s" % (torch_side["version"], arguments.torch_core or "its own choice"))
        if arguments.isa:
            print("both held to %s: PyTorch by %s" % (arguments.isa, ", ".join("=".join(one) for one in HELD[arguments.isa][0].items())))
        print("stoa: " + "; ".join(said.splitlines()[:2]))
        compare_networks(torch_side, describe_stoa(arguments, folder))
        print("PyTorch's variants:")
        variant = best_variant(arguments, recipe)
        print("one epoch each, PyTorch with %s:" % describe(variant))
        pairs = measure(arguments, recipe, variant, folder)
    torch_median, stoa_median = (statistics.median(side) for side in zip(*pairs))
    ratio = statistics.median(b / a for a, b in pairs)
    print("medians: PyTorch %.0f, stoa %.0f images/s; median ratio %.2f" % (torch_median, stoa_median, ratio))
    spread = max(b / a for a, b in pairs) / min(b / a for a, b in pairs)
    print("pairs differ by %.0f %%%s" % (100 * spread - 100, ": measure again on an idle machine" if spread > 1.2 else ""))
    if arguments.json:
        result = {"recipe": arguments.recipe, "batch": arguments.batch, "threads": arguments.threads, "isa": arguments.isa, "cpu": cpu_name(),
                  "commit": commit(), "load_before": load, "pytorch": torch_side["version"], "variant": variant,
                  "stoa": said.splitlines()[:2], "pairs": pairs, "median_pytorch": torch_median,
                  "median_stoa": stoa_median, "median_ratio": ratio}  # fmt: skip
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(result, file, indent=1)


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "--worker":
        worker(json.loads(sys.argv[2]))
        return
    parser = argparse.ArgumentParser(description="Training speed of a recipe: PyTorch at its best beside stoa.")
    parser.add_argument("recipe", nargs="?", default="lenet5", help="name or path: lenet5 (default), mlp, vgg-mnist, ...")
    parser.add_argument("--stoa", default=os.path.join(ROOT, "build", "src", "cli", "stoa"), help="the command")
    parser.add_argument("--data", help="folder with the IDX files (default: the recipe's, in data/)")
    parser.add_argument("--threads", type=int, default=2, help="most threads for both (default 2)")
    parser.add_argument("--batch", type=int, default=64, help="images a step (default 64)")
    parser.add_argument("--pairs", type=int, default=5, help="interleaved pairs (default 5, the least for a result)")
    parser.add_argument("--isa", choices=sorted(HELD), help="hold both engines to this instruction set")
    parser.add_argument("--json", help="write the result to this file too")
    compare(parser.parse_args())


main()
