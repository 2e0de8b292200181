# SPDX-License-Identifier: MIT
"""Data other than IDX, as a user trains with them: to the end, measured, and asked; and what is wrong with them."""

import gzip
import json
import os
import random
import struct
import zipfile

from support import Command, idx_images, png, read, write

SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "data")

RECIPE = """title = a table
[model]
input = 1x1x4
l1 = linear units=16
r1 = relu
l2 = linear units=3
[data]
set = {set}
classes = 3
{more}
[train]
epochs = 20
batch = 16
lr = 2e-2
seed = 1
"""


def table(count, seed, names=("apple", "pear", "plum"), header="a,b,c,d,fruit\n"):
    """Three clouds far from each other, and far from 0 in unlike units."""
    noise = random.Random(seed)
    lines = [header]
    for i in range(count):
        kind = i % 3
        values = [1000 + 10 * kind + noise.random(), 0.01 * noise.random(), -5 * kind + noise.random(), noise.random()]
        lines.append(",".join(f"{v:.4f}" for v in values) + f",{names[kind]}\n")
    return "".join(lines)


def npy(kind, shape, values):
    """An array as NumPy writes it: kind is the type's name and its letter for struct."""
    head = f"{{'descr': '{kind[0]}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode() + struct.pack(f"<{len(values)}{kind[1]}", *values)


def arrays(count, seed):
    """Three clouds, as samples of four doubles and labels of eight bytes."""
    noise = random.Random(seed)
    values = [(i % 3) * (k - 1) + 0.1 * noise.random() for i in range(count) for k in range(4)]
    return npy(("<f8", "d"), f"({count}, 4)", values), npy(("<i8", "q"), f"({count},)", [i % 3 for i in range(count)])


class Tables(Command):
    def recipe(self, set="fruit", more="normalize = measured"):
        write("table.ini", RECIPE.format(set=set, more=more))

    def train(self, *arguments):
        self.done("train", "table", "--quiet", "--out", "run", *arguments)
        return json.loads(self.done("eval", "run", *[a for a in arguments if a != "--force"], "--json"))

    def facts(self):
        return json.loads(self.done("info", "run", "--json"))["facts"]

    def test_train_eval_predict(self):
        self.recipe()
        write("data/fruit/fruit.csv", table(150, 1))
        report = self.train()
        self.assertEqual((report["samples"], report["accuracy"]), (30, 1))
        self.assertEqual(json.loads(self.done("eval", "run", "--all", "--json"))["samples"], 150)
        facts = self.facts()
        self.assertEqual(json.loads(facts["data.names"]), ["apple", "pear", "plum"])
        self.assertEqual(len(facts["data.mean"].split()), 4)
        write("new.csv", table(6, 2))
        write("bare.csv", "1020.5,0.005,-9.5,0.5\n")
        answers = json.loads(self.done("predict", "run", "new.csv", "bare.csv", "--json"))["predictions"]
        self.assertEqual([a["name"] for a in answers], ["apple", "pear", "plum"] * 2 + ["plum"])
        self.assertEqual([(a["file"], a["sample"]) for a in answers],
                         [("new.csv", i + 1) for i in range(6)] + [("bare.csv", 1)])
        text = self.done("predict", "run", "bare.csv").splitlines()
        self.assertTrue(text[0].startswith("bare.csv:1: plum "), text)
        self.assertEqual(len(text), 2)

    def test_many_batches_of_samples(self):
        self.recipe()
        write("data/fruit.csv", table(150, 1))
        self.train()
        answers = json.loads(self.done("predict", "run", "data/fruit.csv", "--json"))["predictions"]
        self.assertEqual([a["class"] for a in answers], [0, 1, 2] * 50)

    def test_labels_and_header(self):
        write("data/fruit.csv", table(150, 1, names=("2", "0", "1")))
        self.recipe(more="normalize = measured\nlabel = fruit\nheader = yes\ntest = 0.5\nsplit_seed = 9")
        report = self.train()
        self.assertEqual((report["samples"], report["accuracy"]), (75, 1))
        facts = self.facts()
        self.assertNotIn("data.names", facts)
        self.assertEqual([facts["data." + key] for key in ("label", "header", "test", "split_seed")],
                         ["fruit", "yes", "0.5", "9"])

    def test_split_seed_instead_of_the_recipes(self):
        write("data/fruit.csv", table(150, 1))
        found = []
        for number, option in (("9", ()), ("0", ("--split-seed", "4")), ("4", ()), ("9", ("--split-seed=0",)), ("0", ())):
            self.recipe(more=f"normalize = measured\nsplit_seed = {number}")
            self.done("train", "table", "--epochs", "1", "--out", "run", "--force", *option)
            found.append((read("run/model.safetensors"), self.facts().get("data.split_seed", "0")))
        # The split decides the first batches, and with the model travels which it was.
        self.assertEqual([number for _, number in found], ["9", "4", "4", "0", "0"])
        self.assertEqual(found[1], found[2])
        self.assertEqual(len({model for model, _ in found[:2] + found[4:]}), 3)

    def test_columns_by_their_names(self):
        """Tables in another order, with further columns, are read by the names of the training data."""
        self.recipe()
        write("data/fruit.csv", table(150, 1))
        plain = self.train()
        facts = self.facts()
        self.assertEqual((json.loads(facts["data.columns"]), facts["data.label_column"]), (["a", "b", "c", "d"], "fruit"))
        rows = [line.split(",") for line in table(150, 1).splitlines()]
        for order, between in (((4, 3, 2, 1, 0), ","), ((2, 0, 4, 1, 3), ";"), ((3, 2, 4, 1, 0), "\t")):
            mixed = "".join(between.join(row[i] for i in order) + "\n" for row in rows)
            write("mixed.csv", mixed)
            result = self.stoa("eval", "run", "--data", "mixed.csv", "--json")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(json.loads(result.stdout)["accuracy"], 1)
            self.assertEqual(json.loads(result.stdout)["loss"], plain["loss"])
            answers = json.loads(self.stoa("predict", "run", "mixed.csv", "--json").stdout)["predictions"]
            self.assertEqual([a["class"] for a in answers], [0, 1, 2] * 50)
        # Row numbers and a remark more: said, and no inputs.
        write("more.csv", "".join(f"{i},{','.join(row)},\"x, y\"\n" if i else f",{','.join(row)},note\n"
                                  for i, row in enumerate(rows)))
        result = self.stoa("eval", "run", "--data", "more.csv", "--json")
        self.assertEqual((result.returncode, json.loads(result.stdout)["loss"]), (0, plain["loss"]))
        self.assertIn("note: more.csv:1: column 7 is no input", result.stderr)
        write("other.csv", table(150, 1, header="a,b,c,e,fruit\n"))
        self.refused("eval", "run", "--data", "other.csv", words=["other.csv:1", "no column 'd'", "number 4 of 4"])
        self.refused("predict", "run", "other.csv", words=["other.csv:1", "no column 'd'"])
        write("both/train.csv", table(90, 1))
        write("both/test.csv", "".join(",".join(row[::-1]) + "\n" for row in rows))
        self.assertEqual(self.train("--data", "both", "--force")["accuracy"], 1)

    def test_parts_of_their_own(self):
        self.recipe()
        write("data/fruit/train.csv", table(90, 1))
        write("data/fruit/test.csv", table(2, 2))
        self.assertEqual(self.train()["samples"], 2)
        self.assertEqual(self.train("--data", "data/fruit/train.csv", "--force")["samples"], 18)

    def test_a_state_dictionary_measures_again(self):
        self.recipe()
        write("data/fruit.csv", table(150, 1))
        own = self.train()
        for more in ((), ("--all",)):
            other = json.loads(self.done("eval", "run", "--recipe", "table", *more, "--json"))
            self.assertEqual(other["accuracy"], 1)
        self.assertEqual(own["loss"], json.loads(self.done("eval", "run", "--recipe", "table", "--json"))["loss"])

    def test_iris(self):
        self.recipe(set="iris")
        report = self.train("--data", os.path.join(SHIPPED, "iris"))
        self.assertEqual(report["samples"], 30)
        self.assertGreater(report["accuracy"], 0.85)

    def test_arrays(self):
        self.recipe(set="clouds")
        for part, count in (("train", 60), ("test", 12)):
            for name, array in zip("xy", arrays(count, count)):
                write(f"data/clouds/{name}_{part}.npy", array)
        report = self.train()
        self.assertEqual((report["samples"], report["accuracy"]), (12, 1))
        for packing in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            with zipfile.ZipFile("clouds.npz", "w", packing) as archive:
                for name, array in zip("xy", arrays(30, 5)):
                    with archive.open(name + ".npy", "w", force_zip64=True) as member:
                        member.write(array)
            report = json.loads(self.done("eval", "run", "--data", "clouds.npz", "--all", "--json"))
            self.assertEqual((report["samples"], report["accuracy"]), (30, 1))
        for file in ("clouds.npz", "data/clouds/x_test.npy"):
            answers = json.loads(self.done("predict", "run", file, "--json"))["predictions"]
            self.assertEqual([a["class"] for a in answers], [i % 3 for i in range(len(answers))])

    def test_idx_of_floats(self):
        """Rows of floats with labels of four bytes, in a folder within the folder."""
        self.recipe(set="clouds")
        noise = random.Random(2)
        for part, count in (("train", 90), ("test", 30)):
            values = [(i % 3) * (k - 1) + 0.1 * noise.random() for i in range(count) for k in range(4)]
            write(f"data/clouds/CLOUDS/raw/{part}-images-idx2-float",
                  struct.pack(f">BBBBII{4 * count}f", 0, 0, 13, 2, count, 4, *values))
            write(f"data/clouds/CLOUDS/raw/{part}-labels-idx1-int",
                  struct.pack(f">BBBBI{count}i", 0, 0, 12, 1, count, *[i % 3 for i in range(count)]))
        report = self.train()
        self.assertEqual((report["samples"], report["accuracy"]), (30, 1))
        write("data/clouds/CLOUDS/raw/test-labels-idx1-int", struct.pack(">BBBBI30i", 0, 0, 12, 1, 30, *[3] * 30))
        self.refused("eval", "run", words=["test-labels-idx1-int", "label 0 is 3", "0 to 2"])

    def test_pictures(self):
        """Models that were trained on pictures take pictures as they are; others prepare a digit."""
        noise = random.Random(1)
        self.recipe(set="shades", more="")
        recipe = RECIPE.format(set="shades", more="").replace("1x1x4", "4x4x3\nf = flatten")
        write("table.ini", recipe)
        for kind, colour in enumerate(((255, 0, 0), (0, 255, 0), (0, 0, 255))):
            for i in range(20):
                rows = [bytes(max(0, min(255, c + noise.randrange(-40, 40))) for _ in range(4) for c in colour)
                        for _ in range(4)]
                write(f"data/shades/{('red', 'green', 'blue')[kind]}/{i}.png", png(4, 4, rows, 2))
        report = self.train()
        self.assertEqual((report["samples"], report["accuracy"]), (12, 1))
        files = [f"data/shades/{name}/3.png" for name in ("blue", "green", "red")]
        answers = json.loads(self.done("predict", "run", *files, "--json"))["predictions"]
        self.assertEqual([a["name"] for a in answers], ["blue", "green", "red"])
        write("large.png", png(5, 4, [bytes(15)] * 4, 2))
        self.refused("predict", "run", "large.png", words=["large.png", "4x5", "4x4"])
        write(files[0], png(4, 4, [bytes(12)] * 4, 2)[:-30])
        self.refused("train", "table", words=[files[0], "damaged PNG"])
        write(files[0], png(5, 4, [bytes(15)] * 4, 2))
        self.refused("train", "table", words=[files[0], "4x5", "4x4"])
        for folder in ("yellow", "empty"):
            os.makedirs(f"data/shades/{folder}")
        self.refused("train", "table", words=["data/shades", "5 folders", "3 classes"])

    def test_rows_of_pictures(self):
        """A network over rows, trained on pictures, takes pictures: grey and in colour."""
        noise = random.Random(5)
        for name, size, colour in (("grey", 16, 0), ("colour", 48, 2)):
            for kind in range(3):
                for i in range(20):
                    rows = [bytes(noise.randrange(40) + 200 * ((c % 3 if colour else y % 3) == kind) for c in range(size // 4))
                            for y in range(4)]
                    write(f"data/{name}/{kind}/{i}.png", png(4, 4, rows, colour))
            write("table.ini", RECIPE.format(set=name, more="").replace("1x1x4", f"1x1x{size}"))
            self.assertEqual(self.train("--force", "--data", f"data/{name}")["accuracy"], 1)
            files = [f"data/{name}/{kind}/3.png" for kind in (2, 0, 1)]
            answers = json.loads(self.done("predict", "run", *files, "--json"))["predictions"]
            self.assertEqual([a["class"] for a in answers], [2, 0, 1])
        write("large.png", png(5, 4, [bytes(15)] * 4, 2))
        self.refused("predict", "run", "large.png", words=["large.png", "4x5 pixels", "48 values"])

    def test_pictures_for_colour_arrays(self):
        """A model that was trained on arrays of colours takes PNG pictures of their size as they are."""
        write("table.ini", RECIPE.format(set="shades", more="").replace("1x1x4", "4x4x3\nf = flatten"))
        noise = random.Random(3)
        shades = [[max(0, min(255, 230 * (c == i % 3) + noise.randrange(25))) for _ in range(16) for c in range(3)]
                  for i in range(90)]
        for part in ("train", "test"):
            write(f"data/shades/x_{part}.npy", npy(("|u1", "B"), "(90, 4, 4, 3)", sum(shades, [])))
            write(f"data/shades/y_{part}.npy", npy(("|u1", "B"), "(90,)", [i % 3 for i in range(90)]))
        self.assertEqual(self.train()["accuracy"], 1)
        for i in range(3):
            write(f"{i}.png", png(4, 4, [bytes(shades[i][12 * y : 12 * y + 12]) for y in range(4)], 2))
        answers = json.loads(self.done("predict", "run", "0.png", "1.png", "2.png", "--json"))["predictions"]
        self.assertEqual([a["class"] for a in answers], [0, 1, 2])
        table = json.loads(self.done("predict", "run", "data/shades/x_test.npy", "--json"))["predictions"]
        for one, other in zip(answers, table):
            self.assertAlmostEqual(one["probability"], other["probability"], 6)
        write("large.png", png(5, 4, [bytes(15)] * 4, 2))
        self.refused("predict", "run", "large.png", words=["large.png", "4x5", "4x4"])

    def test_data_that_change(self):
        """Arrays on disk that change during a run end it with a sentence; the last whole epoch's model stays."""
        self.recipe(set="large", more="memory = 256K")
        write("table.ini", read("table.ini").decode().replace("epochs = 20", "epochs = 1000000"))
        for seed, part in enumerate(("train", "test")):
            samples, labels = arrays(10000, seed)
            write(f"data/large/x_{part}.npy", samples)
            write(f"data/large/y_{part}.npy", labels)
        run = self.start("train", "table", "--out", "run")
        for _ in range(4):  # two lines of what will run, and two epochs
            self.assertTrue(run.stdout.readline(), run.poll() and run.stderr.read())
        os.truncate("data/large/x_train.npy", 50000)
        _, errors = run.communicate(timeout=60)
        self.assertEqual(run.returncode, 1, errors)
        lines = errors.splitlines()
        self.assertEqual(len(lines), 1, errors)
        self.assertRegex(lines[0], "^stoa: epoch [0-9]+, step [0-9]+: data/large/x_train.npy: changed while it was in use")
        self.assertEqual(self.facts()["data.format"], "npy")

    def test_what_pictures_lose(self):
        """What of a folder of pictures is left out or changed is said in a line each, unless --quiet."""
        write("table.ini", RECIPE.format(set="shades", more="").replace("1x1x4", "4x4x1\nf = flatten"))
        for part, count in (("train", 3), ("val", 1)):
            for name in ("red", "green", "blue"):
                for i in range(count):
                    write(f"data/shades/{part}/{name}/{i}.png", png(4, 4, [bytes(range(12))] * 4, 2))
        write("data/shades/train/red/notes.txt", "x")
        result = self.stoa("train", "table", "--epochs", "1", "--batch", "8", "--out", "run")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("9 training and 3 test images", result.stdout)
        notes = result.stderr.splitlines()
        self.assertTrue(all(line.startswith("stoa: note: data/shades") for line in notes), notes)
        for words in ("train/red/notes.txt", "of 9 pictures 9 are stored in colour", "val is taken as the test part"):
            self.assertEqual(sum(words in line for line in notes), 1, notes)
        self.done("train", "table", "--epochs", "1", "--out", "again", "--quiet")
        write("data/shades/train/red/7.jpg", "x")
        self.refused("train", "table", words=["data/shades/train/red/7.jpg", "neither a PNG nor a JPEG"])

    def test_weights(self):
        """Rare classes count for more, in training and in the loss that the model names."""
        lines = table(150, 1).splitlines(keepends=True)
        write("data/fruit.csv", "".join(lines[:1] + [line for i, line in enumerate(lines[1:]) if i % 3 or i < 60]))
        losses = set()
        for more in ("", "\nweights = measured"):
            self.recipe(more="normalize = measured" + more)
            losses.add(self.train("--force")["loss"])
        self.assertEqual(len(losses), 2)
        self.assertEqual(self.facts()["loss"], "softmax_cross_entropy weights=2.5,1.0,1.0")
        self.recipe(more="weights = 3")
        self.refused("plan", "table", words=["weights", "'3'", "measured"])

    def test_drawn_digits(self):
        recipe = RECIPE.format(set="digits", more="samples = 1000").replace("1x1x4", "28x28x1\nf = flatten")
        write("table.ini", recipe.replace("units=3", "units=10").replace("classes = 3", "classes = 10"))
        report = self.train()
        self.assertEqual(report["samples"], 200)
        self.assertGreater(report["accuracy"], 0.7)
        self.assertEqual(report, {**json.loads(self.done("eval", "run", "--data", "digits", "--json")),
                                  "seconds": report["seconds"]})

    def test_larger_than_memory(self):
        """In windows, whose order depends on nothing but the seed."""
        noise = random.Random(1)
        count = 9000
        values = bytes(60 * (i % 3) + noise.randrange(60) for i in range(count) for _ in range(32))
        write("data/large/x.npy", npy(("|u1", "B"), f"({count}, 32)", values))
        write("data/large/y.npy", npy(("|u1", "B"), f"({count},)", [i % 3 for i in range(count)]))
        recipe = RECIPE.format(set="large", more="normalize = measured\nmemory = 256K").replace("1x1x4", "1x1x32")
        write("table.ini", recipe.replace("epochs = 20", "epochs = 2\nvalidation = 0.1"))
        models = set()
        for threads in ("1", "2"):
            self.assertGreater(self.train("--threads", threads, "--force")["accuracy"], 0.95)
            models.add(read("run/model.safetensors"))
        write("table.ini", read("table.ini").decode().replace("memory = 256K", ""))
        self.train("--force")
        models.add(read("run/model.safetensors"))
        self.assertEqual(len(models), 2)
        write("data/fruit.csv", table(9000, 1))
        write("table.ini", RECIPE.format(set="fruit", more="memory = 256K").replace("1x1x4", "1x1x40"))
        write("data/fruit.csv", "".join(",".join(["1"] * 40) + f",{i % 3}\n" for i in range(3000)))
        self.refused("train", "table", words=["fruit.csv", "480000 bytes", "262144"])

    def test_refused_arrays(self):
        self.recipe(set="clouds")
        x, y = arrays(60, 1)
        write("data/clouds/y.npy", y)
        for bad, words in (
            (x.replace(b"<f8", b"<c8"), ["clouds/x.npy", "'<c8'", "f2 to f8"]),
            (x.replace(b"<f8", b"<f2"), ["clouds/x.npy", "1920 bytes", "480"]),
            (x.replace(b"False", b"Maybe"), ["clouds/x.npy", "fortran_order Maybe", "False"]),
            (x[:-1], ["clouds/x.npy", "1919 bytes", "offset 128", "1920"]),
            (x[:-8] + struct.pack("<d", float("nan")), ["clouds/x.npy", "value 239", "offset 2040", "nan"]),
            (b"", ["clouds/x.npy", "not an NPY file"]),
            (arrays(59, 1)[0], ["clouds/y.npy", "60 labels", "59"]),
        ):
            write("data/clouds/x.npy", bad)
            self.refused("train", "table", words=words)
        write("clouds.npz", b"PK\5\6")
        self.refused("train", "table", "--data", "clouds.npz", words=["clouds.npz", "truncated"])

    def test_refused(self):
        self.recipe()
        for text, words in (
            ("1,2,3,4,a\n1,2,3,b\n", ["fruit.csv:2", "found 4 columns", "expected 5"]),
            ("1,2,3,4,a\n1,x,3,4,b\n1,2,3,4,c\n", ["fruit.csv:2", "column 2", "'x'"]),
            ("1,2,3,4,a\n1,nan,3,4,b\n1,2,3,4,c\n", ["fruit.csv:2", "column 2", "'nan'"]),
            ("1,2,3,4,a\n1,2,3,4,a\n1,2,3,4,b\n1,2,3,4,c\n", ["fruit.csv", "one sample", "'b'"]),
            ("1,2,3,4,a\n\"1,2,3,4,b\n", ["fruit.csv:2", "closing quote"]),
            ("", ["fruit.csv:1"]),
            ("1,2,3,a\n1,2,3,b\n1,2,3,c\n" * 3, ["1x1x4", "1x1x3"]),
        ):
            write("data/fruit.csv", text)
            self.refused("train", "table", words=words)
        write("data/fruit.csv", table(150, 1))
        self.train()
        write("short.csv", "1,2\n")
        write("bad.csv", "1,2,3,four\n")
        self.refused("predict", "run", "short.csv", words=["short.csv", "expected 4"])
        self.refused("predict", "run", "bad.csv", words=["bad.csv:1", "'four'"])
        write("other.csv", table(9, 1, names=("a", "b", "c")))
        self.refused("eval", "run", "--data", "other.csv", words=["other.csv:2", "'a'", "'apple'"])

    def test_refused_keys(self):
        for more, words in (
            ("normalize = always", ["table.ini:10", "normalize", "'always'", "measured"]),
            ("normalize = measured\nmean = 3", ["mean", "line 11", "normalize"]),
            ("header = perhaps", ["table.ini:10", "header", "'perhaps'", "auto"]),
            ("test = 1", ["table.ini:10", "test", "'1'"]),
            ("split_seed = -1", ["table.ini:10", "split_seed", "'-1'"]),
        ):
            self.recipe(more=more)
            self.refused("plan", "table", words=words)
        self.recipe(more="label = taste")
        write("data/fruit.csv", table(9, 1))
        self.refused("train", "table", words=["fruit.csv:1", "'taste'"])


class Unlabelled(Command):
    def test_idx_without_labels(self):
        """A file, and a folder that has no labels: all samples of its files, each once, packed or not."""
        self.model()
        images = idx_images(9, 3)
        write("one/train-images-idx3-ubyte", images)
        write("two/a.idx", images)
        write("two/a.idx.gz", gzip.compress(images))
        write("two/b.idx.gz", gzip.compress(idx_images(4, 3)))
        alone = json.loads(self.done("predict", "model.safetensors", "one/train-images-idx3-ubyte", "--json"))["predictions"]
        for folder, files in (("one", {"one/train-images-idx3-ubyte": 9}), ("two", {"two/a.idx": 9, "two/b.idx.gz": 4})):
            answers = json.loads(self.done("predict", "model.safetensors", folder, "--json"))["predictions"]
            self.assertEqual({file: sum(a["file"] == file for a in answers) for file in files}, files)
            self.assertEqual(len(answers), sum(files.values()))
            self.assertEqual([a["class"] for a in answers[:9]], [a["class"] for a in alone])
        # With labels it is a set, whose test part is asked.
        self.assertEqual(len(json.loads(self.done("predict", "model.safetensors", "data/blobs", "--json"))["predictions"]), 100)
        refused = self.stoa("eval", "model.safetensors", "--data", "one")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("one: holds no train-labels-idx1-ubyte", refused.stderr)
