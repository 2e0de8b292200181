#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A C program opens a saved model's data and normalises its inputs as the command does. Usage: test_data.py PROGRAM"""

import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cli"))
from support import CLASSES, SIDE, Command, png, write  # noqa: E402
from test_ranges import npy, pixels  # noqa: E402

PROGRAM = os.path.abspath(sys.argv.pop(1))
IRIS = os.path.join(HERE, "..", "..", "data", "iris", "iris.csv")

RECIPE = """[model]
input = {input}
{flatten}l1 = linear units={classes}
[data]
classes = {classes}
{more}
[train]
epochs = 8
batch = 8
lr = 1e-2
seed = 3
"""


class Data(Command):
    def program(self, *arguments, code=0):
        result = subprocess.run([PROGRAM, *arguments], env=self.environment(), capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, code, result.stderr)
        return result.stderr if code else [line.split() for line in result.stdout.splitlines()]

    def train(self, data, **recipe):
        write("r.ini", RECIPE.format(**recipe))
        self.done("train", "r.ini", "--data", data, "--out", "run", "--force", "--quiet")

    def agrees(self, *files):
        """The program's answers, each as the command's, and the same figures over the test data."""
        figures, *answers = self.program("run/model.safetensors", *files)
        report = json.loads(self.done("eval", "run", "--json"))
        self.assertEqual(figures, ["accuracy", f"{report['accuracy']:.6f}", "loss", f"{report['loss']:.6f}",
                                   "samples", str(report["samples"])])
        predictions = json.loads(self.done("predict", "run", *files, "--json"))["predictions"]
        self.assertEqual([answer[:2] for answer in answers], [[p["file"], str(p.get("name", p["class"]))] for p in predictions])
        # One predicts sample by sample, the other in batches: last bits may differ.
        for answer, prediction in zip(answers, predictions):
            self.assertAlmostEqual(float(answer[2]), prediction["probability"], delta=2e-6)
        return answers

    def test_table_with_measured_scales(self):
        with open(IRIS, encoding="utf-8") as file:
            write("iris.csv", file.read())
        self.train("iris.csv", input="1x1x4", classes=3, flatten="", more="normalize = measured\nsplit_seed = 5")
        answers = self.agrees("iris.csv")
        self.assertEqual({name for _, name, _ in answers}, {"setosa", "versicolor", "virginica"})
        # The first flower by its numbers: setosa is class 0.
        own = self.program("run/model.safetensors", "=", "5.1", "3.5", "1.4", "0.2")[-1]
        self.assertEqual(own, ["=", "0", answers[0][2]])

    def test_pictures_of_another_range(self):
        """Trained on floats from 0 to 255: bytes and PNG files come from 0 to 1."""
        pictures, labels = pixels(120, 1)
        values = [float(p) for picture in pictures for p in picture]
        write("full/x.npy", npy(("<f4", "f"), f"(120, {SIDE}, {SIDE})", values))
        write("full/y.npy", npy(("|u1", "B"), "(120,)", labels))
        write("bytes.npy", npy(("|u1", "B"), f"(120, {SIDE}, {SIDE})", [int(value) for value in values]))
        write("a.png", png(SIDE, SIDE, [pictures[3][i * SIDE:(i + 1) * SIDE] for i in range(SIDE)]))
        self.train("full", input=f"{SIDE}x{SIDE}x1", classes=CLASSES, flatten="f = flatten\n", more="mean = 33\ndeviation = 78")
        answers = self.agrees("full/x.npy", "bytes.npy", "a.png")
        self.assertEqual([a[1:] for a in answers[:120]], [a[1:] for a in answers[120:240]])

    def test_refused(self):
        """The sentences are the command's."""
        with open(IRIS, encoding="utf-8") as file:
            write("iris.csv", file.read())
        self.train("iris.csv", input="1x1x4", classes=3, flatten="", more="normalize = measured")
        write("bad.csv", "1,2\n3,4\n")
        for arguments in (["bad.csv"], ["none.png"]):
            said = self.program("run/model.safetensors", *arguments, code=1)
            command = self.stoa("predict", "run", *arguments)
            self.assertEqual((command.returncode, command.stderr), (2, f"stoa: {said}"))
        os.rename("iris.csv", "moved.csv")
        self.assertIn("iris.csv", self.program("run/model.safetensors", code=1))


if __name__ == "__main__":
    import unittest

    unittest.main()
