# SPDX-License-Identifier: MIT
"""Several trainings by one command: --set, --seeds, --jobs, --minutes, and a grid that is continued."""

import json
import os
import re
import shlex
import shutil
import signal
import statistics
import time
import unittest

from support import BINARY, Command, read, write

RUN = ["metrics.jsonl", "model.safetensors", "timing.jsonl"]


def last_of(folder):
    return json.loads(read(f"{folder}/metrics.jsonl").splitlines()[-1])


def lives(process):
    """Whether a process is there and no zombie."""
    try:
        with open(f"/proc/{process}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Set(Command):
    def test_any_key_of_a_single_run(self):
        self.done("train", "tiny", "--set", "lr=4e-3", "--set", "train.epochs=3", "--set", "data.mean=0.2",
                  "--set", "optimizer=sgd momentum=0.9", "--set", "model.l1=linear units=10 init=xavier", "--out", "a")
        write("same.ini", read("tiny.ini").decode().replace("lr = 5e-3", "lr = 4e-3\noptimizer = sgd momentum=0.9")
              .replace("epochs = 2", "epochs = 3").replace("mean = 0.1", "mean = 0.2")
              .replace("units=10", "units=10 init=xavier"))
        self.done("train", "same", "--out", "b")
        self.assertEqual(read("a/metrics.jsonl"), read("b/metrics.jsonl"))
        self.assertEqual(last_of("a")["epoch"], 3)

    def test_the_options_are_such_settings(self):
        self.done("train", "tiny", "--lr", "2e-3", "--epochs", "1", "--batch", "50", "--seed", "8", "--out", "a")
        self.done("train", "tiny", "--set", "lr=2e-3", "--set", "epochs=1", "--set", "batch=50", "--set", "seed=8",
                  "--out", "b")
        self.assertEqual(read("a/model.safetensors"), read("b/model.safetensors"))

    def test_refused(self):
        for words, more in (
                (["unknown key", "lrr"], ["--set", "lrr=1"]), (["lr", "'fast'"], ["--set", "lr=fast"]),
                (["KEY=VALUE", "'lr'"], ["--set", "lr"]), (["KEY=VALUE"], ["--set", "=3"]), (["--set"], ["--set", ""]),
                (["lr", "twice"], ["--set", "lr=1", "--set", "train.lr=2"]), (["lr", "--lr"], ["--set", "lr=1", "--lr", "1"]),
                (["--seeds"], ["--set", "seed=1", "--seeds", "2"]), (["empty value"], ["--set", "lr=1,"]),
                (["empty value"], ["--set", "lr=,1"]), (["quote"], ["--set", 'lr="1']), (["quote"], ["--set", 'lr="1"2']),
                (["units"], ["--set", "model.l1=linear units=0"]), (["'5e5x'"], ["--set", "lr=1e-3,5e5x"]),
                (["nokey"], ["--set", "lr=1e-3,5e-3", "--set", "nokey=2"]),
                (["--jobs"], ["--jobs", "2"]), (["--seeds", "'0'"], ["--seeds", "0"]),
                (["runs"], ["--set", "lr=" + ",".join(["1e-3"] * 200), "--seeds", "100"]),
                (["keep_best", "validation"], ["--set", "keep_best=false,true"])):
            self.refused("train", "tiny", *more, "--out", "run", words=words)
        self.refused("train", "--seeds", "2", words=["RECIPE missing"])
        self.refused("train", "nothing", "--seeds", "2", words=["nothing"])
        os.rename("data/blobs", "data/gone")
        self.refused("train", "tiny", "--seeds", "2", words=["blobs"])


class Grid(Command):
    def test_settings_times_seeds(self):
        out = self.done("train", "tiny", "--seeds", "3", "--set", "lr=1e-4,5e-3", "--set", "batch=30,60", "--out", "g")
        names = [f"{i:02}-lr={lr}-batch={batch}-seed={seed}" for i, (lr, batch, seed) in enumerate(
            [(lr, batch, seed) for lr in ("1e-4", "5e-3") for batch in (30, 60) for seed in (3, 4, 5)], 1)]
        self.assertEqual(sorted(os.listdir("g")), sorted(names + ["grid.json", "tiny.ini"]))
        # Each is what the command makes alone, on any number of threads.
        self.done("train", "tiny", "--lr", "5e-3", "--batch", "30", "--seed", "4", "--threads", "3", "--out", "alone")
        for name in ("model.safetensors", "metrics.jsonl"):
            self.assertEqual(read(f"alone/{name}"), read(f"g/08-lr=5e-3-batch=30-seed=4/{name}"))
        rows = [line.split() for line in out.splitlines() if line.startswith(("1e-4 ", "5e-3 "))]
        self.assertEqual([row[:3] for row in rows], [[lr, batch, "3"] for lr in ("1e-4", "5e-3") for batch in ("30", "60")])
        for i, row in enumerate(rows):
            values = [100 * last_of(f"g/{name}")["test_accuracy"] for name in names[3 * i:3 * i + 3]]
            self.assertEqual(row[3:8], [f"{statistics.mean(values):.2f}", "+-", f"{statistics.stdev(values):.2f}", "%",
                                        f"{max(values):.2f}"])
        self.assertIn("no setting is chosen", out)

    def test_as_json(self):
        found = json.loads(self.done("train", "tiny", "--seeds", "2", "--set", "lr=1e-4,0.03", "--set", "validation=0.2",
                                     "--set", "keep_best=true", "--epochs", "8", "--json", "--out", "g"))
        self.assertEqual((found["folder"], found["epoch"], found["chosen_by"]), ("g", "best by validation", "validation_loss"))
        self.assertEqual([row["set"]["lr"] for row in found["settings"]], ["1e-4", "0.03"])
        means, earlier = [], 0
        for row in found["settings"]:
            self.assertEqual((row["done"], row["failed"]), (2, 0))
            kept = []
            for run, seed in zip(row["runs"], (3, 4)):
                lines = [json.loads(line) for line in read(f"{run['run']}/metrics.jsonl").splitlines()]
                best = [line for line in lines if line["best"]][-1]
                self.assertEqual((run["seed"], run["state"]), (seed, "done"))
                for key in ("epoch", "validation_loss", "test_accuracy", "train_loss"):
                    self.assertEqual(run[key], best[key])
                kept.append(best)
                earlier += best != lines[-1]
            for key in ("validation_loss", "test_accuracy"):
                values = [line[key] for line in kept]
                self.assertAlmostEqual(row[key]["mean"], statistics.mean(values), delta=1e-6)
                self.assertAlmostEqual(row[key]["deviation"], statistics.stdev(values), delta=1e-6)
                self.assertEqual(row[key]["best"], min(values) if "loss" in key else max(values))
            means.append(row["validation_loss"]["mean"])
        self.assertGreater(earlier, 0)
        self.assertEqual([row["chosen"] for row in found["settings"]], [mean == min(means) for mean in means])

    def test_values_with_commas_and_spaces(self):
        found = json.loads(self.done("train", "tiny", "--set", 'optimizer=sgd momentum=0.9,adam', "--set",
                                     'title="one, and ""two"""', "--json", "--out", "g", "--epochs", "1"))
        self.assertEqual([row["set"] for row in found["settings"]],
                         [{"optimizer": name, "title": 'one, and "two"'} for name in ("sgd momentum=0.9", "adam")])
        self.assertEqual(sorted(os.listdir("g"))[:2], ["1-optimizer=sgd_momentum=0.9-seed=3", "2-optimizer=adam-seed=3"])

    def test_large_seeds(self):
        found = json.loads(self.done("train", "tiny", "--epochs", "1", "--seed", str(2**63 - 1), "--seeds", "2", "--json"))
        self.assertEqual([run["seed"] for run in found["settings"][0]["runs"]], [2**63 - 1, str(2**63)])
        self.refused("train", "tiny", "--seed", str(2**64 - 1), "--seeds", "2", words=["--seeds", str(2**64 - 1)])

    def test_one_run_fails(self):
        result = self.stoa("train", "tiny", "--set", "lr=1e-3,1e30,5e-3", "--out", "g")
        self.assertEqual(result.returncode, 1, result.stderr)
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 2, lines)
        self.assertRegex(lines[0], r"^stoa: 2-lr=1e30-seed=3: epoch 1, step \d+: .*non-finite")
        self.assertEqual(lines[1], "stoa: 1 of 3 runs in g failed")
        self.assertRegex(result.stdout, r"\n1e30  0 of 1 +- +- +-\n")
        self.assertEqual(len(last_of("g/3-lr=5e-3-seed=3")) > 0, True)

    def test_only_pairs_that_fail_are_told_by_their_run(self):
        write("pair.ini", read("tiny.ini").decode() + "validation = 0.2\n")
        result = self.stoa("train", "pair", "--set", "validation=0.2,0", "--set", "keep_best=false,true", "--out", "g")
        # The first values of all others are tried with each: keep_best with the first validation is right.
        self.assertEqual(result.returncode, 1, result.stderr)
        self.assertRegex(result.stderr.splitlines()[0], r"^stoa: 4-validation=0-keep_best=true-seed=3: .*validation")

    def test_default_folder_and_quiet(self):
        self.assertEqual(self.done("train", "tiny", "--seeds", "2", "--epochs", "1", "--quiet"), "")
        self.assertEqual(os.listdir("runs"), ["tiny-1"])
        self.assertEqual(sorted(os.listdir("runs/tiny-1")), ["1-seed=3", "2-seed=4", "grid.json", "tiny.ini"])
        self.refused("train", "tiny", "--seeds", "2", "--out", "runs/tiny-1", words=["not empty", "--force"])
        self.done("train", "tiny", "--seeds", "2", "--epochs", "2", "--quiet", "--out", "runs/tiny-1", "--force")
        self.assertEqual(last_of("runs/tiny-1/2-seed=4")["epoch"], 2)

    def test_what_to_do_next_can_be_copied_into_a_shell(self):
        folder = "it's a \"run\""
        for more in (["--out", folder], ["--out", "g/" + folder, "--seeds", "2"],
                     ["--out", "h/" + folder, "--epochs", "9999", "--minutes", "0.002"]):
            out = self.done("train", "tiny", *more)
            said = [line.split("stoa ", 1)[1] for line in out.splitlines() if re.match(r"(next|    )    stoa ", line)]
            self.assertGreater(len(said), 0, out)
            for line in said:
                words = shlex.split(line.replace("FILE", "data"))
                self.assertTrue(os.path.isdir(words[2 if words[1] == "--resume" else 1]), line)

    def test_so_many_at_once(self):
        """A run sees how many others hold the lock of their folder."""
        process = self.start("train", "tiny", "--seeds", "5", "--jobs", "3", "--epochs", "60", "--out", "g")
        most = 0
        while process.poll() is None:
            held = [name for name in os.listdir("g") if os.path.exists(f"g/{name}/.stoa-lock")] if os.path.isdir("g") else []
            most = max(most, len(held))
            time.sleep(0.005)
        self.assertEqual((process.returncode, process.stderr.read()), (0, ""))
        self.assertEqual(most, 3)


class Stopped(Command):
    def setUp(self):
        super().setUp()
        self.settings = ["--set", "lr=1e-3,4e-3", "--seeds", "2", "--epochs", "30"]

    def whole(self):
        self.done("train", "tiny", *self.settings, "--quiet", "--out", "whole")
        return {name: {file: read(f"whole/{name}/{file}") for file in RUN[:2]} for name in os.listdir("whole")
                if os.path.isdir(f"whole/{name}")}

    def begin(self):
        write("tiny.ini", read("tiny.ini").decode().replace("filters=4", "filters=24"))
        process = self.start("train", "tiny", *self.settings, "--out", "g", "--jobs", "2", "--threads", "4",
                             start_new_session=True)
        until = time.monotonic() + 60
        # With a second epoch the first one's checkpoint and times are there too.
        while not (os.path.isdir("g") and sum(self.whole_epochs(name) >= 2 for name in os.listdir("g")) >= 2):
            self.assertLess(time.monotonic(), until)
            self.assertIsNone(process.poll())
            time.sleep(0.005)
        return process

    @staticmethod
    def whole_epochs(name):
        path = f"g/{name}/metrics.jsonl"
        return len(read(path).splitlines()) if os.path.exists(path) else 0

    def children(self, process):
        """Numbers of its child processes, from the fourth field of /proc/PID/stat, behind a name in brackets."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                parent = read(f"/proc/{entry}/stat").decode("ascii", "replace").rpartition(")")[2].split()[1]
            except OSError:
                continue
            if int(parent) == process.pid:
                found.append(int(entry))
        return sorted(found)

    def goes_on(self):
        """What was stopped ends as what was not, whatever becomes of the recipe meanwhile."""
        write("tiny.ini", "nothing")
        done = json.loads(read("g/grid.json"))["done"]
        out = self.done("train", "--resume", "g", "--threads", "1")
        self.assertIn("1e-3 ", out)
        made = [line.split()[3] for line in out.splitlines() if " of 4  " in line]
        self.assertEqual(sorted(made + done), sorted(self.expected))
        for name, files in self.expected.items():
            for file, data in files.items():
                self.assertEqual(read(f"g/{name}/{file}"), data, (name, file))
        # Those that had begun went on from where they were.
        threads = [{json.loads(line)["threads"] for line in read(f"g/{name}/timing.jsonl").splitlines()} for name in made]
        self.assertIn({1, 2}, threads)
        # A second time there is nothing to do.
        self.assertEqual(sum(row["done"] for row in json.loads(self.done("train", "--resume", "g", "--json"))["settings"]), 4)

    def test_interrupted_and_continued(self):
        for number, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            shutil.rmtree("g", ignore_errors=True)
            process = self.begin()
            children = self.children(process)
            self.assertEqual(len(children), 2)
            # As a terminal does it: to all of the process group.
            os.killpg(process.pid, number)
            _, errors = process.communicate(timeout=60)
            self.assertEqual(process.returncode, code, errors)
            self.assertFalse([name for name in os.listdir("g") if os.path.exists(f"g/{name}/.stoa-lock")])
            self.assertRegex(errors, r"^stoa: interrupted: \d of 4 runs are done; stoa train --resume g continues\n$")
            self.assertFalse(any(lives(child) for child in children))
        self.expected = self.whole()
        self.goes_on()

    def test_a_run_that_was_removed_is_made_again(self):
        self.done("train", "tiny", "--seeds", "3", "--epochs", "1", "--out", "g")
        before = [read(f"g/{i}-seed={i + 2}/model.safetensors") for i in (1, 2, 3)]
        shutil.rmtree("g/1-seed=3")
        shutil.rmtree("g/3-seed=5")
        os.mkdir("g/3-seed=5")
        out = self.done("train", "--resume", "g")
        self.assertEqual([read(f"g/{i}-seed={i + 2}/model.safetensors") for i in (1, 2, 3)], before)
        self.assertRegex(out, r"\n[23] of 3  1-seed=3 +test")
        self.assertNotIn("2-seed=4", out)

    def test_a_killed_command_takes_its_runs_with_it(self):
        process = self.begin()
        children = self.children(process)
        process.kill()
        process.communicate(timeout=60)
        until = time.monotonic() + 30
        while any(lives(child) for child in children):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.01)
        self.assertTrue(all(last_of(f"g/{name}")["epoch"] < 30 for name in os.listdir("g") if os.path.isdir(f"g/{name}")))
        self.expected = self.whole()
        self.goes_on()

    def test_a_killed_run_is_named_and_made_good(self):
        process = self.begin()
        os.kill(self.children(process)[0], signal.SIGKILL)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, errors)
        self.assertRegex(errors, r"^stoa: \d-lr=\S+-seed=\d: killed by signal 9\nstoa: 1 of 4 runs in g failed\n$")
        self.assertEqual(len(json.loads(read("g/grid.json"))["done"]), 3)
        self.expected = self.whole()
        self.goes_on()

    def test_a_time_limit(self):
        write("tiny.ini", read("tiny.ini").decode().replace("filters=4", "filters=24"))
        self.expected = self.whole()
        self.settings[-1] = "100000"
        out = self.done("train", "tiny", *self.settings, "--out", "long", "--minutes", "0.01")
        self.assertRegex(out, r"\nstopped after 0\.01 minutes: 0 of 4 runs are done\nnext    stoa train --resume long\n$")

    def test_a_time_limit_of_one_run(self):
        out = self.done("train", "tiny", "--epochs", "100000", "--minutes", "0.01", "--out", "run")
        self.assertRegex(out, r"\nstopped after 0\.01 minutes, state saved: epoch \d+, step \d+ of \d+\n"
                              r"next    stoa train --resume run\n$")
        epochs = last_of("run")["epoch"]
        found = json.loads(self.done("train", "--resume", "run", "--minutes", "0.005", "--json"))
        self.assertEqual((found["epochs"], found["stopped"]), (100000, "minutes"))
        self.assertGreater(last_of("run")["epoch"], epochs)
        self.assertEqual(self.done("train", "tiny", "--minutes", "5", "--out", "b", "--quiet"), "")
        self.assertEqual(last_of("b")["epoch"], 2)
        found = json.loads(self.done("train", "tiny", "--minutes", "5", "--out", "c", "--json"))
        self.assertEqual((found["epochs"], found["stopped"]), (2, None))

    def test_refused_to_continue(self):
        self.done("train", "tiny", "--seeds", "2", "--epochs", "1", "--quiet", "--out", "g")
        self.refused("train", "--resume", "g", "--lr", "1", words=["--lr"])
        self.refused("train", "tiny", "--resume", "g", words=["'tiny'"])
        self.refused("train", "--resume", "g/1-seed=3", "--seeds", "2", words=["holds one run", "--seeds"])
        kept = read("g/grid.json").decode()
        for damaged in ("", "{", "[]", kept.replace('"version": 1', '"version": 2'), kept.replace('"--seeds=2"', "3"),
                        kept.replace("--seeds=2", "--sseeds=2"), kept.replace('"tiny.ini"', '"--", "x"')):
            write("g/grid.json", damaged)
            result = self.stoa("train", "--resume", "g")
            self.assertEqual((result.returncode, result.stdout), (2, ""), damaged)
            self.assertIn("grid.json", result.stderr)


if __name__ == "__main__":
    unittest.main()
