# SPDX-License-Identifier: MIT
"""Tables as people have them, and targets: trained, measured and asked by the command. The tests draw their own sets."""

import json
import os
import random
import re
import struct
import zipfile

from support import Command, read, write

HOUSES = """[model]
input = 1x1x6
l1 = linear units=32
r1 = relu
l2 = linear units=1
[data]
target = price
ignore = id
categories = district
dates = built
missing = median
normalize = measured
normalize_targets = measured
{more}
[train]
epochs = 30
batch = 16
lr = 1e-2
seed = 1
validation = 0.2
keep_best = true
monitor = rmse
schedule = cosine
loss = mse
"""

TAGS = """[model]
input = 1x1x8
l1 = linear units=16
r1 = relu
l2 = linear units=3
[data]
task = multilabel
[train]
epochs = 25
batch = 16
lr = 1e-2
seed = 1
loss = bce_with_logits
"""


def houses(count, seed, order=(0, 1, 2, 3, 4, 5), separator=";"):
    """An id, a district, a date, rooms that lack now and then, an area, and the price that follows from them."""
    noise = random.Random(seed)
    rows = [("id", "district", "built", "rooms", "area", "price")]
    for i in range(count):
        district, year, rooms = noise.choice(("north", "south", "old town")), 1950 + noise.randrange(70), 1 + noise.randrange(6)
        area = 18 * rooms + 20 * noise.random()
        price = 1000 * area * (1.5 if district == "old town" else 1) + 500 * (year - 1950) + noise.gauss(0, 2000)
        rows.append((f"h{i}", district, f"{year}-0{1 + i % 9}-15", "" if noise.random() < 0.05 else str(rooms),
                     f"{area:.2f}", f"{price:.0f}"))
    return "".join(separator.join(row[i] for i in order) + "\n" for row in rows)


def npy(shape, code, data):
    head = f"{{'descr': '{code}', 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    head += b" " * ((64 - (10 + len(head) + 1)) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head + data


def tags(path, count, seed):
    """Eight numbers a sample, and three labels that it has or has not."""
    noise = random.Random(seed)
    planes = [[noise.gauss(0, 1) for _ in range(8)] for _ in range(3)]
    x = [[noise.gauss(0, 1) for _ in range(8)] for _ in range(count)]
    y = [[int(sum(a * b for a, b in zip(row, plane)) > 0.3) for plane in planes] for row in x]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", npy((count, 8), "<f4", b"".join(struct.pack("<8f", *row) for row in x)))
        archive.writestr("y.npy", npy((count, 3), "|i1", b"".join(struct.pack("3b", *row) for row in y)))


class Tables(Command):
    def setUp(self):
        super().setUp()
        write(self.path("houses.ini"), HOUSES.format(more=""))
        write(self.path("houses.csv"), houses(300, 1))
        write(self.path("tags.ini"), TAGS)
        tags(self.path("tags.npz"), 500, 3)

    def done(self, *arguments, **keywords):
        """The command, which may say on stderr what tables became."""
        result = self.stoa(*arguments, **keywords)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertTrue(all(line.startswith("stoa: ") and "note: " in line for line in result.stderr.splitlines()), result.stderr)
        return result.stdout

    def path(self, name):
        return os.path.join(self.folder, name)

    def metrics(self, run):
        return [json.loads(line) for line in read(self.path(os.path.join(run, "metrics.jsonl"))).decode().splitlines()]

    def test_regression(self):
        done = self.stoa("train", "houses.ini", "--data", "houses.csv", "--out", "run")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("'district' one for each of 3 categories, 'built' as days since 1970; other columns are left out",
                      done.stderr)
        self.assertIn("with the median of the column in the training data", done.stderr)
        self.assertNotIn("nan", done.stdout)
        lines = self.metrics("run")
        self.assertNotIn("test_accuracy", lines[0])
        best = [line for line in lines if line["best"]][-1]
        self.assertEqual(best["validation_rmse"], min(line["validation_rmse"] for line in lines))
        found = json.loads(self.done("eval", "run", "--json"))
        self.assertEqual((found["task"], found["samples"]), ("regression", 60))
        # The line that training offers tells the figure that training told.
        self.assertAlmostEqual(found["rmse"], best["test_rmse"], delta=1e-3 * best["test_rmse"])
        self.assertGreater(found["r2"], 0.97)
        self.assertEqual(found["targets"][0]["name"], "price")
        self.assertRegex(self.done("eval", "run"), r"(?m)^rmse     \d+")

    def test_other_order_and_missing_columns(self):
        self.done("train", "houses.ini", "--data", "houses.csv", "--out", "run")
        write(self.path("same.csv"), houses(40, 7))
        write(self.path("other.tsv"), houses(40, 7, (4, 5, 3, 1, 2), "\t"))
        same, other = (json.loads(self.done("eval", "run", "--data", name, "--all", "--json")) for name in ("same.csv", "other.tsv"))
        self.assertEqual(same["rmse"], other["rmse"])
        answers = json.loads(self.done("predict", "run", "other.tsv", "--json"))["predictions"]
        self.assertEqual(len(answers), 40)
        prices = [float(line.split(";")[5]) for line in houses(40, 7).splitlines()[1:]]
        off = [answer["values"][0] - price for answer, price in zip(answers, prices)]
        self.assertAlmostEqual((sum(x * x for x in off) / len(off)) ** 0.5, same["rmse"], delta=1e-3 * same["rmse"])
        write(self.path("less.csv"), houses(4, 7, (0, 2, 3, 4)))
        refused = self.stoa("predict", "run", "less.csv")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("less.csv:1: has no column 'district', expected one: the training data had it as number 1 of 4 inputs",
                      refused.stderr)

    def test_unknown_categories(self):
        self.done("train", "houses.ini", "--data", "houses.csv", "--out", "run", "--epochs", "2")
        write(self.path("new.csv"), "district,built,rooms,area\nharbour,1990-01-01,3,70\n")
        refused = self.stoa("predict", "run", "new.csv")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("new.csv:2: column 1: found 'harbour', expected one of 3 categories such as 'north'; unknown = zero",
                      refused.stderr)
        write(self.path("zero.ini"), HOUSES.format(more="unknown = zero"))
        self.done("train", "zero.ini", "--data", "houses.csv", "--out", "zero", "--epochs", "2")
        done = self.stoa("predict", "zero", "new.csv", "--csv", "-")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.splitlines()[0], "file,row,price")
        self.assertIn("1 field has a category that the training data do not have", done.stderr)

    def test_lines_to_write(self):
        for key, sentence in (("categories = district\n", "houses.csv:2: column 2: found "), ("dates = built\n", "dates in [data]"),
                              ("missing = median\n", "missing = mean, median or most_frequent in [data] fills it"),
                              ("target = price\n", "")):
            write(self.path("less.ini"), HOUSES.format(more="").replace(key, ""))
            refused = self.stoa("train", "less.ini", "--data", "houses.csv", "--out", "run")
            self.assertEqual(refused.returncode, 2, key)
            self.assertIn(sentence, refused.stderr)

    def test_labels(self):
        done = self.done("train", "tags.ini", "--data", "tags.npz", "--out", "run")
        self.assertIn("all right", done)
        found = json.loads(self.done("eval", "run", "--json"))
        last = self.metrics("run")[-1]
        for key in ("f1", "macro_f1", "average_precision", "accuracy"):
            self.assertAlmostEqual(found[key], last["test_" + key], places=6, msg=key)
        self.assertGreater(found["f1"], 0.9)
        self.assertEqual(len(found["targets"]), 3)
        answers = json.loads(self.done("predict", "run", "tags.npz", "--json"))["predictions"]
        self.assertEqual(len(answers), 500)
        for answer in answers[:20]:
            self.assertEqual(answer["labels"], [name for name, p in zip(answer["targets"], answer["probabilities"]) if p >= 0.5])

    def test_grid(self):
        done = self.done("train", "houses.ini", "--data", "houses.csv", "--out", "grid", "--epochs", "2", "--set", "lr=0.01,0.02")
        self.assertIn("* the best validation rmse", done)
        self.assertNotIn("nan", done)
        found = json.loads(self.done("train", "houses.ini", "--data", "houses.csv", "--epochs", "2", "--seeds", "3", "--json"))
        own = [run["test_rmse"] for run in found["settings"][0]["runs"]]
        self.assertAlmostEqual(found["settings"][0]["test_rmse"]["best"], min(own))

    def test_figures_of_runs(self):
        """Listed, compared, described and reported: errors of regression and hits of labels where accuracy stands for classes."""
        for name, rate in (("a", "1e-2"), ("b", "1e-3")):
            self.done("train", "houses.ini", "--data", "houses.csv", "--out", f"runs/{name}", "--lr", rate, "--quiet")
        self.done("train", "tags.ini", "--data", "tags.npz", "--out", "runs/tags", "--quiet")
        a, b = ([line for line in self.metrics(f"runs/{name}") if line["best"]][-1] for name in "ab")
        tags = self.metrics("runs/tags")[-1]
        lines = {line.split()[0]: line for line in self.done("runs", "--sort", "rmse").splitlines()}
        self.assertEqual(list(lines), ["run", "a", "b", "tags"])
        self.assertIn(f" rmse {a['test_rmse']:.4g} ", lines["a"])
        self.assertIn(f" f1 {tags['test_f1']:.4f} ", lines["tags"])
        self.assertEqual(self.done("runs", "--sort", "f1").splitlines()[1].split()[0], "tags")
        table = self.done("runs", "runs/a", "runs/b", "runs/tags").splitlines()
        at = table[0].index("a ")  # where the first run's column begins
        rows = {line[:at].strip(): line[at:].split() for line in table}
        for key in ("rmse", "mae"):
            self.assertEqual(rows["test " + key], [f"{a['test_' + key]:.4g}", f"{b['test_' + key]:.4g}", "-"])
            self.assertEqual(rows["valid " + key], [f"{a['validation_' + key]:.4g}", f"{b['validation_' + key]:.4g}", "-"])
        self.assertEqual(rows["test r2"], [f"{a['test_r2']:.4f}", f"{b['test_r2']:.4f}", "-"])
        for key in ("f1", "macro_f1", "average_precision"):
            self.assertEqual(rows["test " + key.replace("_", " ")], ["-", "-", f"{tags['test_' + key]:.4f}"])
        self.assertIn(f"test rmse {a['test_rmse']:.4g}, loss", self.done("info", "runs/a"))
        self.assertIn(f"test f1 {tags['test_f1']:.4f}, loss", self.done("info", "runs/tags"))

    def page(self, *arguments):
        self.done("report", *arguments, "--out", "page.html", "--force")
        return re.sub(r"\s*<[^>]*>\s*", "|", read("page.html").decode())

    def test_figures_of_reports(self):
        self.done("train", "houses.ini", "--data", "houses.csv", "--out", "a", "--quiet")
        self.done("train", "tags.ini", "--data", "tags.npz", "--out", "tags", "--quiet")
        last, tags = self.metrics("a")[-1], self.metrics("tags")[-1]
        page = self.page("a")
        self.assertRegex(page, rf"Test RMSE\|+{last['test_rmse']:.4g}\|+MAE {last['test_mae']:.4g}, R2 {last['test_r2']:.4f}, after")
        self.assertNotIn("accuracy", page.split("Curves")[0])
        self.assertRegex(self.page("tags"), rf"Test F1\|+{tags['test_f1']:.4f}\|+macro F1 {tags['test_macro_f1']:.4f}, "
                                            rf"average precision {tags['test_average_precision']:.4f}, accuracy ")
        least = min(self.metrics("a"), key=lambda line: line["test_rmse"])
        page = self.page("a", "tags")
        self.assertRegex(page, r"run\|+RMSE\|+MAE\|+R2\|+F1\|+macro F1\|+average precision\|+accuracy\|+best \(epoch\)\|+loss")
        self.assertIn(f"|{least['test_rmse']:.4g} ({least['epoch']})|", page)
        self.done("report", "a", "tags", "--svg", "drawn")
        self.assertEqual(sorted(os.listdir("drawn")), sorted(f"{name}.svg" for name in (
            "loss", "accuracy", "rmse", "r2", "f1", "average-precision", "rate", "speed")))
        self.assertIn(",test_mae,", self.done("report", "a", "--csv", "-"))


if __name__ == "__main__":
    import unittest
    unittest.main()
