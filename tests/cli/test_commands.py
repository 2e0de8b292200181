# SPDX-License-Identifier: MIT
"""What every subcommand does when all is well."""

import json
import math
import os
import re
import pty
import shutil
import signal
import struct
import subprocess
import fcntl
import termios
import time
import unittest

from support import BINARY, RECIPE, SHIPPED, SIDE, Command, checkpoints, files_of, png, read, safetensors_read, safetensors_write, write

METRICS = ["epoch", "train_loss", "train_accuracy", "test_loss", "test_accuracy", "lr"]
TIMING = ["epoch", "seconds", "images_per_second", "threads", "time"]
WHOLE = ["metrics.jsonl", "model.safetensors", "timing.jsonl"]


def square(label, size=SIDE, ink=255, paper=0, colour=0):
    """A picture like those of the set, of any size: the square of one class."""
    rows = [bytearray([paper]) * size for _ in range(size)]
    for y in range(size):
        for x in range(size):
            line, column = y * SIDE // size, x * SIDE // size
            if 0 <= line - 3 - 8 * (label // 4) < 6 and 0 <= column - 2 - 6 * (label % 4) < 5:
                rows[y][x] = ink
    if colour == 2:
        rows = [bytes(value for pixel in row for value in (pixel, pixel, pixel)) for row in rows]
    return png(size, size, [bytes(row) for row in rows], colour)


class Train(Command):
    def test_writes_model_and_metrics(self):
        out = self.done("train", "tiny", "--epochs", "3", "--threads=2", "--lr", "0.004", "--out", "deep/run")
        self.assertEqual(files_of("deep/run"), WHOLE)
        self.assertEqual(sum(line.startswith("epoch ") for line in out.splitlines()), 3)
        lines = read("deep/run/metrics.jsonl").decode().splitlines()
        self.assertEqual([json.loads(line)["epoch"] for line in lines], [1, 2, 3])
        for line in map(json.loads, lines):
            self.assertEqual(list(line), METRICS)
            self.assertEqual(line["lr"], 0.004)
            self.assertTrue(all(math.isfinite(value) for value in line.values()))
        for i, line in enumerate(map(json.loads, read("deep/run/timing.jsonl").splitlines())):
            self.assertEqual((list(line), line["epoch"], line["threads"]), (TIMING, i + 1, 2))
            self.assertTrue(line["seconds"] > 0 and line["images_per_second"] > 0, line)
        self.assertGreater(json.loads(lines[-1])["test_accuracy"], 0.9)
        self.assertLess(json.loads(lines[-1])["train_loss"], json.loads(lines[0])["train_loss"])

    def test_keeps_the_best_of_the_validation(self):
        text = read("tiny.ini").decode() + "validation = 0.2\nstratified = true\nkeep_best = true\naverage = 0.5\n"
        write("held.ini", text)
        # A rate that makes the epochs uneven.
        out = self.done("train", "held", "--epochs", "8", "--lr", "0.03", "--out", "run")
        lines = [json.loads(line) for line in read("run/metrics.jsonl").splitlines()]
        best = min(lines, key=lambda line: line["validation_loss"])
        self.assertEqual([line["epoch"] for line in lines if line["best"]][-1], best["epoch"])
        self.assertIn(f"best    epoch {best['epoch']} by validation", out)
        facts = json.loads(self.done("info", "run", "--json"))["facts"]
        self.assertEqual(facts["train.epoch"], str(best["epoch"]))
        # What was measured in that epoch is what the file holds.
        found = json.loads(self.done("eval", "run", "--json"))
        self.assertAlmostEqual(found["loss"], best["test_loss"], delta=1e-6)
        self.assertIn("*", out)
        self.assertIn("lr 0.03", out)

    def test_stops_early(self):
        write("held.ini", read("tiny.ini").decode() + "validation = 0.2\npatience = 2\nmin_delta = 100\n")
        out = self.done("train", "held", "--epochs", "9", "--out", "run")
        self.assertEqual(len(read("run/metrics.jsonl").splitlines()), 3)
        self.assertIn("stopped after epoch 3", out)

    def test_default_folders_are_numbered(self):
        for _ in range(2):
            self.done("train", "./tiny.ini", "--epochs", "1")
        self.assertEqual(files_of("runs"), ["tiny-1", "tiny-2"])
        self.assertEqual(read("runs/tiny-1/model.safetensors"), read("runs/tiny-2/model.safetensors"))

    def test_quiet_prints_nothing(self):
        self.assertEqual(self.done("train", "tiny", "--quiet", "--epochs", "1"), "")

    def test_threads_do_not_change_the_model(self):
        runs = set()
        for threads in ("1", "2", "3", "7"):
            self.done("train", "tiny", "--seed", "7", "--threads", threads, "--out", f"t{threads}")
            runs.add((read(f"t{threads}/model.safetensors"), read(f"t{threads}/metrics.jsonl")))
            self.assertEqual(json.loads(read(f"t{threads}/timing.jsonl").split(b"\n")[0])["threads"], int(threads))
        self.assertEqual(len(runs), 1)

    def test_seed_changes_the_model(self):
        for seed in ("0", "18446744073709551615"):
            self.done("train", "tiny", "--epochs", "1", "--seed", seed, "--out", f"s{seed}")
        self.assertNotEqual(read("s0/model.safetensors"), read("s18446744073709551615/model.safetensors"))

    def test_force_replaces(self):
        self.done("train", "tiny", "--out", "run")
        before = read("run/model.safetensors")
        write("run/notes.txt", "mine")
        self.done("train", "tiny", "--epochs", "1", "--out", "run/", "--force")
        self.assertNotEqual(read("run/model.safetensors"), before)
        self.assertEqual(len(read("run/metrics.jsonl").splitlines()), 1)
        self.assertEqual(len(read("run/timing.jsonl").splitlines()), 1)
        self.assertEqual(files_of("run"), sorted([*WHOLE, "notes.txt"]))

    def test_environment(self):
        self.done("train", "tiny", "--epochs", "1", "--out", "a",
                  env={"STOA_THREADS": "3", "STOA_CPU": "base", "STOA_POLICY": "blas"})
        self.assertEqual(json.loads(read("a/timing.jsonl"))["threads"], 3)
        self.done("train", "tiny", "--epochs", "1", "--out", "b", "--threads", "2", env={"STOA_THREADS": "3"})
        self.assertEqual(json.loads(read("b/timing.jsonl"))["threads"], 2)

    def test_a_tuning_table_is_named(self):
        write("mine.tuning", "like = generic-base\nl2_bytes = 1048577\n")
        sums = []
        for table, name in (("generic-base", "generic-base"), ("./mine.tuning", "mine")):
            report = json.loads(self.done("plan", "tiny", "--json", env={"STOA_TUNING": table}))
            self.assertEqual(report["tuning"], name)
            sums.append(report["tuning_sum"])
            self.done("train", "tiny", "--epochs", "1", "--out", name, env={"STOA_TUNING": table})
            # Told of the model whatever the table is with which it is looked at.
            origin = json.loads(self.done("info", name, "--json", env={"STOA_TUNING": "zen5"}))["origin"]
            self.assertEqual(origin["tuning"], f"{name} {sums[-1]}")
            self.assertIn(f"tuning {name} {sums[-1]}", self.done("info", name))
        self.assertNotEqual(sums[0], sums[1])
        self.assertIn(", tuning zen5", self.done("plan", "tiny", env={"STOA_TUNING": "zen5"}))

    def test_found_in_the_users_folder(self):
        os.makedirs("elsewhere")
        for base, env in (("home/.local/share", {}), ("x", {"XDG_DATA_HOME": f"{self.folder}/x"}),
                          ("y", {"XDG_DATA_DIRS": f"/nowhere:{self.folder}/y"})):
            os.makedirs(f"{base}/stoa/recipes")
            os.rename("tiny.ini", f"{base}/stoa/recipes/tiny.ini")
            os.rename("data/blobs", f"{base}/stoa/blobs")
            self.done("train", "tiny", "--epochs", "1", cwd="elsewhere", env=env)
            os.rename(f"{base}/stoa/recipes/tiny.ini", "tiny.ini")
            os.rename(f"{base}/stoa/blobs", "data/blobs")
        self.assertEqual(len(os.listdir("elsewhere/runs")), 3)

    def interrupt(self, number, name):
        process = self.start("train", "tiny", "--epochs", "100000", "--out", name)
        until = time.monotonic() + 60
        while not os.path.exists(f"{name}/metrics.jsonl") and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 128 + number, errors)
        lines = errors.splitlines()
        self.assertEqual(len(lines), 1, errors)
        self.assertTrue(lines[0].startswith("stoa: interrupted, state saved"), errors)
        self.assertEqual(files_of(name), WHOLE)
        for line in read(f"{name}/metrics.jsonl").splitlines():
            self.assertEqual(list(json.loads(line)), METRICS)
        for file in ("model", f"checkpoint-{checkpoints(name)[-1]}"):
            self.done("eval", f"{name}/{file}.safetensors")

    def test_interrupted(self):
        self.interrupt(signal.SIGINT, "int")
        self.interrupt(signal.SIGTERM, "term")

    def test_bar_fits_the_terminal(self):
        for width in (12, 40, 80, 200):
            try:
                master, slave = pty.openpty()
            except OSError:
                self.skipTest("this system has no pseudo-terminals")
            fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, width, 0, 0))
            process = subprocess.Popen(
                [BINARY, "train", "tiny", "--out", f"w{width}"], stdout=subprocess.DEVNULL, stderr=slave,
                env=self.environment(TERM="xterm"))
            os.close(slave)
            text = b""
            try:
                while block := os.read(master, 65536):
                    text += block
            except OSError:
                pass  # how a pseudo terminal says that the other end is closed
            os.close(master)
            self.assertEqual(process.wait(timeout=60), 0)
            drawn = [part for part in text.replace(b"\x1b[K", b"").split(b"\r") if part]
            self.assertGreaterEqual(len(drawn), 2)
            self.assertLess(max(map(len, drawn)), width)
            self.assertTrue(all(part.startswith(b"epoch ") for part in drawn), drawn)
            self.assertEqual(b"[=" in text, width >= 80)

    def test_a_reader_that_leaves_does_not_end_the_run(self):
        process = self.start("train", "tiny", "--epochs", "3", "--out", "run")
        process.stdout.close()
        process.wait(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertEqual(process.stderr.read(), "")
        process.stderr.close()
        self.assertEqual(len(read("run/metrics.jsonl").splitlines()), 3)


class Eval(Command):
    def test_text_and_json(self):
        self.model("run/model.safetensors")
        self.assertIn("accuracy", self.done("eval", "run"))
        report = json.loads(self.done("eval", "run/model.safetensors", "--json", "--batch", "33", "--threads", "2"))
        self.assertEqual(report["samples"], 100)
        self.assertEqual(report["correct"] / 100, report["accuracy"])
        self.assertGreater(report["accuracy"], 0.9)
        self.assertGreater(report["loss"], 0)

    def test_classes(self):
        self.model()
        report = json.loads(self.done("eval", "model.safetensors", "--json"))
        matrix = report["confusion"]
        self.assertEqual([len(row) for row in matrix], [10] * 10)
        self.assertEqual(sum(map(sum, matrix)), 100)
        self.assertEqual(sum(matrix[i][i] for i in range(10)), report["correct"])
        for i, entry in enumerate(report["classes"]):
            self.assertEqual((entry["class"], entry["samples"], entry["correct"]), (i, 10, matrix[i][i]))
            self.assertEqual(sum(matrix[i]), 10)
            self.assertEqual(entry["accuracy"], matrix[i][i] / 10)
        self.assertEqual((len(report["top"]), report["top"][0], report["top"][9]), (10, report["accuracy"], 1))
        self.assertEqual(report["top"], sorted(report["top"]))
        lines = self.done("eval", "model.safetensors").splitlines()
        self.assertEqual([line.split()[:2] for line in lines[1:3]], [["top", "2"], ["top", "3"]])
        at = lines.index("class  samples  accuracy  most taken for  times")
        self.assertEqual([line.split()[:3] for line in lines[at + 1:at + 11]],
                         [[str(i), "10", f"{100 * matrix[i][i] / 10:.2f}"] for i in range(10)])
        for i, line in enumerate(lines[-10:]):
            self.assertEqual([int(word) for word in line.split()], [i, *matrix[i]])

    def test_agrees_with_the_metrics(self):
        self.done("train", "tiny", "--out", "run")
        last = json.loads(read("run/metrics.jsonl").splitlines()[-1])
        report = json.loads(self.done("eval", "run", "--json"))
        self.assertEqual(report["accuracy"], last["test_accuracy"])
        self.assertAlmostEqual(report["loss"], last["test_loss"], places=5)

    def test_pixels_are_normalised_as_the_model_says(self):
        header, data = safetensors_read(self.model())
        inner = json.loads(header["__metadata__"]["stoa"])
        write("a.png", square(1))
        losses, chances = set(), set()
        for key, value in (("data.mean", "0.1"), ("data.mean", "0.6"), ("data.deviation", "2")):
            inner["facts"] = {**inner["facts"], "data.mean": "0.1", key: value}
            header["__metadata__"]["stoa"] = json.dumps(inner)
            safetensors_write("changed.safetensors", header, data)
            losses.add(json.loads(self.done("eval", "changed.safetensors", "--json"))["loss"])
            answer = json.loads(self.done("predict", "changed.safetensors", "a.png", "--json"))
            chances.add(answer["predictions"][0]["probability"])
        self.assertEqual((len(losses), len(chances)), (3, 3))

    def test_data_by_path(self):
        self.model()
        os.rename("data/blobs", "moved")
        self.assertIn("accuracy", self.done("eval", "model.safetensors", "--data", "moved"))

    def test_state_dictionary_with_a_recipe(self):
        header, data = safetensors_read(self.model())
        del header["__metadata__"]
        safetensors_write("state.safetensors", header, data)
        own = json.loads(self.done("eval", "model.safetensors", "--json"))
        other = json.loads(self.done("eval", "state.safetensors", "--recipe", "tiny", "--json"))
        self.assertEqual((own["accuracy"], own["loss"]), (other["accuracy"], other["loss"]))


class Predict(Command):
    def test_text_and_json(self):
        self.model()
        write("a.png", square(3))
        write("b.png", square(3, size=90, ink=0, paper=255, colour=2))
        lines = self.done("predict", "model.safetensors", "a.png", "b.png").splitlines()
        self.assertEqual(len(lines), 4)
        self.assertTrue(lines[0].startswith("a.png: ") and lines[2].startswith("b.png: "), lines)
        shown = [float(word) for word in lines[1].split()[1::2]]
        self.assertEqual((len(shown), shown), (10, sorted(shown, reverse=True)))
        report = json.loads(self.done("predict", "model.safetensors", "a.png", "b.png", "--json"))
        for entry, name in zip(report["predictions"], ("a.png", "b.png")):
            self.assertEqual(entry["file"], name)
            self.assertAlmostEqual(sum(entry["probabilities"]), 1, places=6)
            self.assertEqual(entry["probability"], max(entry["probabilities"]))
            self.assertEqual(entry["class"], entry["probabilities"].index(entry["probability"]))
        self.assertEqual(report["predictions"][0]["class"], report["predictions"][1]["class"])

    def test_many_files(self):
        self.model()
        write("a.png", square(1))
        report = json.loads(self.done("predict", "model.safetensors", "--json", *["a.png"] * 130))
        first = report["predictions"][0]
        self.assertEqual(len(report["predictions"]), 130)
        # Sums at the edges of a batch may run in another order.
        for entry in report["predictions"]:
            self.assertEqual((entry["file"], entry["class"]), (first["file"], first["class"]))
            for one, other in zip(entry["probabilities"], first["probabilities"]):
                self.assertAlmostEqual(one, other, delta=1e-5)

    def test_softmax_layer_is_not_applied_twice(self):
        header, data = safetensors_read(self.model())
        inner = json.loads(header["__metadata__"]["stoa"])
        inner["layers"].append(["p", "softmax"])
        header["__metadata__"]["stoa"] = json.dumps(inner)
        safetensors_write("soft.safetensors", header, data)
        write("a.png", square(1))
        plain, soft = (json.loads(self.done("predict", model, "a.png", "--json"))["predictions"][0]["probabilities"]
                       for model in ("model.safetensors", "soft.safetensors"))
        for a, b in zip(plain, soft):
            self.assertAlmostEqual(a, b, places=5)


class Show(Command):
    def test_info(self):
        self.model("run/model.safetensors")
        text = self.done("info", "run")
        for word in ("28x28x1", "conv2d", "12x12x4", "parameters", "blobs"):
            self.assertIn(word, text)
        report = json.loads(self.done("info", "run", "--json"))
        self.assertEqual(report["input"], [28, 28, 1])
        self.assertEqual([layer["output"] for layer in report["layers"]], [[12, 12, 4], [12, 12, 4], [576], [10]])
        self.assertEqual(report["parameters"], 4 * 25 + 4 + 5760 + 10)
        self.assertEqual(report["parameters"], sum(layer["parameters"] for layer in report["layers"]))
        self.assertEqual([(t["name"], t["shape"]) for t in report["tensors"]],
                         [("c1.weight", [4, 1, 5, 5]), ("c1.bias", [4]), ("l1.weight", [10, 576]), ("l1.bias", [10])])
        origin = report["origin"]
        self.assertEqual((list(origin)[0], origin["policy"]), ("version", "default"))
        self.assertIn(f"made by     version {origin['version']}, isa {origin['isa']}", text)
        facts = report["facts"]
        self.assertEqual((facts["data.set"], facts["recipe"], facts["train.seed"], facts["train.epoch"]),
                         ("blobs", "tiny", "3", "2"))

    def check_plan(self, *arguments):
        self.assertIn("peak: step", self.done("plan", *arguments))
        report = json.loads(self.done("plan", *arguments, "--json"))
        self.assertGreaterEqual(report["unshared_bytes"], report["arena_bytes"])
        for value in report["values"]:
            self.assertLessEqual(value["offset"] + value["bytes"], report["arena_bytes"])
            self.assertLess(value["last"], len(report["steps"]) + 1)
        peak = max(step["live_bytes"] for step in report["steps"])
        self.assertEqual(report["peak"]["live_bytes"], peak)
        self.assertEqual(report["steps"][report["peak"]["step"]]["live_bytes"], peak)
        alive = [v for v in report["values"] if v["first"] <= report["peak"]["step"] <= v["last"]]
        self.assertEqual(sorted(v["name"] for v in alive), sorted(report["peak"]["values"]))
        return report

    def test_plan(self):
        train = self.check_plan("tiny", "--batch", "64")
        self.assertEqual((train["mode"], train["batch"]), ("training", 64))
        self.assertEqual({step["pass"] for step in train["steps"]}, {"forward", "backward"})
        self.assertTrue(any(step["algorithm"] for step in train["steps"] if step["operator"] == "conv2d"))
        self.assertEqual(self.check_plan("tiny")["batch"], 32)
        self.model("run/model.safetensors")
        for name in ("run", "./run", "run/model.safetensors"):
            self.assertLess(self.check_plan(name, "--inference", "--batch", "8")["arena_bytes"], train["arena_bytes"])
        # As `stoa predict` runs: with the weights prepared, which training does not keep.
        for mode, expected in ((), []), (("--inference",), ["c1 prepared weights"]):
            done = self.stoa("plan", "tiny", *mode, "--json", env={"STOA_CONV": "implicit"})
            values = [value["name"] for value in json.loads(done.stdout)["values"]]
            self.assertEqual([name for name in values if name.endswith("prepared weights")], expected)

    def test_gradcheck(self):
        text = self.done("gradcheck", "tiny", "--threads", "2")
        for word in ("c1.weight", "l1.bias", "5 of 5 right", "tolerance 1.0e-05"):
            self.assertIn(word, text)
        self.assertNotIn("wrong", text)
        report = json.loads(self.done("gradcheck", "tiny", "--samples", "7", "--seed", "5", "--json"))
        self.assertIs(report["passed"], True)
        self.assertEqual([t["name"] for t in report["tensors"]], ["input", "c1.weight", "c1.bias", "l1.weight", "l1.bias"])
        for tensor in report["tensors"]:
            self.assertEqual(tensor["checked"], min(7, tensor["count"]))
            self.assertLess(tensor["error"], 1e-6)
            self.assertGreater(tensor["largest"], 0)
        self.assertIsNone(report["tensors"][0]["fast_error"])

    def test_gradcheck_over_the_tolerance(self):
        for more in ([], ["--json"]):
            result = self.stoa("gradcheck", "tiny", "--tolerance", "1e-25", *more)
            self.assertEqual(result.returncode, 1)
            self.one_line(result, "tiny.ini: the gradient of 'input' is off by", "expected at most 1.0e-25")
        self.assertIs(json.loads(result.stdout)["passed"], False)

    def test_recipes(self):
        write("data/recipes/broken.ini", "[model]\n")
        write("data/recipes/noted.ini", "needs = nothing\n" + RECIPE)
        text = self.done("recipes")
        self.assertIn("a small network for tests", text)
        listed = {entry["name"]: entry for entry in json.loads(self.done("recipes", "--json"))}
        self.assertEqual(listed["tiny"]["parameters"], 5874)
        self.assertIn("does not load", listed["broken"]["title"])
        self.assertEqual((listed["tiny"]["needs"], listed["tiny"]["reaches"]), ("", ""))
        self.assertEqual((listed["noted"]["needs"], listed["noted"]["reaches"]), ("nothing", ""))
        self.assertEqual(text.count("  needs nothing\n"), 1)
        self.assertEqual(self.done("recipes", "tiny"), RECIPE)

    def test_keys_of_recipes(self):
        """What --keys lists is what a recipe takes, with these defaults and ranges."""
        keys = json.loads(self.done("recipes", "--keys", "--json"))
        self.assertEqual({key["section"] for key in keys}, {"", "data", "train"})
        batch = {"section": "train", "key": "batch", "default": "64", "expected": "a number from 1 to 1000000",
                 "meaning": "samples of a step"}
        self.assertIn(batch, keys)
        text = self.done("recipes", "--keys")
        for key in keys:
            self.assertRegex(text, rf"(?m)^  {key['key']} +{re.escape(key['expected'])}(; default {key['default']})?$")
            if key["default"] and key["section"] and key["key"] not in ("classes", "loss"):
                section = f"[{key['section']}]\n"
                write("one.ini", RECIPE.split("[data]")[0] + f"{section}{key['key']} = {key['default']}\n")
                self.done("plan", "one.ini")
        self.refused("recipes", "tiny", "--keys", words=["--keys", "'tiny'"])

    def test_the_list_of_recipes_is_narrow(self):
        shutil.copytree(SHIPPED, "data/recipes")
        lines = self.done("recipes").splitlines()
        at = next(i for i, line in enumerate(lines) if line.startswith("  lenet5 "))
        self.assertRegex(lines[at], r"^  lenet5 +61,706  MNIST digits, LeNet-5")
        self.assertRegex(lines[at + 1], r"^ +needs MNIST, .*; reaches 99\.\d+ %")
        self.assertEqual(lines[at].index("MNIST"), lines[at + 1].index("needs"))
        self.assertRegex("\n".join(lines[:at]), r"(?m)^data/recipes:$")
        self.assertFalse([line for line in lines if len(line) > 110 and "does not load" not in line])

    def test_help_and_version(self):
        for name in ("train", "eval", "predict", "info", "plan", "recipes", "gradcheck"):
            text = self.done(name, "--help")
            self.assertEqual(text, self.done("help", name))
            for word in (f"Usage: stoa {name}", "Options:", "Examples:", "Exit status:"):
                self.assertIn(word, text)
            self.assertIn(f"  {name}", self.done("help"))
            self.assertTrue(all(len(line) <= 120 for line in text.splitlines()), text)
        self.assertEqual(self.done("--help"), self.done("help"))
        self.assertRegex(self.done("--version"), r"\Astoa \d+\.\d+\.\d+\ninstruction set \w+\nBLAS \S")
        self.assertIn("instruction set base\n", self.done("--version", env={"STOA_CPU": "base"}))

    def test_the_users_blas_core_wins(self):
        if "BLAS OpenBLAS" in self.done("--version"):
            for core in ("Haswell", "Prescott"):
                text = self.done("--version", env={"OPENBLAS_CORETYPE": core})
                if core in text:
                    return
            self.skipTest("this OpenBLAS has one core only")


if __name__ == "__main__":
    unittest.main()
