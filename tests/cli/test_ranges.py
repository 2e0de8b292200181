# SPDX-License-Identifier: MIT
"""Models meet other data than those they were trained on: pixels of another range, another file, another place."""

import json
import math
import os
import random
import struct

from support import CLASSES, SIDE, Command, blob, png, safetensors_read, safetensors_write, write

RECIPE = """[model]
input = {input}
{flatten}l1 = linear units=10
[data]
set = blobs
classes = 10
{more}
[train]
epochs = 6
batch = 16
lr = 1e-2
seed = 3
"""


def npy(kind, shape, values):
    """An array as NumPy writes it: kind is the type's name and its letter for struct."""
    head = f"{{'descr': '{kind[0]}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return (b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode()
            + struct.pack(f"{kind[0][0].replace('|', '<')}{len(values)}{kind[1]}", *values))


def pixels(count, seed):
    """Pictures and their classes."""
    noise = random.Random(seed)
    labels = [i * 7 % CLASSES for i in range(count)]
    return [blob(label, noise) for label in labels], labels


def write_arrays(folder, kind, change, count=200, seed=1):
    """Pictures whose pixels have gone through `change`."""
    pictures, labels = pixels(count, seed)
    values = [change(p) for picture in pictures for p in picture]
    write(f"{folder}/x.npy", npy(kind, f"({count}, {SIDE}, {SIDE})", values))
    write(f"{folder}/y.npy", npy(("|u1", "B"), f"({count},)", labels))


def write_pictures(seed=9):
    """A PNG of each class; their names in the order of the classes."""
    noise = random.Random(seed)
    for label in range(CLASSES):
        picture = blob(label, noise)
        rows = [picture[i * SIDE:(i + 1) * SIDE] for i in range(SIDE)]
        write(f"{label}.png", png(SIDE, SIDE, rows))
    return [f"{label}.png" for label in range(CLASSES)]


# Kinds of arrays, what becomes of a pixel in them, and the value of white.
KINDS = (
    (("<f4", "f"), float, "255"),
    (("<f8", "d"), lambda p: p / 255, "1"),
    (("<i4", "i"), int, "255"),
    (("<u2", "H"), lambda p: 257 * p, "65535"),
    (("|u1", "B"), int, "1"),
)


class Ranges(Command):
    def recipe(self, more="", flat=False):
        write("r.ini", RECIPE.format(input="28x28x1", flatten="f = flatten\n", more=more))

    def train(self, data, *arguments):
        return self.done("train", "r.ini", "--data", data, "--out", "run", "--force", "--quiet", *arguments)

    def facts(self):
        return json.loads(self.done("info", "run", "--json"))["facts"]

    def right(self, *files):
        """How many pictures of each class in turn get their class."""
        answers = json.loads(self.done("predict", "run", *files, "--json"))["predictions"]
        return sum(answer["class"] == i % 10 * (7 if len(files) == 1 else 1) % 10 for i, answer in enumerate(answers))

    def test_pictures_of_any_range(self):
        """Trained on arrays, asked about PNG files and bytes."""
        files = write_pictures()
        self.recipe("normalize = measured")
        write_arrays("bytes", ("|u1", "B"), int, 40, 5)
        for kind, change, white in KINDS:
            write_arrays("own", kind, change)
            self.train("own")
            facts = self.facts()
            self.assertEqual(float(facts["data.white"]), float(white), kind)
            # The pictures are brought into the form of MNIST, which moves the square; bytes are as they are.
            report = json.loads(self.done("eval", "run", "--data", "bytes", "--all", "--json"))
            self.assertGreaterEqual(report["accuracy"], 0.95, kind)
            self.assertGreaterEqual(self.right("bytes/x.npy"), 38, kind)
            probabilities = [max(a["probabilities"]) for a in
                             json.loads(self.done("predict", "run", *files, "--json"))["predictions"]]
            if white == "255":
                scaled = probabilities
            elif white == "1" and kind[0] == "<f8":
                plain = probabilities
        # Scaled pixels give what pixels of the other range gave, as far as training with other roundings allows.
        for one, other in zip(scaled, plain):
            self.assertAlmostEqual(one, other, delta=0.02)

    def test_tables_of_pixels(self):
        """A line a picture, pixels from 0 to 255, into a network over pictures."""
        self.recipe("normalize = measured")
        pictures, labels = pixels(200, 1)
        lines = [",".join(map(str, picture)) + f",{label}\n" for picture, label in zip(pictures, labels)]
        write("p.csv", "".join(lines))
        self.train("p.csv")
        self.assertEqual(float(self.facts()["data.white"]), 255)
        write_arrays("bytes", ("|u1", "B"), int, 40, 5)
        self.assertGreaterEqual(self.right("bytes/x.npy"), 38)

    def test_refused_ranges(self):
        """Numbers of another range are no pixels that could be scaled: whoever made them knows."""
        files = write_pictures()
        self.recipe("normalize = measured")
        write_arrays("full", ("<f4", "f"), float)
        write_arrays("unit", ("<f4", "f"), lambda p: p / 255)
        write_arrays("sixteenth", ("<f4", "f"), lambda p: p // 16)
        write_arrays("centred", ("<f4", "f"), lambda p: p / 127.5 - 1)
        for own, others in (("full", ("unit", "centred")), ("unit", ("full", "sixteenth", "centred")),
                            ("centred", ("full",))):
            self.train(own)
            self.done("eval", "run", "--json")
            for other in others:
                self.refused("eval", "run", "--data", other, words=[other, "values from", "run/model.safetensors",
                                                                    "expected the same range"])
                self.refused("predict", "run", f"{other}/x.npy", words=[f"{other}/x.npy", "values from"])
        self.refused("predict", "run", files[0], words=["0.png", "between 0 and 1", "between -1 and"])
        self.train("sixteenth")
        self.refused("predict", "run", files[0], words=["0.png", "between 0 and 1", "between 0 and 14"])

    def test_scales_of_another_range(self):
        """Mean and deviation of pixels from 0 to 1 do not fit pixels from 0 to 255, which is said."""
        write_arrays("full", ("<f4", "f"), float)
        write_arrays("unit", ("<f4", "f"), lambda p: p / 255)
        for more, data, said in (("mean = 0.1\ndeviation = 0.3", "full", True), ("mean = 0.1\ndeviation = 0.3", "unit", False),
                                 ("normalize = measured", "full", False), ("", "full", True),
                                 ("mean = 33.3\ndeviation = 78.6", "full", False)):
            self.recipe(more)
            result = self.stoa("train", "r.ini", "--data", data, "--epochs", "1", "--out", "run", "--force")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(["note:" in line and "from 0 to 239" in line for line in result.stderr.splitlines()],
                             [True] * said, (more, data, result.stderr))
        self.recipe("mean = 0.1\ndeviation = 0.3")
        self.train("full")

    def test_tables_are_not_pictures(self):
        """Columns of a table may go as far as they like."""
        write("t.ini", RECIPE.format(input="1x1x3", flatten="", more="").replace("10", "2"))
        write("small.csv", "".join(f"0.{i % 7},0.5,0.{i % 3},{i % 2}\n" for i in range(40)))
        write("large.csv", "".join(f"{i % 7}00,0.5,-{i % 3}7,{i % 2}\n" for i in range(40)))
        self.done("train", "t.ini", "--data", "small.csv", "--out", "run", "--quiet")
        self.assertNotIn("data.white", self.facts())
        self.done("eval", "run", "--data", "large.csv")
        # Bytes are pixels; those of a model over numbers of another size are not known.
        write("b/x.npy", npy(("|u1", "B"), "(2, 3)", [0, 128, 255] * 2))
        write("b/y.npy", npy(("|u1", "B"), "(2,)", [0, 1]))
        self.done("eval", "run", "--data", "b", "--all")
        self.done("train", "t.ini", "--data", "large.csv", "--out", "run", "--force", "--quiet")
        self.refused("eval", "run", "--data", "b", "--all", words=["b:", "between 0 and 1", "between -27 and 600"])

    def test_models_without_a_range(self):
        """Earlier versions said only what kind the data were, which is enough for pictures."""
        header, data = safetensors_read(self.model())
        inner = json.loads(header["__metadata__"]["stoa"])
        self.assertEqual((inner["facts"].pop("data.range"), float(inner["facts"].pop("data.white"))), ("0.0 1.0", 1))
        header["__metadata__"]["stoa"] = json.dumps(inner)
        safetensors_write("old.safetensors", header, data)
        files = write_pictures()
        self.assertEqual(self.done("predict", "old.safetensors", *files), self.done("predict", "model.safetensors", *files))
        for name, value in (("data.range", "1"), ("data.range", "a b"), ("data.white", "0"), ("data.white", "-1")):
            inner["facts"][name] = value
            header["__metadata__"]["stoa"] = json.dumps(inner)
            safetensors_write("bad.safetensors", header, data)
            self.refused("predict", "bad.safetensors", files[0], words=["bad.safetensors", name, f"'{value}'"])
            del inner["facts"][name]


class Places(Command):
    """What a model is measured with, where nothing is said."""

    def test_eval_takes_the_data_of_training(self):
        write("r.ini", RECIPE.format(input="28x28x1", flatten="f = flatten\n", more="split_seed = 3"))
        write_arrays("mine", ("|u1", "B"), int, 60, 4)
        self.done("train", "r.ini", "--data", "mine", "--out", "run", "--quiet")
        report = json.loads(self.done("eval", "run", "--json"))
        self.assertEqual((report["data"], report["samples"]), (os.path.abspath("mine"), 10))
        self.assertEqual(report, {**json.loads(self.done("eval", "run", "--data", "mine", "--json")),
                                  "data": report["data"], "seconds": report["seconds"]})
        other = json.loads(self.done("eval", "run", "--data", "data/blobs", "--json"))
        self.assertEqual((other["data"], other["samples"]), ("data/blobs", 100))
        self.assertIn(f"data     {os.path.abspath('mine')}\n", self.done("eval", "run"))
        self.assertIn(f"data     data/blobs (trained on {os.path.abspath('mine')})\n", self.done("eval", "run", "--data", "data/blobs"))
        os.rename("mine", "moved")
        self.refused("eval", "run", words=["run/model.safetensors", f"trained on {os.path.abspath('mine')}", "--data PATH"])
        self.done("train", "r.ini", "--out", "run", "--force", "--quiet")
        self.assertEqual(json.loads(self.done("eval", "run", "--json"))["data"], "data/blobs")

    def test_drawn_digits(self):
        write("r.ini", RECIPE.format(input="28x28x1", flatten="f = flatten\n", more="samples = 200"))
        self.done("train", "r.ini", "--data", "digits", "--out", "run", "--quiet")
        report = json.loads(self.done("eval", "run", "--json"))
        self.assertEqual((report["data"], report["samples"]), ("digits", 40))


class Layouts(Command):
    """Colour pixel by pixel and plane by plane: as many values are not the same picture."""

    RECIPE = """[model]
input = {input}
{flatten}l1 = linear units=2
[data]
classes = 2
{more}
[train]
epochs = 3
lr = 1e-2
"""

    def recipe(self, input, more="", flatten="f = flatten\n"):
        write("r.ini", self.RECIPE.format(input=input, flatten=flatten, more=more))

    def arrays(self, folder, height, width, planes, count=20):
        """Red ones and blue ones, with noise that is the same in both layouts."""
        noise = random.Random(1)
        values = []
        for i in range(count):
            picture = [[noise.random() + (c == 2 * (i % 2)) for c in range(3)] for _ in range(height * width)]
            values += [picture[p][c] for c in range(3) for p in range(height * width)] if planes else sum(picture, [])
        sizes = (3, height, width) if planes else (height, width, 3)
        write(f"{folder}/x.npy", npy(("<f4", "f"), f"{(count, *sizes)}", values))
        write(f"{folder}/y.npy", npy(("|u1", "B"), f"({count},)", [i % 2 for i in range(count)]))

    def test_arrays_of_both_layouts(self):
        """The same pictures give the same models, byte for byte."""
        for height, width, option in ((6, 5, False), (3, 3, True)):
            for shape, flatten in ((f"{height}x{width}x3", "f = flatten\n"), (f"1x1x{height * width * 3}", "")):
                self.recipe(shape, flatten=flatten)
                models, losses = [], []
                for planes in (False, True):
                    # Under one name: models say where their data were.
                    self.arrays("d", height, width, planes)
                    more = ("--layout", "nchw" if planes else "nhwc") if option else ()
                    self.done("train", "r.ini", "--data", "d", "--out", "run", "--force", "--quiet", *more)
                    if option:
                        self.assertEqual(json.loads(self.done("info", "run", "--json"))["facts"]["data.layout"], more[1])
                    models.append(safetensors_read("run/model.safetensors")[1])
                    losses.append(json.loads(self.done("eval", "run", "--json"))["loss"])
                    other = json.loads(self.done("predict", "run", "d/x.npy", *more, "--json"))["predictions"]
                    self.assertEqual(len(other), 20)
                self.assertEqual(models[0], models[1])
                self.assertEqual(losses[0], losses[1])
                if option:
                    self.recipe(shape, flatten=flatten)
                    self.refused("train", "r.ini", "--data", "d", words=["d/x.npy", "3x3x3", "layout = nchw"])
                    self.recipe(shape, "layout = nchw", flatten)
                    self.done("train", "r.ini", "--data", "d", "--out", "run", "--force", "--quiet")
                    self.assertEqual(safetensors_read("run/model.safetensors")[1], models[0])

    def test_rows_are_planes(self):
        """Weights of PyTorch over rows of colour: a red pixel's value comes first, then all other reds."""
        rows = [bytes([90, 20, 10, 60, 0, 0]), bytes([130, 0, 0, 0, 0, 255])]
        for label in "01":
            write(f"p/{label}/a.png", png(2, 2, rows, 2))
        self.recipe("1x1x12", flatten="")
        reds = [1.0] * 4 + [0.0] * 8
        header = {"l1.weight": {"dtype": "F32", "shape": [2, 12], "data_offsets": [0, 96]},
                  "l1.bias": {"dtype": "F32", "shape": [2], "data_offsets": [96, 104]}}
        safetensors_write("w.safetensors", header, struct.pack("<26f", *reds, *[0.0] * 14))
        report = json.loads(self.done("eval", "w.safetensors", "--recipe", "r.ini", "--data", "p", "--all", "--json"))
        red = (90 + 60 + 130 + 0) / 255
        other = math.log(1 + math.exp(red))
        self.assertAlmostEqual(report["loss"], (other - red + other) / 2, places=5)

    def test_refused(self):
        self.recipe("4x5x3")
        self.arrays("d", 4, 5, True)
        self.refused("train", "r.ini", "--data", "d", "--layout", "hwc", words=["--layout", "'hwc'", "nhwc"])
        self.refused("train", "r.ini", "--data", "d", "--layout", "nhwc", words=["4x5x3", "3x4x5"])
        self.done("train", "r.ini", "--data", "d", "--out", "run", "--quiet")
        self.arrays("e", 5, 4, False)
        self.refused("predict", "run", "e/x.npy", words=["e/x.npy", "5x4x3", "4x5x3"])
        self.recipe("4x5x3", "layout = planes")
        self.refused("plan", "r.ini", words=["layout", "'planes'", "nchw"])
        write("t.csv", "".join(",".join(["1"] * 60) + f",{i % 2}\n" for i in range(20)))
        self.recipe("4x5x3")
        self.refused("train", "r.ini", "--data", "t.csv", words=["t.csv", "rows of 60 values", "4x5x3", "layout = nhwc"])
