# SPDX-License-Identifier: MIT
"""Every command while one of its allocations, or of its calls for input and output, fails: the first, the second, and
so on to the last; alone, or with all that come after it.

Whatever fails, the command ends in one of two ways. It exits with 0, and then files and output are those of a run in
which nothing failed; that an epoch could not be saved and the next one will may have been said. Or it exits with 1 or 2
and one sentence on stderr, a lack of memory with 1; then a run's folder holds what a whole epoch left, the older run, or
nothing, and no file of another name stands anywhere. Where it holds a checkpoint, the run is continued from it to the
end that it would have had. Reads and writes that move a part of what was asked for, or are interrupted, change nothing
at all.

    tests/faults/sweep.py STOA HOST INJECTOR [--share PART] [--jobs N] [--scene WORDS] [--seed N]

--share 0.1 takes a tenth of the calls, drawn with the seed that is printed. For glibc; exits with 77, skipped, where
the BLAS is no library of its own, so that its calls cannot be told from the program's. Standard library only."""

import argparse
import collections
import concurrent.futures
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading

import scenes

# What is failed, as inject.c spells it: kind of call, and whether all later ones fail too.
MODES = (("memory", ""), ("memory", "+"), ("io", ""), ("io", "+"), ("short", ""), ("interrupt", ""))
COUNTS = re.compile(r"counts memory (\d+) io (\d+) transfers (\d+) vendor (\d)")
LATER = re.compile(r"stoa: .*(; epoch \d+ is not saved, the next one tries again|; the state of epoch \d+, step \d+ is not saved"
                   r"|; this is not said yet, the next epoch tries again|; taking out/checkpoint-\d+\.safetensors)")
SAID = re.compile(r"/(run\.json|recipe\.ini)$")
CHECKPOINT = re.compile(r"/checkpoint-\d+\.safetensors(\.new)?$")
SKIPPED = 77
ALLOWED_SECONDS = 60

Outcome = collections.namedtuple("Outcome", "code stdout stderr files ends")


def without_times(text):
    text = re.sub(r"[\d,]+ (img|images)/s", "N images/s", text)
    text = re.sub(r"(?m)^(done .* in) [\d:]+,", r"\1 N,", text)
    text = re.sub(r"(?m)^seconds .*$", "seconds", text)
    return re.sub(r'"(seconds|images_per_second|time)": [^,\n}]*', r'"\1": N', text)


def parse_metrics(data):
    return [json.loads(line) for line in data.decode().splitlines()]


class Sweep:
    def __init__(self, options, base):
        self.options = options
        self.base = base
        self.local = threading.local()
        self.folders = []
        home = os.path.join(base, "home")
        os.makedirs(home)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("STOA_", "XDG_", "OPENBLAS_", "LD_PRELOAD"))}
        # Not executed a second time for another BLAS core: counting would begin anew.
        self.environment = {**kept, "HOME": home, "XDG_DATA_DIRS": home, "STOA_THREADS": "1",
                            "STOA_EXECUTED_AGAIN": "1", "OPENBLAS_NUM_THREADS": "1", "LC_ALL": "C"}

    # ---- one run ----

    def folder(self):
        """This thread's own copy of data, recipes and models."""
        if not hasattr(self.local, "folder"):
            self.local.folder = tempfile.mkdtemp(prefix="worker-", dir=self.base)
            for name in os.listdir(os.path.join(self.base, "given")):
                source = os.path.join(self.base, "given", name)
                copy = shutil.copytree if os.path.isdir(source) else shutil.copy
                copy(source, os.path.join(self.local.folder, name))
            self.local.names = self.names(self.local.folder)
        return self.local.folder

    @staticmethod
    def names(folder):
        found = set()
        for path, folders, files in os.walk(folder):
            found.update(os.path.relpath(os.path.join(path, name), folder) for name in folders + files)
        return found

    def run(self, scene, fault):
        """Run the scene with the fault: its outcome, and the injector's report."""
        folder = self.folder()
        if scene.before:
            shutil.copytree(os.path.join(folder, scene.before), os.path.join(folder, "out"))
        report, out, err = (os.path.join(self.base, f"{os.path.basename(folder)}.{end}") for end in ("rep", "out", "err"))
        if os.path.exists(report):
            os.unlink(report)
        environment = {**self.environment, "LD_PRELOAD": self.options.injector, "STOA_FAULT": fault,
                       "STOA_FAULT_REPORT": report}
        with open(out, "wb") as stdout, open(err, "wb") as stderr:
            program = self.options.host if scene.host else self.options.stoa
            process = subprocess.Popen([program, *scene.arguments], cwd=folder, env=environment, stdout=stdout,
                                       stderr=stderr, stdin=subprocess.DEVNULL, close_fds=False)
            try:
                code = process.wait(ALLOWED_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                code = "a hang"
        files = self.new_files(folder)
        if code != 0 and any(name.endswith(".new") for name in files):
            # What a run leaves half done at the end, the next command that looks at it completes.
            for name in [n for n, data in files.items() if data is None]:
                subprocess.run([self.options.stoa, "info", name], cwd=folder, env=self.environment, check=False,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            files = self.new_files(folder)
        ends = self.go_on(folder, files) if code in (1, 2) and scene.arguments[0] == "train" else {}
        for name in "out", "runs":
            shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
        for name in self.names(folder) - self.local.names:
            os.unlink(os.path.join(folder, name))
        outcome = Outcome(code, without_times(self.read(out).decode(errors="replace")),
                          self.read(err).decode(errors="replace"), files, ends)
        return outcome, self.read(report).decode() if os.path.exists(report) else ""

    def go_on(self, folder, files):
        """What the runs in the folder that left a checkpoint become when they are continued."""
        runs = {os.path.dirname(name) for name in files if CHECKPOINT.search(name)}
        for name in runs:
            done = subprocess.run([self.options.stoa, "train", "--resume", name, "--quiet"], cwd=folder, check=False,
                                  env=self.environment, capture_output=True, text=True)
            if done.returncode != 0:
                return {name: done.stderr}
        return self.new_files(folder) if runs else {}

    def new_files(self, folder):
        """What stands in the folder that was not given: what is in it, None for a folder."""
        paths = {name: os.path.join(folder, name) for name in sorted(self.names(folder) - self.local.names)}
        return {name: None if os.path.isdir(path) else self.read(path) for name, path in paths.items()}

    @staticmethod
    def read(path):
        with open(path, "rb") as file:
            return file.read()

    # ---- what is right ----

    def whole_runs(self, scene, undisturbed):
        """What a run's folder may hold after a failure: what each whole epoch leaves, the older run, or nothing."""
        allowed = [{}]
        if scene.arguments[0] != "train":
            return allowed
        if scene.before:
            before = os.path.join(self.folder(), scene.before)
            allowed = [{"out": None, **{f"out/{n}": self.read(os.path.join(before, n)) for n in os.listdir(before)}}]
        for epochs in "1", "2":
            longer = scenes.Scene(scene.name, *scene.arguments, "--epochs", epochs, before=scene.before)
            allowed.append(self.run(longer, "none")[0].files)
        return allowed

    @staticmethod
    def comparable(files):
        """Times differ from run to run, and nothing depends on their file, as on what a run says of itself, which is
        looked at in itself. Checkpoints may be more or fewer, and are tried. The number of epochs stands in a model's recipe, also in one that is saved before the last of them."""

        def plain(name, data):
            if name.endswith("metrics.jsonl"):
                return parse_metrics(data)
            if name.endswith(".html"):
                # Times were measured, and a CPU that cannot be asked has no name.
                return re.sub(rb"[\d.e+-]+ (\xc2\xb5s|ms|s)\b|--w:[\d.]+%|[\d.]+ %</td>|>CPU<.*", b"", data)
            return re.sub(rb"epochs = \d", b"epochs = N", data) if name.endswith("model.safetensors") else data

        return {name: plain(name, data) for name, data in files.items()
                if not name.endswith("/timing.jsonl") and not CHECKPOINT.search(name) and not SAID.search(name)}

    @staticmethod
    def said(files):
        """What a run says of itself, without its times and the name of the worker's folder."""
        files = {name: re.sub(rb"worker-\w+", b"worker", data) for name, data in files.items() if SAID.search(name)}
        found = {name: json.loads(data) for name, data in files.items() if name.endswith("/run.json")}
        for record in found.values():
            for part in (record, *record.get("resumed", [])):
                for key in ("started", "ended", "training_seconds"):
                    part.pop(key, None)
        return {**files, **found}

    def judge(self, undisturbed, allowed, ends, kind, outcome, report):
        """What is wrong with the outcome, or None."""
        code = outcome.code
        notes = undisturbed.stderr.splitlines()  # of what data were changed
        lines = [line for line in outcome.stderr.splitlines() if not LATER.fullmatch(line) and line not in notes]
        if code not in (0, 1, 2):
            return f"ended by {code}: {outcome.stderr.strip()[:200]}"
        try:
            files = self.comparable(outcome.files)
            self.said(outcome.files)
        except ValueError:
            return f"exit {code} and metrics or words that are no JSON"
        if code == 0 or kind in ("short", "interrupt"):
            if code != 0:
                return f"exit {code} although nothing failed: {outcome.stderr.strip()}"
            if "failed unlinkat" in report:
                # A lock that cannot be removed locks nothing: its process has ended.
                files = {name: data for name, data in files.items() if not name.endswith("/.stoa-lock")}
            expected = self.comparable(undisturbed.files)
            if files != expected:
                return f"exit 0 and other files: {self.difference(expected, files)}"
            if self.said(outcome.files) != self.said(undisturbed.files):
                return f"exit 0 and other words: {self.difference(self.said(undisturbed.files), self.said(outcome.files))}"
            if outcome.stdout != undisturbed.stdout:
                return f"exit 0 and other output: {outcome.stdout[-200:]!r}"
            missing = {n for n in undisturbed.files if CHECKPOINT.search(n)} - set(outcome.files)
            if missing and "is not saved" not in outcome.stderr:
                return f"exit 0 and without a word no {missing}"
            return None if not lines else f"exit 0 and a sentence on stderr: {outcome.stderr!r}"
        if len(lines) != 1 or not lines[0].startswith("stoa: "):
            return f"exit {code} and not one sentence on stderr: {outcome.stderr!r}"
        if outcome.ends and not any(self.comparable(outcome.ends) == self.comparable(one) for one in ends):
            return f"exit {code} and continued to another end: {self.difference(self.comparable(ends[0]), outcome.ends)}"
        if any(CHECKPOINT.search(name) for name in outcome.files):
            allowed = [*allowed, {os.path.dirname(n): None for n in outcome.files if CHECKPOINT.search(n)}]
        if not any(files == self.comparable(one) for one in allowed):
            return f"exit {code} and neither a whole run nor none: {self.difference(self.comparable(allowed[0]), files)}"
        if kind == "memory" and (code != 1 or not re.search("memory|allocate", lines[0])):
            return f"exit {code} for a lack of memory: {lines[0]}"
        return None

    @staticmethod
    def difference(expected, found):
        names = sorted(set(expected) | set(found))
        return ", ".join(f"{n} {'missing' if n not in found else 'new' if n not in expected else 'changed'}"
                         for n in names if n not in found or n not in expected or expected[n] != found[n])

    # ---- all runs of a scene ----

    def plan(self, scene):
        """The undisturbed outcome and every fault that is to be tried."""
        undisturbed, report = self.run(scene, "none")
        again, second = self.run(scene, "none")
        counts = [COUNTS.search(one) for one in (report, second)]
        if undisturbed.code != 0 or self.comparable(again.files) != self.comparable(undisturbed.files) or \
                again.stdout != undisturbed.stdout or not all(counts):
            sys.exit(f"{scene.name}: undisturbed, twice: {undisturbed[:3]} {report}\n{again[:3]} {second}")
        # Times are written too, whose number of digits moves the counts a little.
        memory, calls, transfers, vendor = map(max, zip(*(map(int, one.groups()) for one in counts)))
        if not vendor:
            print("skipped: the BLAS is no library of its own here, its calls cannot be told from the program's")
            sys.exit(SKIPPED)
        if min(memory, calls) == 0:
            sys.exit(f"{scene.name}: no calls counted, the injector does not work")
        numbers = {"memory": memory, "io": calls, "short": transfers, "interrupt": transfers}
        faults = [(kind, f"{kind}:{n}{rest}") for kind, rest in MODES for n in range(1, numbers[kind] + 1)]
        if transfers:
            faults.append(("short", "short:1+"))
        if self.options.share < 1:
            faults = self.options.random.sample(faults, max(6, round(len(faults) * self.options.share)))
        return undisturbed, faults

    def try_scene(self, scene, pool):
        undisturbed, faults = self.plan(scene)
        allowed = self.whole_runs(scene, undisturbed)
        ends = [undisturbed.files, allowed[0]] if scene.before else [undisturbed.files]
        allowed.append(undisturbed.files)
        results = collections.Counter()
        wrong = []

        def attempt(fault):
            outcome, report = self.run(scene, fault[1])
            return fault, self.judge(undisturbed, allowed, ends, fault[0], outcome, report), outcome.code, report

        for fault, complaint, code, report in pool.map(attempt, faults):
            results[code if code in (0, 1, 2) else "other"] += 1
            if complaint:
                wrong.append(f"{scene.name}: {fault[1]}: {complaint}\n    {report.strip().splitlines()[:1]}")
        print(f"{scene.name:16} {len(faults):5} failed: exit 0 {results[0]}, 1 {results[1]}, 2 {results[2]}, other "
              f"{results['other']}; wrong {len(wrong)}", flush=True)
        return results, wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stoa")
    parser.add_argument("host", help="the program faults_host")
    parser.add_argument("injector", help="the library to be preloaded")
    parser.add_argument("--share", type=float, default=1)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--scene", default="", help="only scenes whose name matches")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--shown", type=int, default=20, help="how many wrong ones are shown")
    options = parser.parse_args()
    for name in "stoa", "host", "injector":
        setattr(options, name, os.path.abspath(getattr(options, name)))
    options.random = random.Random(options.seed)
    base = tempfile.mkdtemp(prefix="stoa-faults-")
    try:
        # LD_PRELOAD is a list with spaces between its names, and the build may lie in a folder with one.
        options.injector = shutil.copy(options.injector, base)
        sweep = Sweep(options, base)
        given = os.path.join(base, "given")
        os.makedirs(given)
        os.chdir(given)
        scenes.make_data()
        scenes.make_recipes()

        def stoa(*arguments):
            subprocess.run([options.stoa, *arguments], env=sweep.environment, check=True, stdout=subprocess.DEVNULL)

        chosen = [s for s in scenes.all_scenes(stoa) if re.search(options.scene, s.name)]
        total, wrong = collections.Counter(), []
        with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
            for scene in chosen:
                results, complaints = sweep.try_scene(scene, pool)
                total += results
                wrong += complaints
    finally:
        os.chdir("/")
        shutil.rmtree(base, ignore_errors=True)
    for complaint in wrong[: options.shown]:
        print(complaint)
    print(f"seed {options.seed}: {sum(total.values())} calls failed: exit 0 {total[0]}, 1 {total[1]}, 2 {total[2]}, "
          f"other {total['other']}; wrong {len(wrong)}")
    return 1 if wrong or not total else 0


if __name__ == "__main__":
    sys.exit(main())
