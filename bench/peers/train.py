# SPDX-License-Identifier: MIT
"""PyTorch as it trains fastest, for `stoa-bench train --peer pytorch`, which starts this and asks on standard input.

Usage: train.py FOLDER THREADS BATCH ISA, where FOLDER has the network as recipe.ini, its first weights as model.safetensors and
batches as images.f32 (N, C, H, W) and labels.i32; ISA is an instruction set that PyTorch is held to, or "best". What is said on
standard output, a line each: name and version, the way it trains, its number of parameters with the losses of the first steps;
then "steps N" is answered with the seconds of N steps, "memory" with the most bytes that were resident and a 0.

Every combination of one thread or all, channels_last or contiguous, and Adam's implementations is tried in processes of their own,
then the fastest compiled and with huge pages. The fastest of all trains in this process, begun anew: its memory is that of one
engine that trains one way."""

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time

from needs import import_module
from networks import (HELD, HUGE_PAGES, TORCH_ENVIRONMENT, build, has_avx512, load_weights, read_recipe,
                      smoothing_of)

FIRST_LOSSES, RATE = 3, 1e-6
WARM_UP, TRIAL_SECONDS = 5, 0.5
CHOSEN, TRIED = "STOA_TRAIN_CHOSEN", "STOA_TRAIN_TRIED"  # for the processes that this one becomes or starts


class Training:
    """A recipe's network in one way; `losses` are of the first steps."""

    def __init__(self, torch, folder, batch, way):
        torch.manual_seed(1)
        recipe = read_recipe(os.path.join(folder, "recipe.ini"))
        model = build(torch, recipe)
        load_weights(torch, model, os.path.join(folder, "model.safetensors"))
        model.train()
        height, width, channels = recipe[0]
        with open(os.path.join(folder, "images.f32"), "rb") as file:
            images = torch.frombuffer(bytearray(file.read()), dtype=torch.float32).reshape(-1, channels, height, width)
        with open(os.path.join(folder, "labels.i32"), "rb") as file:
            labels = torch.frombuffer(bytearray(file.read()), dtype=torch.int32).long()
        if way["channels_last"]:
            model = model.to(memory_format=torch.channels_last)
            images = images.contiguous(memory_format=torch.channels_last)
        self.parameters = sum(p.numel() for p in model.parameters())
        self.batches = list(zip(images.split(batch), labels.split(batch)))
        adam = {"loop": {"foreach": False}, "foreach": {"foreach": True}, "fused": {"fused": True}}[way["adam"]]
        self.optimizer = torch.optim.Adam(model.parameters(), RATE, **adam)
        self.model = torch.compile(model, dynamic=False) if way["compiled"] else model
        smoothing, self.next = smoothing_of(os.path.join(folder, "recipe.ini")), 0
        self.loss_of = torch.nn.CrossEntropyLoss(label_smoothing=smoothing)
        self.losses = [self.steps(1)[1] for _ in range(FIRST_LOSSES)]

    def steps(self, count):
        """Seconds of so many, and the last one's loss, which is looked at once."""
        start = time.perf_counter()
        for _ in range(count):
            images, labels = self.batches[self.next]
            self.next = (self.next + 1) % len(self.batches)
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss_of(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
        value = loss.item()
        return time.perf_counter() - start, value


def describe(way):
    return "%d thread%s, %s, Adam %s%s%s" % (
        way["threads"],
        "" if way["threads"] == 1 else "s",
        "channels_last" if way["channels_last"] else "contiguous",
        way["adam"],
        ", compiled" if way["compiled"] else "",
        ", huge pages" if way["huge_pages"] else "",
    )


# ---- trying ----


def try_ways(torch, folder, batch, ways):
    """Seconds of a step of each that this version can, two tries in turn."""
    trainings = []
    for way in ways:
        try:
            trainings.append((way, Training(torch, folder, batch, way)))
        except Exception as error:  # whatever a version cannot do, another way does
            print("train.py: PyTorch %s: not %s: %s" % (torch.__version__, describe(way), str(error).split("\n")[0][:100]), file=sys.stderr)
    least = {}
    for _ in range(2):
        for i, (way, training) in enumerate(trainings):
            each = training.steps(WARM_UP)[0] / WARM_UP
            count = max(int(TRIAL_SECONDS / each), 3)
            least[i] = min(least.get(i, float("inf")), training.steps(count)[0] / count)
    return [(seconds, trainings[i][0]) for i, seconds in least.items()]


def environment_of(way, isa):
    """As a user has it, without settings that a shell may hold for other work, and with what makes PyTorch fast."""
    dropped = ("OPENBLAS_", "GOTO_", "OMP_", "GOMP_", "MALLOC_", "GLIBC_TUNABLES", "THP_")
    plain = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
    core = {"OPENBLAS_CORETYPE": "SkylakeX"} if has_avx512() else {}
    held = HELD.get(isa, {})
    pages = HUGE_PAGES if way["huge_pages"] else {}
    return {**plain, **TORCH_ENVIRONMENT, **core, **held, **pages, "OMP_NUM_THREADS": str(way["threads"])}


def ask(ways, arguments):
    """The same in a process of its own, with the environment of the first, which all of them have in common."""
    environment = {**environment_of(ways[0], arguments[3]), TRIED: json.dumps(ways)}
    done = subprocess.run([sys.executable, *sys.argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=environment)
    if done.returncode != 0:
        sys.exit(done.returncode)  # it has said why
    return json.loads(done.stdout)


def choose(arguments):
    tried = []
    for threads in sorted({1, int(arguments[1])}):
        ways = [
            {"threads": threads, "channels_last": last, "adam": adam, "compiled": False, "huge_pages": False}
            for last, adam in itertools.product((True, False), ("loop", "foreach", "fused"))
        ]
        tried += ask(ways, arguments)
    _, best = min(tried, key=lambda one: one[0])
    if shutil.which("g++"):
        tried += ask([{**best, "compiled": True, "channels_last": last} for last in (True, False)], arguments)
        _, best = min(tried, key=lambda one: one[0])
    tried += ask([{**best, "huge_pages": True}], arguments)
    return min(tried, key=lambda one: one[0])[1]


# ---- answering ----


def peak_bytes():
    with open("/proc/self/status", encoding="utf-8") as file:
        for line in file:
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return 0


def say(line):
    print(line, flush=True)


def serve(torch, folder, batch, way):
    training = Training(torch, folder, batch, way)
    say("PyTorch %s" % torch.__version__)
    say(describe(way))
    say(" ".join(map(repr, [training.parameters, *training.losses])))
    for line in sys.stdin:
        question, *count = line.split()
        say(repr(training.steps(int(count[0]))[0]) if question == "steps" else "%d 0" % peak_bytes())


def main():
    arguments = sys.argv[1:]
    folder, _, batch, isa = arguments
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the bench says when it ends
    chosen, tried = os.environ.get(CHOSEN), os.environ.get(TRIED)
    if not chosen and not tried:
        import_module("torch", "PyTorch")
        way = choose(arguments)
        os.execve(sys.executable, [sys.executable, *sys.argv], {**environment_of(way, isa), CHOSEN: json.dumps(way)})
    torch = import_module("torch", "PyTorch")
    ways = json.loads(chosen or tried)
    torch.set_num_threads((ways if chosen else ways[0])["threads"])
    if chosen:
        serve(torch, folder, int(batch), ways)
    else:
        print(json.dumps(try_ways(torch, folder, int(batch), ways)))


main()
