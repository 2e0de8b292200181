# SPDX-License-Identifier: MIT
"""Another engine that runs one image at a time, for `stoa-bench latency`, which starts this and asks on standard input.

Usage: latency.py ENGINE FOLDER THREADS CACHE_BYTES, where FOLDER has the network as recipe.ini, its tensors as
model.safetensors and an image as input.f32 (C, H, W). What is said on standard output, a line each: name and version of the
engine, the way it runs, its outputs; then, for each line "warm N" or "cold N", the nanoseconds of N runs. Cold runs find the
caches full of something else."""

import copy
import os
import shutil
import signal
import subprocess
import sys
import time

from needs import import_module, refuse
from networks import TORCH_ENVIRONMENT, build, has_avx512, load_weights, read_recipe, read_tensors
from onnx_file import write_onnx

WARM_UP, TRIAL = 50, 300  # runs


def read_input(folder):
    with open(os.path.join(folder, "input.f32"), "rb") as file:
        return file.read()


def say(line):
    print(line, flush=True)


def timed(run, count, flush):
    """Nanoseconds of each of `count` runs."""
    times, clock = [0] * count, time.perf_counter_ns
    for i in range(count):
        flush()
        start = clock()
        run()
        times[i] = clock() - start
    return times


def serve(run, cache_bytes):
    """Answer the bench until it has no more questions. Each answer begins warm: the bench stops this process in between."""
    full, other = bytearray(cache_bytes), bytearray(cache_bytes)

    def flush():
        full[:] = other

    for line in sys.stdin:
        kind, count = line.split()
        timed(run, WARM_UP, lambda: None)
        say(" ".join(map(str, timed(run, int(count), flush if kind == "cold" else lambda: None))))


def fastest(ways):
    """Name and function of the fastest, of which each has two tries, in turn."""
    best = {}
    for _ in range(2):
        for name, run in ways:
            timed(run, WARM_UP, lambda: None)
            median = sorted(timed(run, TRIAL, lambda: None))[TRIAL // 2]
            best[name] = min(best.get(name, median), median)
    name = min(best, key=best.get)
    return name, dict(ways)[name]


# ---- PyTorch ----


def torch_ways(torch, model, x):
    """What can be had of: as it is, in either layout, frozen, optimised for inference, compiled."""
    last = copy.deepcopy(model).to(memory_format=torch.channels_last)
    x_last = x.contiguous(memory_format=torch.channels_last)
    yield "eager", lambda: model(x)
    yield "eager, channels_last", lambda: last(x_last)
    makers = [
        ("frozen", lambda: torch.jit.freeze(torch.jit.trace(model, x))),
        ("optimized for inference", lambda: torch.jit.optimize_for_inference(torch.jit.trace(model, x))),
    ]
    if hasattr(torch, "compile") and shutil.which("g++"):
        makers.append(("compiled", lambda: torch.compile(model, dynamic=False)))
    for name, make in makers:
        try:
            made = make()
            made(x)
        except Exception as error:  # whatever a version cannot do, another way does
            print("latency.py: PyTorch %s: not %s: %s" % (torch.__version__, name, str(error).split("\n")[0][:100]), file=sys.stderr)
            continue
        yield name, lambda made=made: made(x)


def serve_torch(folder, threads, cache_bytes):
    torch = import_module("torch", "PyTorch")
    torch.set_num_threads(threads)
    recipe = read_recipe(os.path.join(folder, "recipe.ini"))
    model = build(torch, recipe)
    load_weights(torch, model, os.path.join(folder, "model.safetensors"))
    model.eval()
    height, width, channels = recipe[0]
    x = torch.frombuffer(bytearray(read_input(folder)), dtype=torch.float32).reshape(1, channels, height, width)
    with torch.inference_mode():
        name, run = fastest(list(torch_ways(torch, model, x)))
        say("PyTorch %s" % torch.__version__)
        say(name)
        say(" ".join(map(repr, run().flatten().tolist())))
        serve(run, cache_bytes)


# ---- ONNX Runtime ----


def onnx_ways(onnxruntime, session, x):
    out = [session.get_outputs()[0].name]
    yield "run", lambda: session.run(out, {"x": x})[0]
    binding = session.io_binding()
    binding.bind_ortvalue_input("x", onnxruntime.OrtValue.ortvalue_from_numpy(x))
    binding.bind_output(out[0])

    def bound():
        session.run_with_iobinding(binding)
        return binding

    yield "bound", bound


def serve_onnx(folder, threads, cache_bytes):
    path = os.path.join(folder, "model.onnx")
    recipe = read_recipe(os.path.join(folder, "recipe.ini"))
    write_onnx(path, recipe, read_tensors(os.path.join(folder, "model.safetensors")))
    try:
        import numpy
        import onnxruntime
    except ImportError:
        run_node(folder, threads, cache_bytes, recipe)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    height, width, channels = recipe[0]
    x = numpy.frombuffer(read_input(folder), numpy.float32).reshape(1, channels, height, width).copy()
    name, run = fastest(list(onnx_ways(onnxruntime, session, x)))
    found = run()
    found = found.copy_outputs_to_cpu()[0] if name == "bound" else found
    say("ONNX Runtime %s" % onnxruntime.__version__)
    say(name)
    say(" ".join(map(repr, map(float, found.flatten()))))
    serve(run, cache_bytes)


def run_node(folder, threads, cache_bytes, recipe):
    """npm's package does the same, where node finds it. Becomes another program."""
    node = shutil.which("node")
    asked = [node, "-e", "require('onnxruntime-node')"] if node else []
    if not node or subprocess.run(asked, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode != 0:
        refuse("ONNX Runtime is installed neither for %s nor for node, expected the package onnxruntime or onnxruntime-node" % sys.executable)
    height, width, channels = recipe[0]
    with open(os.path.join(folder, "shape"), "w", encoding="utf-8") as file:
        file.write("1 %d %d %d" % (channels, height, width))
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "latency.js")
    os.execv(node, [node, script, folder, str(threads), str(cache_bytes)])


ENGINES = {"pytorch": serve_torch, "onnxruntime": serve_onnx}


def main():
    engine, folder, threads, cache_bytes = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the bench says when it ends
    if engine == "pytorch" and "MALLOC_TOP_PAD_" not in os.environ:
        core = {"OPENBLAS_CORETYPE": "SkylakeX"} if has_avx512() else {}
        os.environ.update({**TORCH_ENVIRONMENT, **core, "OMP_NUM_THREADS": threads})
        os.execv(sys.executable, [sys.executable, *sys.argv])
    ENGINES[engine](folder, int(threads), int(cache_bytes))


main()
