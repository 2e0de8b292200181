# SPDX-License-Identifier: MIT
"""Continuing a run: whatever has ended it, model and metrics are those of a run that nobody disturbed, and a request that
is not the run's is refused. kill_resume.py kills runs at random moments."""

import json
import os
import resource
import shutil
import signal
import time
import unittest

from support import RECIPE, Command, checkpoints, files_of, make_set, read, write

STEPS = 10  # of an epoch: 300 images in batches of 32
HELD = "validation = 0.2\nkeep_best = true\naverage = 0.5\naugment = shift=1\n"


def results(folder):
    return read(f"{folder}/model.safetensors"), read(f"{folder}/metrics.jsonl")


def epochs(folder):
    return [json.loads(line)["epoch"] for line in read(f"{folder}/metrics.jsonl").splitlines()]


class Resume(Command):
    def train(self, out, *arguments, recipe="tiny", epochs=4):
        return self.done("train", recipe, "--epochs", str(epochs), "--out", out, *arguments)

    def cut_short(self, out, *arguments, recipe="tiny", epochs=4, keep="100", to=None):
        """A run as if it had been killed: with the checkpoints up to this step, by default those before the last epoch.
        Its model and metrics stay those of its end."""
        self.train(out, "--checkpoint-every", "3", "--keep", keep, *arguments, recipe=recipe, epochs=epochs)
        for step in checkpoints(out):
            if step > (STEPS * (epochs - 1) + 3 if to is None else to):
                os.remove(f"{out}/checkpoint-{step}.safetensors")
        return out

    def assert_same(self, folder, other):
        for name, one, two in zip(("model", "metrics"), results(folder), results(other)):
            self.assertEqual(one, two, f"{name} of {folder} and {other}")

    # ---- going on ----

    def test_interrupted_in_the_middle_of_an_epoch(self):
        """With averages, augmentation and the best model kept, on other threads; twice."""
        write("held.ini", RECIPE.replace("r1 = relu", "r1 = relu\nd1 = dropout p=0.3") + HELD)
        self.train("whole", recipe="held", epochs=40)
        process = self.start("train", "held", "--epochs", "40", "--out", "run", "--threads", "1")
        for number, options in ((signal.SIGINT, ["--threads", "3"]), (signal.SIGTERM, ["--threads", "2"])):
            until = time.monotonic() + 60
            before = epochs("run") if os.path.exists("run/metrics.jsonl") else []
            while (epochs("run") if os.path.exists("run/metrics.jsonl") else []) == before:
                self.assertLess(time.monotonic(), until)
                time.sleep(0.002)
            process.send_signal(number)
            output, errors = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 128 + number, output + errors)
            self.assertRegex(errors, r"^stoa: interrupted, state saved: epoch \d+, step \d+ of \d+; "
                                     r"stoa train --resume run continues\n$")
            process = self.start("train", "--resume", "run", *options)
        output, errors = process.communicate(timeout=120)
        self.assertEqual((process.returncode, errors), (0, ""), output)
        self.assertRegex(output, r"continues run after step \d+, \d+ of 40 epochs are done")
        self.assert_same("run", "whole")

    def test_interrupted_in_the_first_epoch(self):
        # Drawn digits, so many that the first epoch lasts for seconds, whatever else runs.
        write("long.ini", RECIPE.replace("set = blobs", "set = digits").replace("filters=4 kernel=5 stride=2",
                                                                                "filters=12 kernel=5 stride=2"))
        process = self.start("train", "long", "--epochs", "100000", "--batch", "1", "--out", "run")
        until = time.monotonic() + 60
        while not os.path.exists("run/.stoa-lock"):
            self.assertLess(time.monotonic(), until)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors)
        self.assertEqual(len(checkpoints("run")), 1)
        self.assertEqual(files_of("run"), [])
        self.assertNotIn("checkpoint", self.done("train", "--resume", "run", "--epochs", "1"))
        self.assertEqual(epochs("run"), [1])
        self.refused("train", "tiny", "--out", "run", words=["run: found a run", "--resume run", "--force"])
        # Its number is not free: nobody begins over a run that can be continued.
        shutil.move("run", "runs/tiny-1") if os.makedirs("runs") is None else None
        self.done("train", "tiny", "--epochs", "1")
        self.assertEqual(sorted(os.listdir("runs")), ["tiny-1", "tiny-2"])

    def test_interrupted_between_an_epochs_last_step_and_its_end(self):
        """The first epoch is one long step; what goes on behind it has seen no step, and judges no loss by it."""
        write("step.ini", RECIPE.replace("set = blobs", "set = digits").replace("filters=4 kernel=5 stride=2",
                                                                                "filters=12 kernel=5 stride=2"))
        process = self.start("train", "step", "--epochs", "2", "--batch", "9600", "--out", "run")
        until = time.monotonic() + 60
        while not os.path.exists("run/.stoa-lock"):
            self.assertLess(time.monotonic(), until)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors)
        self.assertIn("epoch 1, step 1 of 1;", errors)
        self.assertEqual((checkpoints("run"), files_of("run")), ([1], []))
        result = self.stoa("train", "--resume", "run")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(epochs("run"), [1, 2])

    def test_every_checkpoint_leads_to_the_same_end(self):
        self.cut_short("run", to=10**9)
        shutil.copytree("run", "whole")
        steps = checkpoints("run")
        self.assertEqual(steps, [3, 6, 9, 10, 13, 16, 19, 20, 23, 26, 29, 30, 33, 36, 39, 40])
        for step in steps[::3]:
            shutil.rmtree("run")
            shutil.copytree("whole", "run")
            for later in steps:
                if later > step:
                    os.remove(f"run/checkpoint-{later}.safetensors")
            self.done("train", "--resume", "run", "--quiet")
            self.assert_same("run", "whole")
            self.assertEqual(len(read("run/timing.jsonl").splitlines()), 4)

    def test_later_files_stay_until_an_epoch_takes_their_place(self):
        self.cut_short("run", to=13)
        before = results("run")
        self.stoa("train", "--resume", "run", "--lr", "1e30", "--quiet")
        self.assertEqual(results("run"), before)
        # What was made before the checkpoint was another's: it goes with the first epoch that is made again.
        lines = before[1].splitlines(keepends=True)
        write("run/metrics.jsonl", b"".join(lines[:1] + [lines[3].replace(b'"epoch": 4', b'"epoch": 2')] + lines[2:]))
        self.done("train", "--resume", "run", "--quiet")
        self.assertEqual(results("run"), before)

    def test_a_best_model_of_a_later_epoch_does_not_stay(self):
        """The folder's model is not the run's, and no epoch that is made again is better than the checkpoint's best."""
        write("held.ini", RECIPE.replace("lr = 5e-3", "lr = 3e-2") + HELD)
        self.cut_short("run", recipe="held", epochs=6, to=10**9)
        shutil.copytree("run", "whole")
        best = json.loads(self.done("info", "run", "--json"))["facts"]["train.epoch"]
        for step in checkpoints("run"):
            if step > 8 * int(best) + 1:  # 240 images are trained
                os.remove(f"run/checkpoint-{step}.safetensors")
        write("run/model.safetensors", read("run/" + f"checkpoint-{checkpoints('run')[0]}.safetensors"))
        self.done("train", "--resume", "run", "--quiet")
        self.assert_same("run", "whole")

    def test_a_model_that_is_gone_is_made_again(self):
        """Behind the last checkpoint of a run that is not at its end, and of one that is."""
        write("held.ini", RECIPE + HELD)
        for recipe in "tiny", "held":
            for to in (13, 10**9):
                shutil.rmtree("run", ignore_errors=True)
                self.cut_short("run", recipe=recipe, to=to)
                model = read("run/model.safetensors")
                os.remove("run/model.safetensors")
                self.done("train", "--resume", "run", "--quiet")
                self.assertEqual(read("run/model.safetensors"), model, (recipe, to))

    def test_damaged_checkpoints_are_named_and_older_ones_taken(self):
        self.cut_short("run")
        shutil.copytree("run", "whole")
        steps = checkpoints("run")
        whole = read(f"run/checkpoint-{steps[-1]}.safetensors")
        bit = bytearray(whole)
        bit[len(bit) * 3 // 4] ^= 1
        for data in (b"", whole[:100], whole[:-4], bytes(bit), b"\0" * len(whole), self.without_state(steps[-1])):
            shutil.rmtree("run")
            shutil.copytree("whole", "run")
            write(f"run/checkpoint-{steps[-1]}.safetensors", data)
            result = self.stoa("train", "--resume", "run")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.one_line(result, f"run/checkpoint-{steps[-1]}.safetensors: ",
                          f"; taking run/checkpoint-{steps[-2]}.safetensors")
            self.assertIn(f"after step {steps[-2]},", result.stdout)
            self.assert_same("run", "whole")
            self.assertNotEqual(read(f"run/checkpoint-{checkpoints('run')[-1]}.safetensors"), data)

    def without_state(self, step):
        """The checkpoint as a plain model."""
        self.done("info", f"run/checkpoint-{step}.safetensors")
        return read("run/model.safetensors")

    def test_nothing_to_continue_from(self):
        self.cut_short("run", keep="2", to=10**9)
        for step in checkpoints("run"):
            write(f"run/checkpoint-{step}.safetensors", b"damaged")
        before = self.snapshot()
        result = self.stoa("train", "--resume", "run")
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertEqual(len(result.stderr.splitlines()), 2, result.stderr)
        self.assertIn("there is no older one", result.stderr)
        self.assertEqual(self.snapshot(), before)

    def test_missing_lines_of_metrics(self):
        self.cut_short("run")
        shutil.copytree("run", "whole")
        lines = read("run/metrics.jsonl").splitlines(keepends=True)
        write("run/metrics.jsonl", b"".join(lines[:1]) + lines[1][:20])
        result = self.stoa("train", "--resume", "run")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("lines of earlier epochs are missing; taking run/checkpoint-", result.stderr)
        self.assert_same("run", "whole")
        os.remove("run/metrics.jsonl")
        for step in checkpoints("run"):
            if step < STEPS:
                os.remove(f"run/checkpoint-{step}.safetensors")
        result = self.stoa("train", "--resume", "run")
        self.assertEqual(result.returncode, 2, result.stderr)
        self.assertIn("there is no older one", result.stderr.splitlines()[-1])

    # ---- complete runs, more epochs ----

    def test_a_complete_run_says_so(self):
        self.train("run")
        before = self.snapshot()
        self.assertEqual(self.done("train", "--resume", "run/"),
                         "run is complete with 4 epochs; --epochs goes on to a larger number\n")
        self.assertEqual(self.done("train", "--resume", "run", "--quiet", "--epochs", "4"), "")
        self.assertEqual(self.snapshot(), before)
        self.refused("train", "--resume", "run", "--epochs", "3", words=["epochs", "4", "3"])

    def test_a_run_that_stopped_early_is_complete(self):
        write("held.ini", RECIPE + "validation = 0.2\npatience = 2\nmin_delta = 100\n")
        self.train("run", recipe="held", epochs=9)
        before = results("run")
        for more in ([], ["--epochs", "20"]):
            self.assertIn("run is complete with 3 epochs; it stopped as validation did not get better",
                          self.done("train", "--resume", "run", *more))
        self.assertEqual(json.loads(self.done("train", "--resume", "run", "--json"))["stopped"], "patience")
        for step in checkpoints("run")[-1:]:
            os.remove(f"run/checkpoint-{step}.safetensors")
        self.assertIn("stopped after epoch 3", self.done("train", "--resume", "run"))
        self.assertEqual(results("run"), before)

    def test_more_epochs(self):
        """They give what a longer run gives, facts included."""
        self.train("whole", epochs=5)
        self.train("run", epochs=2)
        self.assertIn("2 of 5 epochs are done", self.done("train", "tiny", "--resume", "run", "--epochs", "5"))
        self.assert_same("run", "whole")

    def test_more_epochs_of_a_schedule_that_goes_over_all(self):
        write("tiny.ini", RECIPE + "schedule = one_cycle\n")
        self.train("run", epochs=2)
        result = self.stoa("train", "--resume", "run", "--epochs", "4")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.one_line(result, "note: 4 epochs instead of 2: schedule 'one_cycle'", "goes on from where it is")
        self.assertEqual(epochs("run"), [1, 2, 3, 4])

    # ---- requests that are not the run's ----

    def test_the_runs_own_request_is_no_other(self):
        arguments = ["--lr", "4e-3", "--batch", "50", "--seed", "9"]
        self.train("whole", *arguments)
        self.cut_short("run", *arguments, to=12)
        self.done("train", "./tiny.ini", "--resume", "run", "--lr", "0.004", "--batch", "50", "--seed", "9", "--keep", "1")
        self.assert_same("run", "whole")
        self.assertEqual(len(checkpoints("run")), 1)

    def test_a_default_may_be_said_or_not(self):
        write("short.ini", RECIPE.replace("seed = 3\n", ""))
        write("said.ini", RECIPE.replace("seed = 3\n", "seed = 0\nschedule = constant\naverage = 0.0\n"))
        self.train("run", recipe="short", epochs=1)
        for recipe, more in (("said", []), ("short", ["--seed", "0", "--set", "data.test=2e-1"])):
            self.done("train", recipe, "--resume", "run", *more)
        self.train("other", recipe="said", epochs=1)
        self.done("train", "short", "--resume", "other")
        self.refused("train", "short", "--resume", "other", "--set", "average=0.5", words=["found 0.5, expected 0.0"])

    def test_other_requests_are_named(self):
        self.cut_short("run")
        write("other.ini", RECIPE.replace("lr = 5e-3", "lr = 6e-3").replace("filters=4", "filters=5") + "clip_norm = 1\n")
        write("short.ini", RECIPE.replace("seed = 3\n", ""))
        write("turned.ini", RECIPE.replace("[model]\ninput = 28x28x1\nc1 = conv2d filters=4 kernel=5 stride=2\nr1 = relu\n",
                                           "[model]\ninput = 28x28x1\nr1 = relu\nc1 = conv2d filters=4 kernel=5 stride=2\n"))
        for arguments, words in (
                (["--lr", "1e-3"], ["train.lr: found ", "expected 5e-3"]),
                (["--batch", "31"], ["train.batch: found 31, expected 32"]),
                (["--seed", "4"], ["train.seed: found 4, expected 3"]),
                (["--split-seed", "4"], ["split_seed: found 4, expected 0"]),
                (["--layout", "nchw"], ["layout: found nchw, expected auto"]),
                (["--out", "elsewhere"], ["--out: found beside --resume"]),
                (["--force"], ["--force: found beside --resume"]),
                (["other"], ["model.c1: found conv2d filters=5", "train.lr: found 6e-3, expected 5e-3",
                             "train.clip_norm: found 1, expected 0"]),
                (["short"], ["train.seed: found 0, expected 3"]),
                (["turned"], ["layers come in another order"]),
                (["missing"], ["missing: no such recipe"]),
                (["--checkpoint-every", "soon"], ["--checkpoint-every: found 'soon', expected"]),
                (["--checkpoint-every", "0"], ["found '0'"]),
                (["--checkpoint-every", "-5m"], ["found '-5m'"]),
                (["--checkpoint-every", "m"], ["found 'm'"]),
                (["--keep", "0"], ["--keep: found '0'"])):
            self.refused("train", "--resume", "run", *arguments, words=words)

    def test_no_run(self):
        os.makedirs("empty")
        write("file", "")
        write("notes/notes.txt", "mine")
        self.refused("train", "--resume", "nowhere", words=["--resume", "nowhere", "expected the folder of a run"])
        self.refused("train", "--resume", "file", words=["--resume", "file", "expected the folder of a run"])
        for folder in "empty", "notes":
            self.refused("train", "--resume", folder, words=[folder, "found no checkpoint-STEP.safetensors"])
        self.refused("train", words=["train: RECIPE missing"])

    def test_a_run_that_goes_on(self):
        process = self.start("train", "tiny", "--epochs", "100000", "--out", "run", "--quiet")
        until = time.monotonic() + 60
        while not os.path.exists("run/metrics.jsonl"):
            self.assertLess(time.monotonic(), until)
            time.sleep(0.01)
        result = self.stoa("train", "--resume", "run")
        self.assertEqual(result.returncode, 2)
        self.one_line(result, "run: in use by process", str(process.pid))
        process.kill()
        process.communicate(timeout=60)

    # ---- other data, another build ----

    def test_other_data_are_named(self):
        self.cut_short("run")
        images = read("data/blobs/train-images-idx3-ubyte")
        write("data/blobs/train-images-idx3-ubyte", images[:-5] + bytes([images[-5] ^ 1]) + images[-4:])
        self.refused("train", "--resume", "run", words=["data"])
        make_set("data/blobs", train=301)
        self.refused("train", "--resume", "run", words=["data", "30"])

    def test_data_that_moved(self):
        self.cut_short("run")
        shutil.copytree("run", "whole")
        os.rename("data/blobs", "elsewhere")
        self.refused("train", "--resume", "run", words=["blobs: no such data set"])
        self.done("train", "--resume", "run", "--data", "elsewhere", "--quiet")
        self.assertEqual(read("run/metrics.jsonl"), read("whole/metrics.jsonl"))
        facts = [json.loads(self.done("info", folder, "--json"))["facts"] for folder in ("run", "whole")]
        self.assertEqual(facts[0].pop("data.path"), os.path.abspath("elsewhere"))
        self.assertEqual(facts[0], facts[1])

    def test_what_a_run_began_with_is_not_needed_again(self):
        self.model("given.safetensors")
        self.train("whole", "--init", "given.safetensors")
        self.cut_short("run", "--init", "given.safetensors")
        os.remove("given.safetensors")
        os.remove("tiny.ini")
        self.refused("train", "--resume", "run", "--init", "whole", words=["--init: found beside --resume"])
        self.done("train", "--resume", "run", "--quiet")
        self.assert_same("run", "whole")

    def test_data_given_by_path_are_found_again(self):
        os.rename("data/blobs", "elsewhere")
        self.train("whole", "--data", "elsewhere")
        self.cut_short("run", "--data", "elsewhere")
        self.done("train", "--resume", "run", "--quiet")
        self.assert_same("run", "whole")

    def test_another_build_is_named(self):
        if os.environ.get("STOA_CPU") == "base":
            self.skipTest("there is nothing below")
        self.cut_short("run")
        for change, word in (({"STOA_CPU": "base"}, "base"), ({"STOA_POLICY": "exact"}, "exact"),
                             ({"STOA_TUNING": "generic-base"}, "now generic-base")):
            shutil.rmtree(word, ignore_errors=True)
            shutil.copytree("run", word)
            result = self.stoa("train", "--resume", word, env=change)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.one_line(result, "note: ", word, "the last bits may differ")
            self.assertEqual(epochs(word), [1, 2, 3, 4])

    # ---- checkpoints ----

    def test_the_last_are_kept(self):
        for keep, expected in (("1", [20]), ("3", [18, 19, 20])):
            self.train(f"k{keep}", "--keep", keep, "--checkpoint-every", "1", epochs=2)
            self.assertEqual(checkpoints(f"k{keep}"), expected)
        self.train("default", epochs=5)
        # Epochs of milliseconds: the first has a checkpoint and the last, and all where a rhythm is asked for.
        steps = checkpoints("default")
        self.assertEqual((len(steps), steps[-1]), (2, 50))
        self.train("all", "--checkpoint-every", "2h", "--keep", "9", epochs=5)
        self.assertEqual(checkpoints("all"), [10, 20, 30, 40, 50])
        self.train("few", "--keep", "200", epochs=200)
        self.assertLess(len(checkpoints("few")), 100)
        self.assertEqual(checkpoints("few")[-1], 2000)
        for every in "2h", "0.5m", "1e6s":
            self.train("seldom", "--checkpoint-every", every, "--keep", "9", "--force", epochs=1)
            self.assertEqual(checkpoints("seldom"), [10])
        self.train("often", "--checkpoint-every", "0.001s", "--keep", "1000", "--batch", "1", epochs=1)
        self.assertGreater(len(checkpoints("often")), 2)

    def limited(self, *arguments):
        """The command where models fit, but no state of a training."""
        most = 2 * len(read(self.model("one.safetensors")))
        return self.stoa(*arguments, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))

    def test_a_checkpoint_that_cannot_be_saved(self):
        """It is told of, the one before stays, and the run goes on to its end; an older run's do not stay."""
        self.cut_short("run", to=13)
        self.train("whole")
        for arguments in (["--resume", "run"], ["tiny", "--epochs", "4", "--out", "run", "--force"]):
            result = self.limited("train", "--quiet", "--checkpoint-every", "2h", *arguments)
            self.assertEqual(result.returncode, 0, result.stderr)
            first = 2 if "--resume" in arguments else 1
            for i, line in enumerate(result.stderr.splitlines()):
                self.assertRegex(line, rf"^stoa: run/checkpoint-{10 * (first + i)}\.safetensors(\.new)?: cannot write: File "
                                       rf"too large; the state of epoch {first + i}, step 10 is not saved$")
            self.assertEqual(len(result.stderr.splitlines()), 5 - first)
            self.assert_same("run", "whole")
            self.assertEqual(checkpoints("run"), [3, 6, 9, 10, 13] if "--resume" in arguments else [])
        self.refused("train", "--resume", "run", words=["run: found no checkpoint"])

    def test_an_interruption_that_cannot_be_saved(self):
        most = 2 * len(read(self.model("one.safetensors")))
        for before in (False, True):
            if before:
                self.cut_short("run", to=13)
            process = self.start("train", "--epochs", "100000", *(["--resume", "run"] if before else ["tiny", "--out", "run"]),
                                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))
            process.stdout.readline()
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
            self.assertEqual(process.returncode, 1, errors)
            end = "stoa train --resume run continues from an earlier one" if before else "no checkpoint is there"
            self.assertRegex(errors.splitlines()[-1], f"^stoa: interrupted, state not saved: run/check.*: File too large; {end}$")
            shutil.rmtree("run", ignore_errors=True)

    def test_checkpoints_wait_for_their_epoch(self):
        """Nothing can be saved over a folder: no checkpoint is newer than the model, and the run is continued."""
        self.train("whole", epochs=60)
        process = self.start("train", "tiny", "--epochs", "60", "--out", "run", "--quiet", "--checkpoint-every", "2h")
        made = False
        while not made:
            self.assertIsNone(process.poll())
            try:
                if os.path.exists("run/metrics.jsonl"):
                    os.mkdir("run/model.safetensors.new")
                    made = True
            except FileExistsError:
                pass
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1, errors)
        os.rmdir("run/model.safetensors.new")
        self.assertEqual(checkpoints("run")[-1], 10 * len(epochs("run")))
        self.assertLess(len(epochs("run")), 60)
        self.done("train", "--resume", "run", "--quiet")
        self.assert_same("run", "whole")

    def test_a_checkpoint_is_a_model(self):
        self.train("run", epochs=2)
        self.assertIn("accuracy", self.done("eval", "run/checkpoint-20.safetensors"))
        facts = json.loads(self.done("info", "run", "--json"))["facts"]
        self.assertIn("c1 = conv2d filters=4 kernel=5 stride=2\n", facts["recipe.text"])
        self.assertIn("epochs = 2\n", facts["recipe.text"])
        write("again.ini", facts["recipe.text"])
        self.done("train", "again", "--out", "again")
        self.assertEqual(read("again/metrics.jsonl"), read("run/metrics.jsonl"))

    # ---- over an older run ----

    def test_killed_over_an_older_run(self):
        """In its first epoch: the older model stays, and what is continued is the new run."""
        self.train("old", "--seed", "8", "--keep", "5")
        self.train("whole")
        for alone in (False, True):
            shutil.rmtree("run", ignore_errors=True)
            shutil.copytree("old", "run")
            self.cut_short("new", to=3)
            checkpoint = read("new/checkpoint-3.safetensors")
            shutil.rmtree("new")
            if alone:
                write("run/checkpoint-3.safetensors.new", checkpoint)
            else:
                for step in checkpoints("run"):
                    os.remove(f"run/checkpoint-{step}.safetensors")
                write("run/checkpoint-3.safetensors", checkpoint)
            self.assertIn("after step 3, 0 of 4", self.done("train", "--resume", "run"))
            self.assert_same("run", "whole")
            self.assertEqual(files_of("run"), ["metrics.jsonl", "model.safetensors", "timing.jsonl"])
            self.assertEqual(len(checkpoints("run")), 2)

    def test_an_older_runs_checkpoints_go_with_it(self):
        self.train("run", "--seed", "8", "--keep", "5")
        self.train("run", "--force", epochs=1)
        self.assertEqual(checkpoints("run"), [10])
        self.train("run", "--force", "--seed", "8", epochs=4)
        self.train("run", "--force", "--checkpoint-every", "3", "--keep", "9", epochs=1)
        self.assertEqual(checkpoints("run"), [3, 6, 9, 10])


if __name__ == "__main__":
    unittest.main()
