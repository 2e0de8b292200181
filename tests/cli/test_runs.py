# SPDX-License-Identifier: MIT
"""The folder of a run: whatever ends a run, and whenever, its model and its metrics are of the same epoch; nobody
writes into another's folder; what a killed run leaves goes. STOA_KILLS says how many runs are killed."""

import fcntl
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import time
import unittest

from support import BINARY, Command, files_of, read, safetensors_read, write

KILLS = int(os.environ.get("STOA_KILLS", "12"))
PAIR = ["metrics.jsonl", "model.safetensors"]
WHOLE = [*PAIR, "timing.jsonl"]
LOCK, MODEL_NEW, METRICS_NEW = ".stoa-lock", "model.safetensors.new", "metrics.jsonl.new"


def epoch_of_model(path):
    header, _ = safetensors_read(path)
    return int(json.loads(header["__metadata__"]["stoa"])["facts"]["train.epoch"])


def epochs(folder):
    """Of the lines of metrics, which have to be whole."""
    text = read(f"{folder}/metrics.jsonl").decode()
    assert text.endswith("\n"), text
    return [json.loads(line)["epoch"] for line in text.splitlines()]


class Runs(Command):
    def assert_pair(self, folder):
        """Model and metrics are of one epoch, and the metrics have a line for each up to it."""
        found = epochs(folder)
        self.assertEqual(found, list(range(1, len(found) + 1)))
        self.assertEqual(epoch_of_model(f"{folder}/model.safetensors"), len(found))
        return len(found)

    def wait_for(self, condition, process=None):
        until = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), until)
            self.assertTrue(process is None or process.poll() is None)
            time.sleep(0.002)

    def begin(self, *arguments, epochs=100000, out="run"):
        return self.start("train", "tiny", "--epochs", str(epochs), "--threads", "1", "--quiet", "--out", out,
                          *arguments)

    def end(self, process, code):
        output, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, code, output + errors)
        return errors

    # ---- one commit point ----

    def kill_at_random(self, count, *arguments, before=None, older=b""):
        """Kill so many runs at random moments, half of them after their first epoch, and yield after each."""
        chance = random.Random(17)
        for i in range(count):
            shutil.rmtree("run", ignore_errors=True)
            if before:
                before()
            process = self.begin(*arguments)
            if i % 2:
                self.wait_for(lambda: os.path.exists("run/metrics.jsonl") and read("run/metrics.jsonl") != older)
            time.sleep(chance.uniform(0, 0.12))
            process.kill()
            self.end(process, -signal.SIGKILL)
            yield

    def test_killed_at_any_moment(self):
        done = 0
        for _ in self.kill_at_random(KILLS):
            if not os.path.exists("run/model.safetensors"):
                self.assertFalse(os.path.exists("run/metrics.jsonl"))
                continue
            self.done("info", "run")
            done += self.assert_pair("run") > 0
            self.done("train", "tiny", "--epochs", "1", "--quiet", "--out", "run", "--force")
            self.assertEqual(files_of("run"), WHOLE)
            self.assertEqual(self.assert_pair("run"), 1)
        self.assertGreater(done, KILLS // 4)

    def test_killed_over_an_older_run(self):
        self.done("train", "tiny", "--epochs", "3", "--seed", "9", "--quiet", "--out", "old")
        old = {name: read(f"old/{name}") for name in os.listdir("old")}
        seen = set()
        for _ in self.kill_at_random(KILLS, "--force", before=lambda: shutil.copytree("old", "run"),
                                     older=old["metrics.jsonl"]):
            self.done("info", "run")
            new = {name: read(f"run/{name}") for name in os.listdir("run") if name in old}
            done = {name for name in PAIR if new.get(name) != old[name]}
            if done:
                left = {name for name in new if new[name] == old[name]}
                self.assertLessEqual(left, {"timing.jsonl", "recipe.ini", "run.json"})
                self.assertNotIn(read("run/metrics.jsonl").splitlines()[0], old["metrics.jsonl"])
                self.assert_pair("run")
            seen.add(not done)
        self.assertIn(False, seen)

    def leave(self, folder, model, metrics, **new):
        """A folder as a run that was killed between two steps of an epoch's end leaves it."""
        shutil.rmtree(folder, ignore_errors=True)
        for name, data in ((".stoa-lock", b""), ("model.safetensors", model), ("metrics.jsonl", metrics),
                           (MODEL_NEW, new.get("model_new")), (METRICS_NEW, new.get("metrics_new"))):
            if data is not None:
                write(f"{folder}/{name}", data)

    def test_every_state_of_a_commit_is_finished_or_taken_back(self):
        models, lines = {}, []
        for count in (1, 2, 3):
            self.done("train", "tiny", "--epochs", str(count), "--quiet", "--out", f"of{count}")
            models[count] = read(f"of{count}/model.safetensors")
        lines = [line + b"\n" for line in read("of3/metrics.jsonl").splitlines()]
        two, three = b"".join(lines[:2]), b"".join(lines)
        cases = [
            # model, metrics, what waits, then the epoch that the run has
            (models[2], two, {"model_new": models[3]}, 2),
            (models[2], two, {"model_new": models[3], "metrics_new": b""}, 2),
            (models[2], two, {"model_new": models[3], "metrics_new": lines[2][:40]}, 2),
            (models[2], two, {"model_new": models[3], "metrics_new": lines[2]}, 2),
            (models[3], two, {"metrics_new": lines[2]}, 3),
            (models[3], two + lines[2][:31], {"metrics_new": lines[2]}, 3),
            (models[3], three, {"metrics_new": lines[2]}, 3),
            (models[3], lines[0], {"metrics_new": lines[1] + lines[2]}, 3),
            (models[3], two, {"metrics_new": lines[1] + lines[2]}, 3),
            (models[1], three, {"metrics_new": lines[0]}, 1),
            (models[1], None, {"metrics_new": lines[0]}, 1),
            (models[3], three, {"metrics_new": b""}, 3),
        ]
        readers = [["info", "run"], ["eval", "run"], ["plan", "./run"]]
        for i, (model, metrics, new, epoch) in enumerate(cases):
            self.leave("run", model, metrics, **new)
            self.done(*readers[i % len(readers)])
            self.assertEqual(files_of("run"), PAIR, (new, epoch))
            self.assertEqual(self.assert_pair("run"), epoch, new)

    def test_a_reader_leaves_a_run_that_goes_on_alone(self):
        process = self.begin()
        self.wait_for(lambda: os.path.exists("run/metrics.jsonl"), process)
        for _ in range(5):
            self.done("info", "run")
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        self.assertIn("state saved", self.end(process, 143))
        self.assert_pair("run")

    def test_a_model_in_a_folder_that_cannot_be_written_is_read(self):
        model = read(self.model("one.safetensors"))
        self.leave("run", model, b"", model_new=model, metrics_new=b"")
        os.remove("run/.stoa-lock")
        os.chmod("run", 0o555)
        self.addCleanup(os.chmod, os.path.abspath("run"), 0o755)
        self.done("info", "run")

    # ---- one run at a time ----

    def test_eight_runs_into_one_folder(self):
        for arguments in ([], ["--force"]):
            processes = [self.begin(*arguments, epochs=60, out=f"shared{len(arguments)}/run") for _ in range(8)]
            results = [(process, *process.communicate(timeout=120)) for process in processes]
            done = [process for process, _, _ in results if process.returncode == 0]
            if not arguments:
                self.assertEqual(len(done), 1)
            self.assertGreaterEqual(len(done), 1)
            for process, _, errors in results:
                if process.returncode:
                    self.assertEqual(process.returncode, 2, errors)
                    self.assertEqual(errors.count("\n"), 1, errors)
                    self.assertRegex(
                        errors, r"stoa: shared./run: (in use by process \d+|found a (run|folder that is not empty)), ")
            self.assertEqual(files_of(f"shared{len(arguments)}/run"), WHOLE)
            self.assertEqual(self.assert_pair(f"shared{len(arguments)}/run"), 60)

    def test_the_second_run_is_told_whose_the_folder_is(self):
        process = self.begin()
        self.wait_for(lambda: os.path.exists("run/metrics.jsonl"), process)
        for arguments in ([], ["--force"]):
            result = self.stoa("train", "tiny", "--out", "run/", *arguments)
            self.assertEqual((result.returncode, result.stdout), (2, ""))
            self.one_line(result, "run: in use by process", str(process.pid))
        process.kill()
        self.end(process, -signal.SIGKILL)
        self.assertIn(LOCK, os.listdir("run"))
        self.done("train", "tiny", "--epochs", "1", "--out", "run", "--force")
        self.assertEqual(files_of("run"), WHOLE)

    def test_runs_without_a_name_never_share_a_folder(self):
        processes = [self.start("train", "tiny", "--epochs", "3", "--quiet") for _ in range(6)]
        for process in processes:
            self.assertEqual(self.end(process, 0), "")
        self.assertEqual(files_of("runs"), [f"tiny-{i}" for i in range(1, 7)])
        for i in range(1, 7):
            self.assertEqual(files_of(f"runs/tiny-{i}"), WHOLE)
            self.assertEqual(self.assert_pair(f"runs/tiny-{i}"), 3)

    # ---- what killed runs leave ----

    def test_leftovers_do_not_block_and_go(self):
        leftovers = {".stoa-4194300-0.tmp": b"half a model", LOCK: b"", METRICS_NEW: b"", MODEL_NEW: b"half"}
        for name in leftovers:
            write(f"run/{name}", leftovers[name])
            self.done("train", "tiny", "--epochs", "1", "--quiet", "--out", "run")
            self.assertEqual(files_of("run"), WHOLE)
            shutil.rmtree("run")
        for name, data in leftovers.items():
            write(f"run/{name}", data)
        self.done("train", "tiny", "--epochs", "1", "--quiet", "--out", "run")
        self.assertEqual(files_of("run"), WHOLE)

    def test_only_leftovers_go(self):
        theirs = [".stoa-notes.tmp", ".stoa-", ".stoa-1-2.tmp.txt", "stoa-1-2.tmp", "metrics.jsonl.news", ".stoa-1-2"]
        for name in theirs:
            write(f"run/{name}", "mine")
            self.refused("train", "tiny", "--out", "run", words=["run", "not empty", "--force"])
        self.done("train", "tiny", "--epochs", "1", "--quiet", "--out", "run", "--force")
        self.assertEqual(files_of("run"), sorted(WHOLE + theirs))

    def test_a_temporary_file_that_is_being_written_stays(self):
        write("run/.stoa-5-6.tmp", "half")
        with open("run/.stoa-5-6.tmp", "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            self.done("train", "tiny", "--epochs", "1", "--quiet", "--out", "run")
            self.assertIn(".stoa-5-6.tmp", os.listdir("run"))
        self.done("train", "tiny", "--epochs", "1", "--quiet", "--out", "run", "--force")
        self.assertEqual(files_of("run"), WHOLE)

    def test_the_number_of_a_killed_run_is_free(self):
        write(f"runs/tiny-1/{LOCK}", "")
        write("runs/tiny-1/.stoa-7-0.tmp", "half")
        os.makedirs("runs/tiny-2")
        self.done("train", "tiny", "--epochs", "1", "--quiet")
        self.assertEqual(files_of("runs/tiny-1"), WHOLE)
        self.done("train", "tiny", "--epochs", "1", "--quiet")
        self.assertEqual((os.listdir("runs/tiny-2"), files_of("runs/tiny-3")), ([], WHOLE))

    # ---- saves that fail ----

    def limited(self, bytes_, *arguments):
        return self.stoa(*arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, bytes_)))

    def test_a_file_size_limit_is_an_error_of_the_save(self):
        for arguments in (["--epochs", "1"], ["--epochs", "3"]):
            before = self.snapshot()
            result = self.limited(1024, "train", "tiny", "--quiet", "--out", "deep/run", *arguments)
            self.assertEqual(result.returncode, 1, result.stderr)
            lines = result.stderr.splitlines()
            self.assertEqual(len(lines), int(arguments[1]), lines)
            for i, line in enumerate(lines[:-1]):
                self.assertIn(f"File too large; epoch {i + 1} is not saved, the next one tries again", line)
            self.assertRegex(lines[-1], r"^stoa: deep/run/model.*: cannot write: File too large; no epoch is saved$")
            self.assertEqual(self.snapshot(), before)
        self.done("train", "tiny", "--epochs", "2", "--quiet", "--out", "run")
        before = self.snapshot()
        result = self.limited(1024, "train", "tiny", "--quiet", "--epochs", "1", "--out", "run", "--force")
        self.assertEqual(result.returncode, 1, result.stderr)
        self.one_line(result, "File too large", "no epoch is saved")
        self.assertEqual(self.snapshot(), before)

    def test_metrics_that_cannot_grow(self):
        """The model fits and the metrics do not: the run ends with 1 and both are of one epoch."""
        size = len(read(self.model("one.safetensors"))) + 200
        result = self.limited(size, "train", "tiny", "--quiet", "--epochs", str(size // 80), "--out", "run")
        self.assertEqual(result.returncode, 1, result.stderr)
        last = result.stderr.splitlines()[-1]
        self.assertIn("metrics.jsonl: cannot write: File too large", last)
        self.assertIn("holds the model, metrics.jsonl.new its last metrics", last)
        self.done("info", "run")
        self.assert_pair("run")
        self.assertEqual(files_of("run"), WHOLE)

    def test_a_full_disk(self):
        model = len(read(self.model("one.safetensors")))
        os.makedirs("disk")
        script = (f"mount -t tmpfs -o size={2 * model + 40960} none disk || exit 77\n"
                  '"$0" train tiny --epochs 2 --quiet --out disk/run || exit 99\n'
                  'cat /dev/zero > disk/filler\n'
                  '"$0" train tiny --epochs 1 --seed 5 --quiet --out disk/run --force; echo "code $?"\n'
                  'rm disk/filler; ls -A disk/run | grep -v -e ^checkpoint- -e ^recipe.ini -e ^run.json; wc -l < disk/run/metrics.jsonl; "$0" info disk/run | grep train.epoch')
        result = subprocess.run(["unshare", "-rm", "sh", "-c", script, BINARY], env=self.environment(), check=False,
                                capture_output=True, text=True, timeout=60)
        if result.returncode == 77 or "unshare" in result.stderr:
            self.skipTest("no file system can be mounted here")
        self.assertEqual(result.stdout.split(), ["code", "1", *WHOLE, "2", "train.epoch", "2"], result.stderr)
        self.assertRegex(result.stderr.splitlines()[-1],
                         "^stoa: disk/run.*: No space left on device(; no epoch is saved)?$")

    def test_a_save_that_fails_once_is_made_good(self):
        for held in (False, True):
            out = f"run{held}"
            if held:
                write("tiny.ini", read("tiny.ini").decode() + "validation = 0.2\nkeep_best = true\n")
            process = self.begin(epochs=400, out=out)
            self.wait_for(lambda: os.path.exists(f"{out}/metrics.jsonl"), process)
            # Nothing can be saved over a folder.
            made = False
            while not made:
                try:
                    os.mkdir(f"{out}/{MODEL_NEW}")
                    made = True
                except FileExistsError:
                    pass
            line = process.stderr.readline()
            self.assertRegex(line, rf"^stoa: {out}/.*; epoch \d+ is not saved, the next one tries again\n$")
            os.rmdir(f"{out}/{MODEL_NEW}")
            self.end(process, 0)
            self.assertEqual(files_of(out), WHOLE)
            self.assertEqual(epochs(out), list(range(1, 401)))
            best = [json.loads(text) for text in read(f"{out}/metrics.jsonl").splitlines()]
            epoch = [text["epoch"] for text in best if text.get("best", True)][-1]
            self.assertEqual(epoch_of_model(f"{out}/model.safetensors"), epoch)

    def test_the_last_sentence_says_what_is_saved(self):
        process = self.begin(epochs=60)
        self.wait_for(lambda: os.path.exists("run/metrics.jsonl"), process)
        while not os.path.isdir(f"run/{MODEL_NEW}"):
            try:
                os.mkdir(f"run/{MODEL_NEW}")
            except FileExistsError:
                pass
        errors = self.end(process, 1).splitlines()
        os.rmdir(f"run/{MODEL_NEW}")
        self.assertEqual(files_of("run"), WHOLE)
        self.assertIn(f"run holds epoch {self.assert_pair('run')}, the later ones are lost", errors[-1])


if __name__ == "__main__":
    unittest.main()
