# SPDX-License-Identifier: MIT
"""The page that `stoa report` writes: what it says is what the other commands say, it is well-formed and asks for nothing,
names may be anything, and what cannot be reported is refused with a sentence.

Run by meson with STOA_BINARY; needs Python's standard library only, and no browser."""

import html.parser
import json
import os
import re
import resource
import shutil
import signal
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from support import Command, png, read, write  # noqa: E402

VOID = {"meta", "link", "input", "br", "hr", "img"}


class Page(html.parser.HTMLParser):
    """A page taken apart: every element with its attributes, its text and what it lies in."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.elements, self.faults = [], [], []
        self.feed(text)
        self.close()
        if self.open:
            self.faults.append(f"never closed: {[element['tag'] for element in self.open]}")

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        if len(set(names)) != len(names):
            self.faults.append(f"{tag}: an attribute twice: {names}")
        element = {"tag": tag, "attributes": dict(attrs), "text": "", "inside": [e["tag"] for e in self.open]}
        self.elements.append(element)
        if tag not in VOID:
            self.open.append(element)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open[-1]["tag"] != tag:
            self.faults.append(f"</{tag}> at {self.getpos()} closes {self.open[-1]['tag'] if self.open else 'nothing'}")
        else:
            self.open.pop()

    def handle_data(self, data):
        for element in self.open:
            element["text"] += data

    def all(self, tag, **attributes):
        """Elements with these attributes; a trailing _ keeps their names from being Python's."""
        wanted = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()}
        return [e for e in self.elements
                if e["tag"] == tag and all(e["attributes"].get(k) == v for k, v in wanted.items())]

    def text(self):
        return self.all("body")[0]["text"]

    def rows(self, caption):
        """The cells of the table with this caption, row by row."""
        rows, inside = [], False
        for element in self.elements:
            if element["tag"] == "caption":
                inside = element["text"] == caption
            elif inside and element["tag"] == "tr":
                rows.append([])
            elif inside and element["tag"] in ("td", "th"):
                rows[-1].append(element["text"].strip())
            elif element["tag"] == "table":
                inside = False
        return rows


class ReportCase(Command):
    def train(self, out, *more):
        self.done("train", "tiny", "--out", out, "--quiet", *more)

    def report(self, *arguments):
        """Write a report and take it apart."""
        path = self.done("report", *arguments).split("report  ")[1].strip()
        return self.taken_apart(path)

    def taken_apart(self, path):
        text = read(path).decode()  # UTF-8, or the test fails
        page = Page(text)
        self.assertEqual(page.faults, [])
        self.check_calm(text, page)
        self.check_accessible(page)
        return page

    def check_calm(self, text, page):
        """Nothing leads out of the file, and nothing in it runs but its own script."""
        self.assertEqual(set(re.findall(r"""https?://[^\s"'<>)]+""", text)), {"http://www.w3.org/2000/svg"})
        self.assertNotRegex(text, r"@import|url\(")
        for element in page.elements:
            for name, value in element["attributes"].items():
                self.assertFalse(name.startswith("on"), (element["tag"], name))
                if name in ("href", "src", "xlink:href", "action", "data", "poster", "srcset"):
                    self.assertRegex(value, r"^(#[\w-]+$|data:)", element["tag"])
        self.assertEqual(len(page.all("script")), 1)
        self.assertEqual(re.findall(r"[\x00-\x08\x0b-\x1f\x7f]", text), [])
        policy = page.all("meta", http_equiv="Content-Security-Policy")
        self.assertIn("default-src 'none'", policy[0]["attributes"]["content"])

    def check_accessible(self, page):
        ids = [e["attributes"]["id"] for e in page.elements if "id" in e["attributes"]]
        self.assertEqual(len(set(ids)), len(ids), "an id twice")
        for element in page.elements:
            for name in ("aria-labelledby", "aria-describedby"):
                for target in (element["attributes"].get(name) or "").split():
                    self.assertIn(target, ids)
            if element["tag"] == "a":
                self.assertIn(element["attributes"]["href"][1:], ids)
        self.assertEqual(page.all("html")[0]["attributes"]["lang"], "en")
        self.assertEqual([len(page.all(tag)) for tag in ("h1", "main", "header", "nav")], [1, 1, 1, 1])
        levels = [int(e["tag"][1]) for e in page.elements if re.fullmatch(r"h[1-6]", e["tag"])]
        self.assertTrue(all(b <= a + 1 for a, b in zip(levels, levels[1:])), levels)
        pictures = page.all("svg")
        self.assertGreater(len(pictures), 0)
        self.assertEqual(len(page.all("svg", role="img")), len(pictures))
        for tag in ("title", "desc"):
            own = [e for e in page.all(tag) if e["inside"][-1] == "svg"]
            self.assertEqual(len([e for e in own if e["text"].strip()]), len(pictures), tag)
        self.assertEqual(len(page.all("caption")), len(page.all("table")))
        for region in page.all("div", class_="scroll"):
            self.assertEqual(region["attributes"]["tabindex"], "0")
            self.assertTrue(region["attributes"]["aria-label"])


class OneRun(ReportCase):
    def test_says_what_the_other_commands_say(self):
        self.train("run")
        page = self.report("run")
        evaluation = json.loads(self.done("eval", "run", "--json"))
        info = json.loads(self.done("info", "run", "--json"))
        cards = dict(zip((e["text"] for e in page.all("dt")), (e["text"] for e in page.all("dd"))))
        self.assertTrue(cards["Test accuracy"].startswith(f"{100 * evaluation['accuracy']:.2f} %"), cards)
        wrong = evaluation["samples"] - evaluation["correct"]
        self.assertIn(f"{wrong} of {evaluation['samples']} wrong", cards["Test accuracy"])
        self.assertTrue(cards["Parameters"].startswith(f"{info['parameters']:,}"), cards)
        confusion = page.rows("Which class is taken for which")
        self.assertEqual([[int(n) for n in row[1:]] for row in confusion[1:]], evaluation["confusion"])
        classes = page.rows("Accuracy of each class")[1:]
        self.assertEqual([(int(row[1]), int(row[2])) for row in classes],
                         [(c["samples"], c["correct"]) for c in evaluation["classes"]])
        layers = page.rows("Layers")
        self.assertEqual([row[:2] for row in layers[1:-2]], [[e["name"], e["operator"]] for e in info["layers"]])
        self.assertEqual([int(row[4].replace(",", "")) for row in layers[1:-2]],
                         [e["parameters"] for e in info["layers"]])
        self.assertAlmostEqual(sum(float(row[9].split()[0]) for row in layers[1:-1]), 100, delta=0.5)
        for fact, value in info["facts"].items():
            self.assertIn(fact.split(".")[-1], page.text())
            self.assertIn(value.split("\n")[0], page.text())
        for value in info["origin"].values():
            self.assertIn(value, page.text())

    def test_curves_are_those_of_the_metrics(self):
        self.train("run", "--epochs", "3")
        page = self.report("run")
        lines = [json.loads(line) for line in read("run/metrics.jsonl").splitlines()]
        for title, names in {"Loss": ["test_loss", "train_loss"], "Accuracy": ["test_accuracy", "train_accuracy"],
                             "Learning rate": ["lr"]}.items():
            rows = page.rows(title)
            self.assertEqual(len(rows), 4, title)
            for row, line in zip(rows[1:], lines):
                self.assertEqual(int(row[0]), line["epoch"])
                for cell, name in zip(row[1:], names):
                    self.assertAlmostEqual(float(cell), line[name], delta=2e-3 * abs(line[name]) + 1e-9)
        self.assertEqual(len(page.rows("Images per second")), 4)

    def test_pictures(self):
        self.train("run", "--lr", "1e-6")  # it learns next to nothing, and is wrong
        page = self.report("run")
        self.assertEqual(len(page.all("svg", id="r1-album")), 1)
        mistakes = page.rows("The worst mistakes")[1:]
        self.assertTrue(10 <= len(mistakes) <= 24)
        shares = [float(re.search(r"with ([\d.]+) %", row[2]).group(1)) for row in mistakes]
        self.assertEqual(shares, sorted(shares, reverse=True))
        images = [e["attributes"]["href"] for e in page.all("image")]
        self.assertTrue(all(url.startswith("data:image/png;base64,iVBORw0KGgo") for url in images))
        self.assertEqual(len(images), len(mistakes) + 4 + 1 + 4 + 4 + 1)  # filters, the sample, c1, r1, l1
        flow = [e["text"].strip() for e in page.all("li")]
        self.assertEqual(len(flow), 4)  # flatten changes nothing
        self.assertIn("c1 conv2d, 12x12x4", flow[1])

    def test_memory_is_that_of_the_plan(self):
        self.train("run")
        page = self.report("run")
        self.assertIn("A training step of 32 samples", page.text())
        plan = json.loads(self.done("plan", "tiny", "--json"))
        blocks = page.rows("Memory of a training step")[1:]
        own = [v for v in plan["values"] if not v["in_place"] and v["bytes"] > 0]
        self.assertEqual([row[0] for row in blocks], [v["name"] for v in own])
        self.assertEqual([int(row[1]) for row in blocks], [v["first"] for v in own])
        self.assertEqual([int(row[2]) for row in blocks], [v["last"] + 1 for v in own])
        steps = page.rows("Every step of the plan")[1:]
        self.assertEqual([row[1:4] for row in steps],
                         [[s["layer"], s["operator"], s["pass"]] for s in plan["steps"]])

    def test_samples_are_taken_evenly(self):
        self.train("run")
        page = self.report("run", "--samples", "10")
        self.assertIn("of 10 samples", page.text())
        self.assertIn("evenly taken from 100", page.text())
        samples = [int(row[1]) for row in page.rows("Accuracy of each class")[1:]]
        self.assertEqual(sum(samples), 10)
        # Of data whose classes take turns not one class alone, and not the first ten, which are one of each.
        self.assertTrue(1 < max(samples) < 5, samples)

    def test_rows_of_numbers(self):
        write("flowers.csv", "length,width,kind\n" + "".join(
            f"{i % 7}.5,{i % 3},{'rose' if i % 2 else 'lily'}\n" for i in range(40)))
        write("rows.ini", "[model]\ninput=1x1x2\nl=linear units=2\n[data]\nclasses=2\n[train]\nepochs=1\nlr=1e-6\n")
        self.done("train", "rows.ini", "--data", "flowers.csv", "--out", "run", "--quiet")
        page = self.report("run")
        head = page.rows("Samples that the model is surest of and wrong about")[0]
        self.assertEqual(head, ["sample", "label", "answer", "sure", "label had", "length", "width"])
        self.assertTrue(all("li" in e["inside"] for e in page.all("image")))  # activations alone
        self.assertEqual({row[0] for row in page.rows("Accuracy of each class")[1:]}, {"rose", "lily"})

    def test_a_run_that_goes_on(self):
        self.train("run", "--epochs", "2")
        whole = read("run/metrics.jsonl")
        write("run/metrics.jsonl", whole + b'{"epoch": 3, "train_lo')
        page = self.report("run")
        self.assertIn("is not whole and is left out", page.text())
        self.assertEqual(len(page.rows("Loss")), 3)

    def test_metrics_of_earlier_versions(self):
        self.train("run", "--epochs", "1")
        os.remove("run/timing.jsonl")
        line = json.loads(read("run/metrics.jsonl"))
        older = {**line, "seconds": 61.5, "images_per_second": 1234.0, "threads": 2}
        write("run/metrics.jsonl", json.dumps(older) + "\n")
        page = self.report("run")
        self.assertIn("1:02 min", page.text())
        self.assertIn("1,234 images a second", page.text())

    def test_epochs_that_come_again(self):
        """A run that was continued says the last of an epoch, and nothing of the later ones before that."""
        self.train("run", "--epochs", "1")
        line = json.loads(read("run/metrics.jsonl"))
        write("run/metrics.jsonl", "".join(
            json.dumps({**line, "epoch": epoch, "test_loss": loss}) + "\n"
            for epoch, loss in ((1, 4.0), (2, 3.0), (3, 2.0), (2, 0.5))))
        rows = self.report("run").rows("Loss")[1:]
        self.assertEqual([[float(cell) for cell in row[:2]] for row in rows], [[1, 4], [2, 0.5]])

    def test_model_alone(self):
        self.model("alone.safetensors")
        page = self.report("alone.safetensors", "--out", "page.html")
        self.assertIn("Not shown: alone.safetensors is a model file alone", page.text())
        self.assertEqual(len(page.rows("Accuracy of each class")), 11)

    def test_without_data(self):
        self.train("run")
        shutil.rmtree("data/blobs")
        result = self.stoa("report", "run")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.one_line(result, "note: ", "blobs")
        page = self.taken_apart("run/report.html")
        self.assertIn("Not shown: ", page.text())
        self.assertGreater(len(page.rows("Layers")), 4)
        self.assertEqual(page.rows("Accuracy of each class"), [])

    def test_data_that_do_not_fit(self):
        self.train("run")
        write("rows.csv", "1,2,0\n3,4,1\n5,6,0\n7,8,1\n")
        self.refused("report", "run", "--data", "rows.csv", words=["rows.csv: the model takes samples of 28x28x1"])

    def test_without_model(self):
        self.train("run")
        os.remove("run/model.safetensors")
        page = self.report("run")
        self.assertIn("Not shown: run has no model.safetensors", page.text())
        self.assertEqual(len(page.rows("Loss")), 3)

    def test_same_but_for_times(self):
        """Two reports of a run differ in measured times only."""
        self.train("run")
        texts = []
        for _ in range(2):
            self.report("run")
            texts.append(re.sub("[\\d.e+-]+ (\xb5s|ms|s)\\b|--w:[\\d.]+%|[\\d.]+ %</td>", "",
                                read("run/report.html").decode()))
        self.assertEqual(*texts)


class Several(ReportCase):
    def test_a_default_that_is_said_is_no_difference(self):
        recipe = read("tiny.ini").decode()
        write("said.ini", recipe + "schedule = constant\n")
        write("other.ini", recipe + "schedule = cosine\n")
        for name in ("tiny", "said", "other"):
            self.done("train", name, "--epochs", "1", "--out", name)
        self.done("report", "tiny", "said", "--out", "two.html")
        self.assertEqual(Page(read("two.html").decode()).rows("Settings that differ"), [])
        self.done("report", "tiny", "other", "--out", "two.html")
        self.assertEqual(Page(read("two.html").decode()).rows("Settings that differ")[1:],
                         [["train.schedule", "constant", "cosine"]])

    def test_side_by_side(self):
        self.train("a")
        self.train("b", "--lr", "1e-6")
        self.model("c.safetensors")
        page = self.report("a", "b", "c.safetensors", "--out", "all.html")
        self.assertEqual([[float(cell) for cell in row[1:]] for row in page.rows("Settings that differ")[1:]],
                         [[5e-3, 1e-6, 5e-3]])
        rows = page.rows("Runs")[1:]
        self.assertEqual([row[0] for row in rows], ["a", "b", "c.safetensors"])
        for row, run in zip(rows, ("a", "b", "c.safetensors")):
            accuracy = json.loads(self.done("eval", run, "--json"))["accuracy"]
            self.assertEqual(row[1], f"{100 * accuracy:.2f} %")
        boxes = page.all("input", type="checkbox")
        self.assertEqual([box["attributes"]["id"] for box in boxes], ["show-1", "show-2", "show-3"])
        self.assertTrue(all("checked" in box["attributes"] and "label" in box["inside"] for box in boxes))
        self.assertEqual(page.rows("Loss")[0], ["epoch", "a, test", "a, training", "b, test", "b, training"])
        self.assertEqual({e["attributes"].get("class") for e in page.all("g")} & {"g1", "g2", "g3"}, {"g1", "g2"})
        self.assertEqual([e["text"] for e in page.all("h2")][-3:], ["a", "b", "c.safetensors"])

    def test_folder_of_runs(self):
        """A folder that is no run stands for the runs in it, in the order of their numbers."""
        for name in ("10-b", "9-a"):
            self.train(f"all/{name}", "--epochs", "1")
        os.makedirs("all/notes")
        write("all/table.json", "{}")
        page = self.report("all")
        self.assertEqual([row[0] for row in page.rows("Runs")[1:]], ["9-a", "10-b"])
        self.assertTrue(os.path.exists("all/report.html"))
        self.assertIn("9-a: epoch 1\n10-b: epoch 1\n", self.done("report", "all", "--text"))
        page = self.report("all", "all/9-a", "--out", "more.html")
        self.assertEqual(len(page.rows("Runs")), 4)

    def test_names_that_are_equal(self):
        self.train("x/run")
        self.train("y/run")
        page = self.report("x/run", "y/run", "--out", "all.html")
        self.assertEqual([row[0] for row in page.rows("Runs")[1:]], ["x/run", "y/run"])

    def test_ten_long_runs_are_small(self):
        """Ten runs of a hundred epochs each stay under 3 MB."""
        self.train("run0")
        line = json.loads(read("run0/metrics.jsonl").splitlines()[0])
        keys = ("train_loss", "train_accuracy", "test_loss", "test_accuracy", "validation_loss", "validation_accuracy")
        for run in range(10):
            if run:
                shutil.copytree("run0", f"run{run}")
            write(f"run{run}/metrics.jsonl", "".join(json.dumps(
                {**line, "epoch": e, "best": e == 70,
                 **{k: 0.1 + 0.012345 * run + 1 / (e + i) for i, k in enumerate(keys)}}) + "\n" for e in range(1, 101)))
        page = self.report(*(f"run{run}" for run in range(10)), "--out", "ten.html")
        self.assertEqual(len(page.rows("Loss")), 101)
        self.assertLess(os.path.getsize("ten.html"), 3_000_000)


class Hostile(ReportCase):
    NAMES = ("<script>alert(1)<\u2215script>", "\"'&amp;<b>", "tab\there\x1b[31m", "caf\u00e9 \u202e\u4e2d")

    def test_names(self):
        """Class names, the title of a recipe and a folder that would be markup or control a terminal, and a folder that is no UTF-8."""
        for part, count in (("train", 6), ("test", 3)):
            for c, name in enumerate(self.NAMES):
                for i in range(count):
                    rows = [bytes((40 * c + 3 * y + i) % 256 for _ in range(8)) for y in range(8)]
                    write(os.path.join("pictures", part, name, f"{i}.png"), png(8, 8, rows))
        write("pictures.ini", "title = <i>&\n[model]\ninput=8x8x1\nf=flatten\nl=linear units=4\n[data]\nclasses=4\n"
                              "[train]\nepochs=1\nlr=1e-9\n")
        folder = "<img src=x onerror=alert(1)>&'\"\udcff"
        self.done("train", "pictures.ini", "--data", "pictures", "--out", folder, "--quiet")
        result = self.stoa("report", folder)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        page = self.taken_apart(folder + "/report.html")
        self.assertIn("<script>alert(1)", page.text())
        self.assertIn("\"'&amp;<b>", page.text())
        self.assertEqual(len(page.all("b")), len(page.all("dt")))
        self.assertEqual(len(page.all("i")) + len(page.all("img")), 0)
        self.assertIn("<img src=x onerror=alert(1)>&'\"", page.all("h1")[0]["text"])
        self.done("report", folder, os.path.join(folder, "model.safetensors"), "--out", "two.html")
        self.taken_apart("two.html")

    def test_numbers_at_their_ends(self):
        self.train("run")
        write("run/metrics.jsonl", '{"epoch": 1, "train_loss": null, "test_loss": 1e308, "test_accuracy": -1e308, '
                                   '"lr": 5e-324, "seconds": -1, "images_per_second": 1e300}\n'
                                   '{"epoch": 999999999, "test_loss": -1e308}\n')
        page = self.report("run")
        self.assertNotRegex(" ".join(e["attributes"].get("d") or "" for e in page.all("path")), "nan|inf")

    def test_parameters_that_are_not_finite(self):
        self.train("run")
        data = bytearray(read("run/model.safetensors"))
        data[-4:] = b"\0\0\xc0\x7f"  # a NaN at the end of the last tensor
        write("run/model.safetensors", bytes(data))
        self.assertIn("is not finite", self.report("run").text())


class Refused(ReportCase):
    def test_operands(self):
        self.train("run")
        os.makedirs("empty")
        write("letter.txt", "no model\n")
        self.refused("report", words=["RUN missing", "stoa report RUN"])
        self.refused("report", "nowhere", words=["nowhere", "not found", "expected the folder of a run"])
        self.refused("report", "empty", words=["empty: found neither metrics.jsonl nor model.safetensors"])
        self.refused("report", "letter.txt", "--out", "x.html", words=["letter.txt"])
        self.refused("report", "run", "empty", "--out", "x.html", words=["empty: found neither"])
        self.refused("report", "run", "run", words=["--out FILE missing", "more than one run"])
        self.refused("report", "run/model.safetensors", words=["--out FILE missing", "a model file"])
        self.refused("report", "run", "--data", "nowhere", words=["nowhere"])
        self.refused("report", "run", "--samples", "0", words=["--samples", "'0'"])

    def test_metrics(self):
        self.train("run")
        good = read("run/metrics.jsonl").decode()
        for text, words in (
            ("not json\n" + good, ["run/metrics.jsonl:1", "no object of JSON"]),
            (good + "[]\n" + good, ["run/metrics.jsonl:3", "no object of JSON"]),
            (good + '{"epoch": "x"}\n', ["run/metrics.jsonl:3", "a text", "a number or null for 'epoch'"]),
            (good + '{"epoch": 0}\n', ["run/metrics.jsonl:3", "no whole number above 0"]),
            (good + '{"epoch": 3, "test_loss": []}\n', ["run/metrics.jsonl:3", "'test_loss'"]),
            ("\0\n" + good, ["run/metrics.jsonl:1"]),
        ):
            write("run/metrics.jsonl", text)
            self.refused("report", "run", words=words)
        os.remove("run/model.safetensors")
        for text in ("", '{"epo'):
            write("run/metrics.jsonl", text)
            self.refused("report", "run", words=["run/metrics.jsonl", "no epoch is done yet"])

    def test_help(self):
        """What its options mean is not what they mean to other commands."""
        page, train = self.done("help", "report"), self.done("help", "train")
        self.assertIn("file of the page (default: RUN/report.html)", page)
        self.assertIn("folder for model and metrics", train)
        self.assertNotIn("page", train)

    def test_model(self):
        self.train("run")
        write("run/model.safetensors", read("run/model.safetensors")[:-7])
        self.refused("report", "run", words=["run/model.safetensors"])

    def test_output(self):
        self.train("run")
        write("notes.html", "mine\n")
        os.makedirs("folder")
        os.mkfifo("pipe")
        self.refused("report", "run", "--out", "notes.html", words=["notes.html", "another file", "--force"])
        self.refused("report", "run", "--out", "folder", words=["folder", "found a folder"])
        self.refused("report", "run", "--out", "no/where.html", words=["no/where.html", "folder is not there"])
        self.refused("report", "run", "--out", "pipe", words=["pipe", "no regular file"])
        self.report("run", "--out", "notes.html", "--force")
        self.report("run", "--out", "notes.html")  # a page may take a page's place
        self.assertEqual(sorted(os.listdir(".")), ["data", "folder", "home", "notes.html", "pipe", "run", "tiny.ini"])

    def test_a_write_that_fails(self):
        """A page is whole or not there: with no room for it the old one stays."""
        self.train("run")
        self.report("run")
        before = self.snapshot()

        def no_room():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

        result = self.stoa("report", "run", preexec_fn=no_room)
        self.assertEqual(result.returncode, 1, result.stderr)
        self.one_line(result, "run/report.html", "cannot write", "File too large")
        self.assertEqual(self.snapshot(), before)


if __name__ == "__main__":
    unittest.main(verbosity=1)
