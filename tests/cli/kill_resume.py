# SPDX-License-Identifier: MIT
"""Runs that are killed at random moments and continued, again and again until they end: each has to leave the model and
the metrics of the run that nobody disturbed, byte for byte, and to lose no more than the steps since its last checkpoint.

    tests/cli/kill_resume.py COUNT [--seed N] [--recipe WORD]

COUNT kills are spread over the recipes below. The command is $STOA_BINARY. Standard library only."""

import argparse
import collections
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from support import BINARY, checkpoints, files_of, read, safetensors_read, write  # noqa: E402

RECIPE = """[model]
input = 12x12x1
c1 = conv2d filters=4 kernel=3 pad=1
b1 = batchnorm
r1 = relu
p1 = maxpool2d size=2
f1 = flatten
l1 = linear units=32
r2 = relu
{dropout}l2 = linear units=10
[data]
set = digits
classes = 10
samples = 2000
normalize = measured
weights = measured
[train]
epochs = 8
batch = 16
lr = {lr}
seed = {seed}
{train}
"""

# Name, with dropout, learning rate, what [train] says.
RECIPES = (
    ("augmented", True, "3e-3", "augment = shift=1 rotate=10 noise=0.05\noptimizer = adam\nschedule = one_cycle"),
    ("plateau", False, "0.05", "optimizer = sgd momentum=0.9\nschedule = plateau factor=0.5 patience=0\n"
                               "validation = 0.2"),
    ("average", True, "2e-3", "optimizer = adamw decay=0.01\naverage = 0.98\nvalidation = 0.2\nstratified = true\n"
                              "keep_best = true\nclip_norm = 1"),
    ("early", False, "0.02", "optimizer = rmsprop\nvalidation = 0.25\npatience = 2\nmin_delta = 0.02\nmonitor = accuracy\n"
                             "keep_best = true\nschedule = cosine"),
    ("accumulate", True, "5e-3", "accumulate = 3\noptimizer = nesterov momentum=0.9\naugment = erase=0.5\n"
                                 "schedule = exponential factor=0.8 per=epoch"),
    ("order", False, "1e-2", "optimizer = adagrad\nin_order = true\nschedule = linear\nfreeze = c1"),
)
KEEP, EVERY = 2, "20"

# Half of them cannot be noticed; the first SIGTERM saves the state, the second one ends the process meanwhile.
SIGNALS = ((signal.SIGKILL,), (signal.SIGKILL,), (signal.SIGTERM,), (signal.SIGTERM, signal.SIGTERM))
INTERRUPTED = re.compile(r"stoa: interrupted, state saved: .* continues\n")


class Failure(Exception):
    pass


def check(condition, *words):
    if not condition:
        raise Failure(" ".join(map(str, words)))


class Killer:
    def __init__(self, base, chance):
        self.base = base
        self.chance = chance
        self.counts = collections.Counter()
        home = os.path.join(base, "home")
        os.makedirs(home)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("STOA_", "XDG_"))}
        if "STOA_CPU" in os.environ:
            kept["STOA_CPU"] = os.environ["STOA_CPU"]
        self.environment = {**kept, "HOME": home, "XDG_DATA_DIRS": home}
        self.whole = {}  # of each recipe: the model and metrics of the run that nobody disturbed, and its seconds

    def start(self, *arguments):
        return subprocess.Popen([BINARY, "train", *arguments], cwd=self.base, env=self.environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def file(self, *parts):
        return os.path.join(self.base, *parts)

    def results(self, folder):
        return tuple(read(self.file(folder, name)) for name in ("model.safetensors", "metrics.jsonl"))

    def prepare(self, name, dropout, rate, train):
        write(self.file(f"{name}.ini"), RECIPE.format(dropout="d1 = dropout p=0.3\n" if dropout else "", lr=rate,
                                                      train=train, seed=len(self.whole) + 1))
        begin = time.monotonic()
        process = self.start(name, "--out", f"whole-{name}", "--threads", "1", "--checkpoint-every", EVERY)
        output, errors = process.communicate(timeout=120)
        check(process.returncode == 0 and not errors, name, output, errors)
        self.whole[name] = (self.results(f"whole-{name}"), time.monotonic() - begin)

    # ---- what a killed run leaves ----

    def look(self, folder):
        """Nothing there is damaged; the steps of the newest checkpoint, None where there is none."""
        path = self.file(folder)
        names = os.listdir(path) if os.path.isdir(path) else []
        for name in names:
            if name.endswith((".safetensors", ".safetensors.new")):
                header, data = safetensors_read(os.path.join(path, name))
                ends = [entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"]
                check(max(ends) == len(data), folder, name, "is not whole")
        steps = checkpoints(path) if names else []
        # One more while the oldest is being removed.
        check(len(steps) <= KEEP + 1, folder, steps)
        return steps[-1] if steps else None

    def kill(self, process, seconds):
        """Kill it after so many seconds, unless it has ended by itself; its output."""
        try:
            process.wait(self.chance.uniform(0, seconds))
        except subprocess.TimeoutExpired:
            for number in self.chance.choice(SIGNALS):
                process.send_signal(number)
                time.sleep(self.chance.uniform(0, 0.01))
        output, errors = process.communicate(timeout=60)
        code = process.returncode
        check(code in (0, -signal.SIGKILL, -signal.SIGTERM, 128 + signal.SIGTERM), code, output, errors)
        check(not errors or (code and INTERRUPTED.fullmatch(errors)), code, errors)
        self.counts["killed" if code else "ended before"] += 1
        return output

    def begin_again(self, name, folder):
        """A run without a checkpoint has nothing to continue from; its folder is free, or its first epoch begins anew."""
        process = self.start("--resume", folder)
        _, errors = process.communicate(timeout=60)
        check(process.returncode == 2 and errors.count("\n") == 1, errors)
        return self.start(name, "--out", folder, "--force", "--threads", self.threads(), "--checkpoint-every", EVERY)

    def threads(self):
        return str(self.chance.choice((1, 2, 3)))

    def attempt(self, name):
        """One run, killed once or more unless it is quicker."""
        expected, seconds = self.whole[name]
        folder = f"run-{name}"
        shutil.rmtree(self.file(folder), ignore_errors=True)
        process = self.start(name, "--out", folder, "--threads", self.threads(), "--checkpoint-every", EVERY)
        tries, resumed_from = 0, None
        while True:
            last = tries > 0 and self.chance.random() < 0.6
            if last:
                output, errors = process.communicate(timeout=120)
                check(process.returncode == 0 and not errors, process.returncode, output, errors)
            else:
                output = self.kill(process, seconds * 1.05)
            tries += 1
            if (found := re.search(r"continues \S+ after step (\d+),", output)):
                self.counts["continued"] += 1
                check(int(found[1]) == resumed_from, folder, "lost steps:", found[0], resumed_from)
            newest = self.look(folder)
            check(resumed_from is None or (newest or 0) >= resumed_from, folder, "lost its checkpoints")
            if process.returncode == 0:
                break
            resumed_from = newest
            process = self.begin_again(name, folder) if newest is None else self.start(
                "--resume", folder, "--threads", self.threads(), "--checkpoint-every", EVERY)
        found = self.results(folder)
        for what, one, other in zip(("model", "metrics"), found, expected):
            check(one == other, folder, what, "is another than the undisturbed run's")
        rest = files_of(self.file(folder))
        check(rest == ["metrics.jsonl", "model.safetensors", "timing.jsonl"], folder, rest)
        epochs = [json.loads(line)["epoch"] for line in read(self.file(folder, "timing.jsonl")).splitlines()]
        check(epochs == sorted(set(epochs)), folder, "times of epochs", epochs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, help="how many kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--recipe", default="", help="only recipes whose name has this word")
    options = parser.parse_args()
    base = tempfile.mkdtemp(prefix="stoa-kills-")
    killer = Killer(base, random.Random(options.seed))
    chosen = [recipe for recipe in RECIPES if options.recipe in recipe[0]]
    runs = 0
    try:
        for recipe in chosen:
            killer.prepare(*recipe)
        while killer.counts["killed"] < options.count:
            killer.attempt(chosen[runs % len(chosen)][0])
            runs += 1
    except Failure as failure:
        print(f"seed {options.seed}, run {runs + 1}, after {killer.counts['killed']} kills: {failure}", file=sys.stderr)
        print(f"kept: {base}", file=sys.stderr)
        return 1
    shutil.rmtree(base, ignore_errors=True)
    print(f"seed {options.seed}: {runs} runs of {len(chosen)} recipes, {killer.counts['killed']} kills, "
          f"{killer.counts['continued']} continued to the same bytes, {killer.counts['ended before']} ended before the kill")
    return 0 if killer.counts["killed"] and killer.counts["continued"] else 1


if __name__ == "__main__":
    sys.exit(main())
