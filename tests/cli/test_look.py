# SPDX-License-Identifier: MIT
"""Data looked at by stoa data, asked about by stoa predict, and the mistakes that stoa eval --wrong writes."""

import csv
import gzip
import io
import json
import os
import re
import statistics
import struct
import subprocess
import zlib

from support import BINARY, Command, idx_images, png, read, write
from test_data import arrays, table
from test_said import RECIPE, archive, pictures


def unpack_png(data):
    """Width, height, channels and bytes of a PNG without filters or interlacing, as the command writes it."""
    width, height, _, colour = struct.unpack(">IIBB", data[16:26])
    channels, at, body = {0: 1, 2: 3}[colour], 8, b""
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        body += data[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    raw, stride, rows, before = zlib.decompress(body), width * channels, [], bytes(width * channels)
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1 : (y + 1) * (stride + 1)])
        for x in range(stride):
            left = line[x - channels] if x >= channels else 0
            corner = before[x - channels] if x >= channels else 0
            guess = left + before[x] - corner
            paeth = min((left, before[x], corner), key=lambda v: (abs(guess - v), (left, before[x], corner).index(v)))
            line[x] = (line[x] + (0, left, before[x], (left + before[x]) // 2, paeth)[kind]) & 255
        rows.append(bytes(line))
        before = bytes(line)
    return width, height, channels, b"".join(rows)


class Looked(Command):
    def setUp(self):
        super().setUp()
        write("rows.ini", RECIPE.format(input="1x1x4", classes=3, more=""))
        write("colour.ini", RECIPE.format(input="8x8x3", classes=3, more=""))

    def csv_of(self, text):
        return list(csv.DictReader(io.StringIO(text)))

    def piped(self, data, *arguments):
        return subprocess.run([BINARY, *arguments], input=data, env=self.environment(), capture_output=True, timeout=60,
                              check=False)


class Data(Looked):
    """stoa data."""

    def report(self, *arguments):
        return json.loads(self.done("data", *arguments, "--json"))

    def test_a_table(self):
        write("my fruit.csv", table(150, 1))
        found = self.report("my fruit.csv")
        self.assertEqual((found["format"], found["columns"], found["label"]), ("csv", ["a", "b", "c", "d"], "fruit"))
        self.assertEqual((found["train"]["samples"], found["test"]["samples"]), (120, 30))
        self.assertEqual((found["train"]["shape"], found["train"]["type"]), ([1, 1, 4], "float32"))
        self.assertEqual(found["train"]["counts"], [40, 40, 40])
        # The training part is what a recipe that leaves nothing for a test reads: compare with all rows but those.
        rows = list(csv.DictReader(io.StringIO(table(150, 1))))
        for column, values in zip("abcd", found["values"]):
            numbers = [float(row[column]) for row in rows]
            self.assertEqual(values["name"], column)
            self.assertGreaterEqual(values["least"], min(numbers) - 1e-3)
            self.assertLessEqual(values["most"], max(numbers) + 1e-3)
            self.assertAlmostEqual(values["mean"], statistics.mean(numbers), delta=0.3 * statistics.pstdev(numbers))
            self.assertAlmostEqual(values["deviation"], statistics.pstdev(numbers), delta=0.2 * statistics.pstdev(numbers))
        text = self.done("data", "my fruit.csv")
        self.assertRegex(text, r"(?m)^train +120  1x1x4  float32$")
        self.assertRegex(text, r"(?m)^apple +40 +10  33\.33 %$")
        self.assertRegex(text, r"(?m)^ *a +b +c +d  fruit$")
        self.assertRegex(text, r"(?m)^in a recipe: input = 1x1x4, classes = 3$")
        self.assertEqual(len(re.findall(r"(?m)^ *\d+\.?\d* .*  (apple|pear|plum)$", text)), 5)

    def test_numbers_of_a_known_set(self):
        """Two columns whose numbers are known, one of them the same in every row, and a test part of its own."""
        write("set/train.csv", "u,v,w,kind\n" + "".join(f"{i},7,{-2 * i},{'ab'[i % 2]}\n" for i in range(10)))
        write("set/test.csv", "u,v,w,kind\n100,7,5,a\n")
        found = self.report("set")
        self.assertEqual([[v[key] for key in ("least", "most", "mean", "deviation")] for v in found["values"]],
                         [[0, 9, 4.5, found["values"][0]["deviation"]], [7, 7, 7, 0],
                          [-18, 0, -9, found["values"][2]["deviation"]]])
        self.assertAlmostEqual(found["values"][0]["deviation"], statistics.pstdev(range(10)), places=5)
        self.assertEqual((found["train"]["counts"], found["test"]["counts"]), ([5, 5], [1, 0]))
        self.assertRegex(self.done("data", "set"), r"(?m)^v +7 +7 +7 +0  always the same$")

    def test_pictures_in_the_terminal_and_as_files(self):
        pictures("photos", 10)
        text = self.done("data", "photos")
        self.assertRegex(text, r"(?m)^train +24  8x8x3  uint8, read as 0 to 1$")
        self.assertRegex(text, r"(?m)^red +\d")
        drawn = text.split("\n\n")[-2].splitlines()
        self.assertEqual(drawn[-1].split(), ["ant", "bee", "cat", "ant", "bee"])
        self.assertEqual({len(line.rstrip("\n")) for line in drawn[:-1]}, {5 * 8 + 4 * 2})
        # Bright ones are drawn with heavier letters.
        weight = [sum(" .:-=+*#%@".index(c) for line in drawn[:-1] for c in line[10 * k : 10 * k + 8]) for k in range(3)]
        self.assertEqual(weight, sorted(weight))
        self.assertGreater(weight[2], 2 * weight[0])
        self.done("data", "photos", "--picture", "samples.png")
        width, height, channels, _ = unpack_png(read("samples.png"))
        self.assertEqual((width, height, channels), (5 * (8 * 14 + 8) + 8, 8 * 14 + 16, 3))
        self.done("data", "photos", "--picture", "samples.svg")
        self.assertEqual(read("samples.svg").count(b"data:image/png;base64,"), 5)
        self.done("data", "photos", "--picture", "samples.svg")
        write("mine.png", "mine")
        self.refused("data", "photos", "--picture", "mine.png", words=["mine.png", "another file", "--force"])
        self.done("data", "photos", "--picture", "mine.png", "--force")

    def test_every_kind_and_every_width(self):
        (x, y), (x2, y2) = arrays(60, 1), arrays(30, 2)
        archive("parts.npz", x_train=x, y_train=y, x_test=x2, y_test=y2)
        for name, data in (("x", x), ("y", y)):
            write(f"npy/{name}.npy", data)
        for path, form, counts in (("blobs", "idx", (300, 100)), ("data/blobs", "idx", (300, 100)),
                                   ("digits", "digits", (9600, 2400)), ("parts.npz", "npz", (60, 30)),
                                   ("npy", "npy", (48, 12))):
            found = self.report(path)
            self.assertEqual((found["format"], found["train"]["samples"], found["test"]["samples"]), (form, *counts))
            for width in (40, 60, 200):
                text = self.done("data", path, env={"COLUMNS": str(width)})
                drawn = text.split("\n\n")[-2]
                self.assertLessEqual(max(map(len, drawn.splitlines())), width)
        self.assertEqual(self.report("parts.npz")["train"]["type"], "float64")

    def test_options_of_a_training(self):
        write("fruit.csv", table(150, 1).replace("a,b,c,d,fruit", "a,b,c,d,kind"))
        write("first.csv", "".join(",".join(reversed(line.split(","))) + "\n" for line in table(60, 1).splitlines()))
        found = self.report("first.csv", "--set", "label=fruit", "--set", "test=0.5", "--split-seed", "3")
        self.assertEqual((found["label"], found["names"], found["test"]["samples"]),
                         ("fruit", ["apple", "pear", "plum"], 30))
        self.assertNotEqual(found["test"]["checksum"], self.report("first.csv", "--set", "label=fruit", "--set",
                                                                   "test=0.5")["test"]["checksum"])
        self.done("train", "rows", "--data", "fruit.csv", "--out", "run", "--quiet")
        facts = json.loads(self.done("info", "run", "--json"))["facts"]
        found = self.report("fruit.csv", "--recipe", "rows")
        self.assertEqual(facts["data.checksum"], f"{found['train']['checksum']} {found['test']['checksum']}")
        self.assertEqual(facts["data.parts"], "120 30")

    def test_targets(self):
        rows = [(i / 10, 3 - i / 10, 2 * i, i % 2) for i in range(40)]
        for part in ("train", "test"):
            write(f"homes/{part}.csv", "a,b,price,rooms\n" + "".join("%g,%g,%g,%g\n" % row for row in rows))
        found = self.report("homes", "--set", 'target="price,rooms"')
        self.assertEqual((found["columns"], found["classes"]), (["a", "b"], 0))
        self.assertEqual([[target[key] for key in ("name", "least", "most", "mean")] for target in found["targets"]],
                         [["price", 0, 78, 39], ["rooms", 0, 1, 0.5]])
        self.assertAlmostEqual(found["targets"][0]["deviation"], statistics.pstdev(range(0, 80, 2)), places=4)
        text = self.done("data", "homes", "--set", 'target="price,rooms"')
        self.assertRegex(text, r"(?m)^price +0 +78 +39 +23\.08")
        self.assertRegex(text, r"(?m)^ +a +b +price +rooms$")
        self.assertEqual(len(re.findall(r"(?m)^ *[\d.]+ +[\d.]+ +[\d.]+ +[01]$", text)), 5)
        self.assertIn("in a recipe: input = 1x1x2; 2 targets\n", text)
        self.refused("data", "homes", "--set", "target=price,rooms", words=["--set", "several values"])

    def test_what_is_left_out_is_said(self):
        write("mixed/fruit.csv", table(60, 1))
        write("mixed/other.npz", b"no archive")
        self.assertEqual(len(self.report("mixed")["notes"]), 1)
        self.assertIn("other.npz", self.done("data", "mixed"))

    def test_refused(self):
        write("fruit.csv", table(60, 1))
        self.refused("data", "nowhere", words=["nowhere"])
        self.refused("data", "fruit.csv", "--set", "label=kind", words=["kind"])
        self.refused("data", "fruit.csv", "--picture", "a.svg", words=["--picture", "rows of values"])
        self.refused("data", "blobs", "--picture", "a.gif", words=["a.gif", "FILE.png"])
        self.refused("data", "blobs", "--set", "epochs=x", words=["epochs"])


class Predicted(Looked):
    """stoa predict."""

    def train_rows(self):
        write("fruit.csv", table(150, 1))
        self.done("train", "rows", "--data", "fruit.csv", "--set", "epochs=20", "--out", "run", "--quiet")
        return "run"

    def test_csv(self):
        model = self.train_rows()
        rows = self.csv_of(self.done("predict", model, "fruit.csv", "--csv", "-"))
        answers = json.loads(self.done("predict", model, "fruit.csv", "--json"))["predictions"]
        self.assertEqual(len(rows), 150)
        self.assertEqual(list(rows[0]), ["file", "row", "class", "name", "probability", "p_apple", "p_pear", "p_plum"])
        for row, answer in zip(rows, answers):
            self.assertEqual((row["file"], int(row["row"]), int(row["class"]), row["name"]),
                             ("fruit.csv", answer["sample"], answer["class"], answer["name"]))
            for name, probability in zip(("apple", "pear", "plum"), answer["probabilities"]):
                self.assertAlmostEqual(float(row[f"p_{name}"]), probability, delta=1e-5 * probability + 1e-12)
        self.assertEqual(self.done("predict", model, "fruit.csv", "--csv", "out.csv"), "out.csv: 150 samples\n")
        self.assertEqual(self.csv_of(read("out.csv").decode()), rows)
        self.done("predict", model, "fruit.csv", "--csv", "out.csv")
        write("mine.csv", "mine\n")
        self.refused("predict", model, "fruit.csv", "--csv", "mine.csv", words=["mine.csv", "--force"])
        self.done("predict", model, "fruit.csv", "--csv", "mine.csv", "--force")
        self.refused("predict", model, "fruit.csv", "--csv", "-", "--json", words=["--csv -", "--json"])
        write("it's \"a\", b.csv", table(3, 4))
        self.assertEqual(self.csv_of(self.done("predict", model, "it's \"a\", b.csv", "--csv", "-"))[2]["file"],
                         "it's \"a\", b.csv")

    def test_a_table_of_many(self):
        model = self.train_rows()
        text = self.done("predict", model, "fruit.csv").splitlines()
        self.assertEqual(text[0].split(), ["sample", "class", "probability", "then", "probability"])
        self.assertEqual(len(text), 151)
        self.assertTrue(text[150].startswith("fruit.csv:150  plum"), text[150])
        write("few.csv", table(20, 5))
        self.assertEqual(len(self.done("predict", model, "few.csv").splitlines()), 40)

    def test_sets_and_arrays(self):
        model = self.train_rows()
        write("parts/train.csv", table(90, 1))
        write("parts/test.csv", "".join(line.rsplit(",", 1)[0] + "\n" for line in table(33, 2).splitlines()))
        rows = self.csv_of(self.done("predict", model, "parts", "--csv", "-"))
        self.assertEqual([row["name"] for row in rows], ["apple", "pear", "plum"] * 11)
        (x, y), (x2, _) = arrays(60, 1), arrays(30, 2)
        archive("parts.npz", x_train=x, y_train=y, x_test=x2)
        self.done("train", "rows", "--data", "fruit.csv", "--out", "other", "--quiet")
        write("npy/x.npy", x)
        write("npy/y.npy", y)
        self.assertEqual(len(self.csv_of(self.done("predict", model, "npy", "fruit.csv", "--csv", "-"))), 60 + 150)

    def test_idx_files_and_sets_of_them(self):
        self.done("train", "tiny", "--out", "run", "--quiet")
        write("one.idx", idx_images(70, 2))
        write("one.gz", gzip.compress(idx_images(70, 2)))
        found = [[row["class"] for row in self.csv_of(self.done("predict", "run", path, "--csv", "-"))]
                 for path in ("one.idx", "one.gz", "data/blobs/t10k-images-idx3-ubyte.gz", "data/blobs")]
        self.assertEqual(found[0], found[1])
        self.assertEqual(found[2], found[3])
        self.assertEqual([len(classes) for classes in found], [70, 70, 100, 100])
        self.assertEqual(found[0], found[2][:70])
        write("cut.idx", idx_images(70, 2)[:-1])
        self.refused("predict", "run", "cut.idx", words=["cut.idx"])

    def test_folders_of_pictures(self):
        pictures("photos", 9)
        self.done("train", "colour", "--data", "photos", "--out", "run", "--quiet")
        rows = self.csv_of(self.done("predict", "run", "photos", "--csv", "-"))
        self.assertEqual([row["file"] for row in rows],
                         [f"photos/{name}/{i}.png" for name in ("ant", "bee", "cat") for i in range(9)])
        self.assertEqual({row["row"] for row in rows}, {""})
        flat = self.csv_of(self.done("predict", "run", "photos/bee/", "--csv", "-"))
        self.assertEqual([row["p_bee"] for row in flat], [row["p_bee"] for row in rows[9:18]])
        pictures("parts/train", 2)
        pictures("parts/test", 3, first=40)
        self.assertEqual({row["file"].split("/")[1] for row in self.csv_of(self.done("predict", "run", "parts", "--csv", "-"))},
                         {"test"})
        write("photos/bee/3.png", b"\x89PNG\r\n\x1a\nbroken")
        self.refused("predict", "run", "photos", words=["photos/bee/3.png"])
        self.refused("predict", "run", "home", words=["home", "no data of a known kind"])

    def test_standard_input(self):
        model = self.train_rows()
        rows = self.csv_of(self.done("predict", model, "fruit.csv", "--csv", "-"))
        for data in (read("fruit.csv"),):
            result = self.piped(data, "predict", model, "-", "--csv", "-")
            self.assertEqual((result.returncode, result.stderr), (0, b""))
            self.assertEqual([{**row, "file": "fruit.csv"} for row in self.csv_of(result.stdout.decode())], rows)
        x, _ = arrays(6, 1)
        self.assertEqual(len(self.csv_of(self.piped(x, "predict", model, "-", "--csv", "-").stdout.decode())), 6)
        before = set(os.listdir("/tmp"))
        for data, words in ((b"", "is empty"), (b"a,b,c,d\n1,2,x,4\n", "-:2"), (b"\x89PNG\r\n\x1a\n", "")):
            result = self.piped(data, "predict", model, "-")
            self.assertEqual((result.returncode, result.stdout), (2, b""), result.stderr)
            self.assertRegex(result.stderr.decode(), rf"^stoa: .*{words}.*\n$")
            self.assertNotIn("/tmp/stoa-", result.stderr.decode().replace(self.folder, ""))
        self.assertFalse([name for name in set(os.listdir("/tmp")) - before if re.fullmatch("stoa-[A-Za-z0-9]{6}", name)])
        self.done("train", "tiny", "--out", "other", "--quiet")
        pixels = idx_images(1, 2)[16:]
        picture = png(28, 28, [pixels[28 * y : 28 * y + 28] for y in range(28)])
        write("one.png", picture)
        self.assertEqual(self.piped(picture, "predict", "other", "-").stdout.decode(),
                         self.done("predict", "other", "one.png").replace("one.png", "-"))


class Wrong(Looked):
    """stoa eval --wrong."""

    def test_pictures(self):
        self.done("train", "tiny", "--out", "run", "--quiet", "--epochs", "1", "--lr", "1e-4")
        text = self.done("eval", "run", "--wrong", "bad/")
        report = json.loads(self.done("eval", "run", "--json"))
        count = report["samples"] - report["correct"]
        self.assertGreater(count, 5)
        self.assertTrue(text.endswith(f"\nwrong    bad/: {count} samples\n"), text)
        lines = self.csv_of(read("bad/index.csv").decode())
        self.assertEqual(sorted(os.listdir("bad")), sorted([line["file"] for line in lines] + ["index.csv"]))
        self.assertEqual(len(lines), count)
        pictures_of_set = gzip.decompress(read("data/blobs/t10k-images-idx3-ubyte.gz"))[16:]
        labels = gzip.decompress(read("data/blobs/t10k-labels-idx1-ubyte.gz"))[8:]
        matrix = [[0] * 10 for _ in range(10)]
        for line in lines:
            index, label, answer = (int(line[key]) for key in ("index", "label", "answer"))
            self.assertEqual(line["file"], f"{label}_{answer}_{index}.png")
            self.assertEqual(label, labels[index])
            self.assertGreaterEqual(float(line["probability"]), float(line["probability_of_label"]))
            self.assertEqual(unpack_png(read(f"bad/{line['file']}")),
                             (28, 28, 1, pictures_of_set[784 * index : 784 * index + 784]))
            matrix[label][answer] += 1
        for label, row in enumerate(report["confusion"]):
            self.assertEqual([n if i != label else 0 for i, n in enumerate(row)], matrix[label])

    def test_colours_and_names(self):
        for label, name in enumerate(("a/b".replace("/", " "), "c_d", "e")):
            for i in range(8):
                rows = [bytes((90 * label + 11 * i + 5 * x + y) % 250 for x in range(24)) for y in range(8)]
                write(f"photos/{name}/{i}.png", png(8, 8, rows, colour=2))
        self.done("train", "colour", "--data", "photos", "--out", "run", "--quiet", "--epochs", "1", "--lr", "1e-6")
        self.done("eval", "run", "--all", "--wrong", "bad")
        lines = self.csv_of(read("bad/index.csv").decode())
        self.assertGreater(len(lines), 0)
        for line in lines:
            self.assertRegex(line["file"], r"^(a-b|c-d|e)_(a-b|c-d|e)_\d+\.png$")
            folder = f"photos/{line['name']}"
            self.assertIn(unpack_png(read(f"bad/{line['file']}")), [unpack_png(read(f"{folder}/{i}.png")) for i in range(8)])

    def test_rows_stand_in_the_index(self):
        write("fruit.csv", table(150, 1))
        self.done("train", "rows", "--data", "fruit.csv", "--out", "run", "--quiet", "--lr", "1e-6")
        self.done("eval", "run", "--all", "--wrong", "bad")
        self.assertEqual(os.listdir("bad"), ["index.csv"])
        rows = list(csv.DictReader(io.StringIO(table(150, 1))))
        lines = self.csv_of(read("bad/index.csv").decode())
        self.assertGreater(len(lines), 0)
        for line in lines:
            row = rows[int(line["index"])]
            self.assertEqual(line["name"], row["fruit"])
            for column in "abcd":
                self.assertAlmostEqual(float(line[column]), float(row[column]), delta=1e-4 * abs(float(row[column])) + 1e-6)

    def test_no_mistakes(self):
        write("fruit.csv", table(150, 1))
        self.done("train", "rows", "--data", "fruit.csv", "--out", "run", "--quiet", "--epochs", "30")
        self.assertTrue(self.done("eval", "run", "--wrong", "bad").endswith("wrong    bad: 0 samples\n"))
        self.assertEqual(len(read("bad/index.csv").splitlines()), 1)

    def test_nothing_is_replaced_unasked(self):
        self.done("train", "tiny", "--out", "run", "--quiet", "--epochs", "1", "--lr", "1e-4")
        os.mkdir("empty")
        self.done("eval", "run", "--wrong", "empty")
        whole = self.snapshot()
        self.refused("eval", "run", "--wrong", "empty", words=["empty", "not empty", "--force"])
        self.done("eval", "run", "--wrong", "empty", "--force")
        self.assertEqual(self.snapshot(), whole)
        write("empty/notes.txt", "mine")
        self.refused("eval", "run", "--wrong", "empty", "--force", words=["holds other files"])
        self.refused("eval", "run", "--wrong", "tiny.ini", words=["tiny.ini", "is a file"])
        self.refused("eval", "run", "--force", words=["--force", "--wrong"])
        result = self.stoa("eval", "run", "--wrong", "nowhere/bad")
        self.assertEqual(result.returncode, 1)
        self.one_line(result, "nowhere/bad")

    def test_a_folder_that_cannot_be_filled(self):
        """A picture that cannot be written leaves nothing behind."""
        self.done("train", "tiny", "--out", "run", "--quiet", "--epochs", "1", "--lr", "1e-4")
        script = f'ulimit -f 0; trap "" XFSZ; exec "{BINARY}" eval run --wrong bad --json'
        before = self.snapshot()
        result = subprocess.run(["sh", "-c", script], env=self.environment(), capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
        self.one_line(result, "bad", "cannot write")
        self.assertEqual(self.snapshot(), before)


if __name__ == "__main__":
    import unittest

    unittest.main()
