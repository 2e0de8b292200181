# SPDX-License-Identifier: MIT
"""What a run says of itself: the recipe in force, the command, the data and the figures; and that the lines which a
training tells to type next do what it says, for every kind of data."""

import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import zipfile

from support import BINARY, Command, png, read, safetensors_read, write
from test_data import arrays, table

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "structure"))
import page_data  # noqa: E402

RECIPE = """[model]
input = {input}
f = flatten
l1 = linear units=8
r1 = relu
l2 = linear units={classes}
[data]
classes = {classes}
normalize = measured
{more}
[train]
epochs = 2
batch = 16
lr = 1e-2
seed = 5
"""

TARGETS = """[model]
input = 1x1x{input}
l1 = linear units=8
r1 = relu
l2 = linear units={units}
[data]
normalize = measured
{more}
[train]
epochs = 2
batch = 16
lr = 1e-2
seed = 5
loss = {loss}
"""


def pictures(folder, count, first=0, side=8):
    """Folders of colour pictures that tell their class by their brightness."""
    for label, name in enumerate(("ant", "bee", "cat")):
        for i in range(first, first + count):
            rows = [bytes((60 * label + (7 * i + 3 * x + y) % 50) for x in range(3 * side)) for y in range(side)]
            write(f"{folder}/{name}/{i}.png", png(side, side, rows, colour=2))


def archive(path, **named):
    with zipfile.ZipFile(path, "w") as file:
        for name, data in named.items():
            file.writestr(f"{name}.npy", data)


class Said(Command):
    def setUp(self):
        super().setUp()
        write("rows.ini", RECIPE.format(input="1x1x4", classes=3, more=""))
        write("colour.ini", RECIPE.format(input="8x8x3", classes=3, more=""))
        write("digit.ini", RECIPE.format(input="28x28x1", classes=10, more=""))

    def shell(self, line, cwd=None, **env):
        return subprocess.run(line, shell=True, cwd=cwd, env=self.environment(**env), capture_output=True, text=True,
                              timeout=120, check=False)

    def lines_of(self, out):
        """The lines to type next."""
        return [match[1] for match in re.finditer(r"^(?:next|    )    (.*)$", out, re.M)]

    def figures(self, folder, best=False):
        lines = [json.loads(line) for line in read(f"{folder}/metrics.jsonl").splitlines()]
        return [line for line in lines if not best or line["best"]][-1]

    def same(self, *arguments, out="run", best=False):
        """Train, run the first line to type next as it stands, and compare its figures with the last of training."""
        shutil.rmtree(out, ignore_errors=True)
        text = self.done("train", *arguments, "--out", out)
        lines = self.lines_of(text)
        found = self.figures(out, best)
        words = shlex.split(lines[0])
        for line, cwd in ((lines[0], None), (shlex.join([*words[:-1], os.path.abspath(words[-1])]), "/")):
            result = self.shell(line, cwd=cwd)
            self.assertEqual((result.returncode, result.stderr), (0, ""), line)
            self.assertIn(f"accuracy {100 * found['test_accuracy']:.2f} %", result.stdout, arguments)
            loss = float(re.search(r"^loss     (.*)$", result.stdout, re.M)[1])
            self.assertAlmostEqual(loss, found["test_loss"], delta=2e-6 * max(1, loss), msg=arguments)
        for line in lines[1:]:
            result = self.shell(line)
            self.assertEqual((result.returncode, result.stderr), (0, ""), line)
        return text

    # ---- next ----

    def test_next_lines_for_every_kind_of_data(self):
        write("my data/fruit.csv", table(150, 1))
        write("parts/train.csv", table(90, 1))
        write("parts/test.csv", table(33, 2))
        (x, y), (x2, y2) = arrays(60, 1), arrays(30, 2)
        archive("parts.npz", x_train=x, y_train=y, x_test=x2, y_test=y2)
        archive("whole.npz", x=x, y=y)
        for name, data in (("x", x), ("y", y)):
            write(f"npy/{name}.npy", data)
        pictures("photos", 12)
        pictures("photo parts/train", 9)
        pictures("photo parts/test", 4, first=40)
        for arguments in (
                ("tiny",), ("tiny", "--data", "data/blobs"), ("digit", "--data", "digits", "--set", "data.samples=300"),
                ("digit", "--data", "digits", "--split-seed", "3", "--set", "samples=200", "--set", "test=0.4"),
                ("rows", "--data", "my data/fruit.csv"), ("rows", "--data", "./my data/fruit.csv", "--split-seed", "9"),
                ("rows", "--data", "parts"), ("rows", "--data", "parts.npz"), ("rows", "--data", "whole.npz"),
                ("rows", "--data", "npy"), ("colour", "--data", "photos"), ("colour", "--data", "photo parts")):
            with self.subTest(arguments):
                self.same(*arguments)
        self.same("rows", "--data", "parts", out="it's a \"run\"")
        self.same("rows", "--data", "parts", out="-run")
        write("data/fruit.csv", table(150, 1))
        self.same("rows", "--set", "set=fruit", "--set", "validation=0.2", "--set", "keep_best=true", best=True)

    def test_next_lines_for_cifar_and_targets(self):
        page_data.cifar(pathlib.Path("cifar-10-batches-bin"))
        page_data.houses(pathlib.Path("houses.csv"))
        page_data.tags(pathlib.Path("tags.npz"))
        write("cifar.ini", RECIPE.format(input="32x32x3", classes=10, more=""))
        self.same("cifar.ini", "--data", "cifar-10-batches-bin")
        write("houses.ini", TARGETS.format(input=6, units=1, loss="mse", more="target = price\nignore = id\ndates = date\n"
                                           "categories = district\nmissing = median\nnormalize_targets = measured"))
        write("tags.ini", TARGETS.format(input=5, units=3, loss="bce_with_logits", more="task = multilabel"))
        for recipe, data in (("houses", "houses.csv"), ("tags", "tags.npz")):
            trained = self.stoa("train", f"{recipe}.ini", "--data", data, "--out", recipe)  # tells what it converts
            self.assertEqual(trained.returncode, 0, trained.stderr)
            result = self.shell(self.lines_of(trained.stdout)[0])
            self.assertEqual(result.returncode, 0, result.stderr)
            loss = float(re.search(r"^loss     (.*)$", result.stdout, re.M)[1])
            self.assertAlmostEqual(loss, self.figures(recipe)["test_loss"], delta=2e-6 * max(1, loss), msg=recipe)

    def test_next_lines_where_the_command_is_not_on_the_path(self):
        nowhere = self.environment()["PATH"].split(os.pathsep, 1)[1]
        write("data/fruit.csv", table(60, 1))
        text = self.done("train", "rows", "--data", "data/fruit.csv", "--out", "run", env={"PATH": nowhere})
        for line in self.lines_of(text):
            self.assertEqual(shlex.split(line)[0], BINARY)
            result = self.shell(line, PATH=nowhere)
            self.assertEqual((result.returncode, result.stderr), (0, ""), line)

    def test_other_data_than_those_of_the_training_are_noted(self):
        write("fruit.csv", table(150, 1))
        self.same("rows", "--data", "fruit.csv")
        write("fruit.csv", table(150, 2))
        result = self.stoa("eval", "run")
        self.assertEqual(result.returncode, 0)
        self.one_line(result, "note: ", "fruit.csv", "checksum", "expected 30")
        self.assertEqual(self.stoa("eval", "run", "--data", "fruit.csv").stderr, "")
        self.assertEqual(self.stoa("eval", "run", "--all").stderr, "")

    def test_data_by_name_are_found_from_elsewhere(self):
        self.done("train", "tiny", "--out", "run", "--quiet")
        here = self.done("eval", "run", "--json")
        there = self.shell(f"stoa eval {shlex.quote(os.path.abspath('run'))} --json", cwd="/")
        self.assertEqual(there.returncode, 0, there.stderr)
        self.assertEqual(json.loads(there.stdout)["loss"], json.loads(here)["loss"])

    # ---- recipe.ini and run.json ----

    def test_the_recipe_in_force_trains_the_same_again(self):
        write("my data/fruit.csv", table(150, 1))
        self.done("train", "rows", "--data", "my data/fruit.csv", "--out", "run", "--lr", "3e-3", "--batch", "10",
                  "--split-seed", "4", "--set", "optimizer=adamw decay=0.1", "--set", "augment=noise=0.1", "--quiet")
        text = read("run/recipe.ini").decode()
        for key in [key for key in json.loads(self.done("recipes", "--keys", "--json")) if key["section"]]:
            name = f"{key['section']}.{key['key']}"
            line = rf"^{key['key']} = " if f"# {name} = " not in text else rf"^# {re.escape(name)} = "
            self.assertRegex(text, re.compile(line, re.M), name)
        self.assertIn("lr = 3e-3\n", text)
        self.assertIn("# train.clip_norm = 0\n", text)
        again = text.splitlines()[1].removeprefix("# ")
        result = self.shell(again + " --quiet --out again", cwd=self.folder)
        self.assertEqual((result.returncode, result.stderr), (0, ""), again)
        self.assertEqual(read("again/metrics.jsonl"), read("run/metrics.jsonl"))
        self.assertEqual(*[safetensors_read(f"{folder}/model.safetensors")[1] for folder in ("run", "again")])
        # It is a recipe for another place as well, and a second one says the same.
        self.assertEqual(read("again/recipe.ini").decode().splitlines()[2:], text.splitlines()[2:])

    def test_run_json(self):
        write("my data/fruit.csv", table(150, 1))
        words = ["train", "rows", "--data", "my data/fruit.csv", "--out", "run", "--lr", "3e-3", "--quiet"]
        self.done(*words)
        record = json.loads(read("run/run.json"))
        self.assertEqual(record["command"], ["stoa", *words])
        self.assertEqual((record["directory"], record["state"], record["epochs"]), (os.getcwd(), "done", 2))
        self.assertEqual(record["recipe_file"], os.path.abspath("rows.ini"))
        data = record["data"]
        self.assertEqual((data["path"], data["format"], data["classes"]), (os.path.abspath("my data/fruit.csv"), "csv", 3))
        self.assertEqual((data["train"]["samples"], data["test"]["samples"]), (120, 30))
        self.assertEqual((data["columns"], data["label"], data["names"]),
                         (["a", "b", "c", "d"], "fruit", ["apple", "pear", "plum"]))
        settings = record["settings"]
        self.assertEqual([settings[f"train.{key}"] for key in ("lr", "batch", "optimizer", "schedule", "keep_best")],
                         ["3e-3", "16", "adam", "constant", "false"])
        self.assertEqual(settings["model.l1"], "linear units=8")
        facts = json.loads(self.done("info", "run", "--json"))["facts"]
        self.assertEqual(facts["data.checksum"], f"{data['train']['checksum']} {data['test']['checksum']}")
        self.assertEqual(float(facts["train.test_loss"]), self.figures("run")["test_loss"])
        self.assertEqual(record["last"]["test_accuracy"], self.figures("run")["test_accuracy"])
        self.assertEqual(set(record["fingerprint"]),
                         {"version", "isa", "blas", "blas_version", "blas_core", "policy", "tuning"})

    def test_what_is_left_out_is_kept(self):
        write("mixed/fruit.csv", table(60, 1))
        write("mixed/other.npz", b"no archive")
        result = self.stoa("train", "rows", "--data", "mixed", "--out", "run", "--quiet")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        notes = json.loads(read("run/run.json"))["data"]["notes"]
        self.assertEqual(len(notes), 1, notes)
        self.assertIn("other.npz", notes[0])
        self.assertEqual(json.loads(json.loads(self.done("info", "run", "--json"))["facts"]["data.notes"]), notes)

    def test_a_run_that_goes_on(self):
        self.done("train", "tiny", "--out", "run", "--quiet", "--lr", "2e-3")
        before = json.loads(read("run/run.json"))
        self.done("train", "--resume", "run", "--epochs", "3", "--quiet")
        after = json.loads(read("run/run.json"))
        self.assertEqual(after["command"], before["command"])
        self.assertEqual([entry["command"] for entry in after["resumed"]],
                         [["stoa", "train", "--resume", "run", "--epochs", "3", "--quiet"]])
        self.assertEqual((after["settings"]["train.epochs"], after["last"]["epoch"]), ("3", 3))
        text = self.done("info", "run")
        self.assertIn("command     stoa train tiny --out run --quiet --lr 2e-3\n", text)
        self.assertIn("continued   stoa train --resume run --epochs 3 --quiet\n", text)

    def test_files_of_others_stay(self):
        for name in ("recipe.ini", "run.json"):
            shutil.rmtree("run", ignore_errors=True)
            write(f"run/{name}", "mine\n")
            self.refused("train", "tiny", "--out", "run", "--force", words=[f"run/{name}", "found another file"])
        shutil.rmtree("run")
        self.done("train", "tiny", "--out", "run", "--quiet")
        self.done("train", "tiny", "--out", "run", "--force", "--quiet", "--seed", "9")
        self.assertEqual(json.loads(read("run/run.json"))["settings"]["train.seed"], "9")

    # ---- stoa info ----

    def test_info_tells_how_a_model_was_trained(self):
        write("fruit.csv", table(150, 1))
        self.done("train", "rows", "--data", "fruit.csv", "--out", "run", "--quiet", "--lr", "3e-3", "--batch", "25",
                  "--set", "schedule=cosine", "--set", "optimizer=nesterov")
        shutil.copy("run/model.safetensors", "alone.safetensors")
        for model in ("run", "run/model.safetensors", "alone.safetensors"):
            text = self.done("info", model)
            self.assertIn("training    epochs 2, batch 25, lr 3e-3, seed 5, optimizer nesterov, schedule cosine, "
                          "loss softmax_cross_entropy\n", text)
            self.assertRegex(text, rf"data        {re.escape(os.path.abspath('fruit.csv'))}, 120 training and 30 test samples, "
                                   r"3 classes, checksums [0-9a-f]{8} [0-9a-f]{8}\n")
            self.assertRegex(text, r"reached     epoch 2: test \d+\.\d\d %, loss ")
            self.assertEqual("command     stoa train rows --data fruit.csv" in text, model != "alone.safetensors")
            report = json.loads(self.done("info", model, "--json"))
            self.assertEqual([report["settings"][f"train.{key}"] for key in ("lr", "batch", "optimizer", "schedule")],
                             ["3e-3", "25", "nesterov", "cosine"])
            self.assertEqual(report["run"] is None, model == "alone.safetensors")


class Listed(Command):
    """stoa runs."""

    def setUp(self):
        super().setUp()
        self.done("train", "tiny", "--epochs", "1", "--lr", "1e-4", "--quiet")
        self.done("train", "tiny", "--epochs", "3", "--quiet", "--threads", "1")
        self.done("train", "tiny", "--set", "lr=1e-3,2e-3", "--epochs", "1", "--quiet", "--out", "runs/grid")

    def names(self, *arguments):
        return [line.split()[0] for line in self.done("runs", *arguments).splitlines()[1:]]

    def test_table(self):
        lines = self.done("runs").splitlines()
        self.assertEqual(lines[0].split(), ["run", "recipe", "begun", "epochs", "test", "loss", "time", "threads", "state"])
        self.assertEqual(sorted(line.split()[0] for line in lines[1:]),
                         ["1-lr=1e-3-seed=3", "2-lr=2e-3-seed=3", "tiny-1", "tiny-2"])
        row = next(line.split() for line in lines if line.startswith("tiny-2 "))
        last = json.loads(read("runs/tiny-2/metrics.jsonl").splitlines()[-1])
        self.assertEqual(row[1:2] + row[4:7] + row[-2:],
                         ["tiny", "3/3", f"{100 * last['test_accuracy']:.2f}", "%", "1", "done"])
        self.assertEqual(self.names("runs/grid"), self.names("runs/grid/1-lr=1e-3-seed=3") + self.names("runs/grid")[1:])
        self.assertEqual(self.names("--sort", "name")[-1], "tiny-2")
        self.assertEqual(self.names("--sort", "epochs")[0], "tiny-2")
        self.assertEqual(self.names("--sort", "loss")[0], "tiny-2")
        self.assertEqual(self.names("--sort", "accuracy")[-1], "tiny-1")

    def test_narrow(self):
        wide = self.done("runs")
        for width in (60, 40, 24):
            text = self.done("runs", env={"COLUMNS": str(width)})
            self.assertLessEqual(max(map(len, text.splitlines())), max(width, 24 + 2 + 16), text)
            self.assertEqual(sorted(set(wide.split())), sorted(set(text.split())))

    def test_compare(self):
        text = self.done("runs", "runs/tiny-1", "runs/tiny-2")
        rows = {line[:20].strip(): line.split()[-2:] for line in text.splitlines()}
        self.assertRegex(text, r"(?m)^train\.epochs +1 +3$")
        self.assertRegex(text, r"(?m)^train\.lr +1e-4 +5e-3$")
        self.assertNotIn("train.batch", text)
        self.assertNotIn("data.", text)
        self.assertIn("test loss", rows)
        report = json.loads(self.done("runs", "runs/tiny-1", "runs/tiny-2", "--json"))
        self.assertEqual(report["differences"], {"train.epochs": ["1", "3"], "train.lr": ["1e-4", "5e-3"]})
        self.assertEqual([run["epochs"] for run in report["runs"]], [1, 3])
        self.assertIn("train.lr", self.done("runs", "--compare"))
        self.done("train", "tiny", "--epochs", "1", "--lr", "1e-4", "--quiet", "--out", "other", "--data", "data/blobs")
        self.assertEqual(list(json.loads(self.done("runs", "runs/tiny-1", "other", "--json"))["differences"]), [])
        self.assertIn("are the same", self.done("runs", "runs/tiny-1", "other"))

    def test_states_and_older_runs(self):
        record = json.loads(read("runs/tiny-1/run.json"))
        write("runs/tiny-1/run.json", json.dumps({**record, "state": "running"}))
        os.remove("runs/tiny-2/run.json")
        found = {run["name"]: run for run in json.loads(self.done("runs", "--json"))["runs"]}
        self.assertEqual((found["tiny-1"]["state"], found["tiny-2"]["state"]), ("killed", "?"))
        self.assertEqual(found["tiny-2"]["record"]["settings"]["train.epochs"], "3")
        write("runs/tiny-2/run.json", "{")
        self.assertIn("tiny-2", self.names())

    def test_refused(self):
        self.refused("runs", "nowhere", words=["nowhere", "is not there"])
        self.refused("runs", "tiny.ini", words=["tiny.ini", "is a file"])
        self.refused("runs", "data", words=["data", "holds no run"])
        self.refused("runs", "--sort", "los", words=["--sort", "'los'"])
        write("runs/tiny-1/metrics.jsonl", "no json\n")
        self.refused("runs", words=["runs/tiny-1/metrics.jsonl:1", "no object of JSON"])


if __name__ == "__main__":
    import unittest

    unittest.main()
