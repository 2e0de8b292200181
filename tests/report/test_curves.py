# SPDX-License-Identifier: MIT
"""`stoa report --text, --svg, --csv`: curves in the terminal, as files and as a table, of runs that are done and of one that goes on.

Run by meson with STOA_BINARY; needs Python's standard library only."""

import csv
import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
import unittest
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))
from support import BINARY, Command, read, write  # noqa: E402

SVG = "{http://www.w3.org/2000/svg}"
UTF8, ASCII = {"LC_ALL": "C.UTF-8", "TERM": "xterm"}, {"LC_ALL": "C"}
DONE = ["accuracy.svg", "loss.svg", "rate.svg", "speed.svg"]


def metrics(epochs, factor=1.0):
    return [{"epoch": i, "train_loss": factor * 2 / i, "train_accuracy": 1 - 0.5 / i, "test_loss": factor * 2.5 / i,
             "test_accuracy": 1 - 0.6 / i, "lr": 0.001} for i in range(1, epochs + 1)]


def timing(epochs, start=1_700_000_000):
    return [{"epoch": i, "seconds": 1.5, "images_per_second": 1000.5 + i, "threads": 2, "time": start + 2 * i}
            for i in range(1, epochs + 1)]


def lines(objects):
    return "".join(json.dumps(one) + "\n" for one in objects)


class Curves(Command):
    def a_run(self, folder, epochs=10, factor=1.0, tail=""):
        write(f"{folder}/metrics.jsonl", lines(metrics(epochs, factor)) + tail)
        write(f"{folder}/timing.jsonl", lines(timing(epochs)))
        return folder

    def rows(self, text):
        table = list(csv.DictReader(io.StringIO(text, newline="")))
        return {(row["Run"], row["Tag"], int(row["Step"])): row for row in table}

    # ---- the table ----

    def test_csv_has_every_number_and_its_time(self):
        self.a_run("runs/one", 3)
        text = self.done("report", "--csv", "-", "runs/one")
        self.assertEqual(text.splitlines()[0], "Run,Tag,Wall time,Step,Value")
        rows = self.rows(text)
        expected = {(tag, line["epoch"]): value for line in metrics(3) + timing(3) for tag, value in line.items()
                    if tag not in ("epoch", "time")}
        self.assertEqual({key[1:] for key in rows}, set(expected))
        for (run, tag, step), row in rows.items():
            self.assertEqual(run, "one")
            self.assertAlmostEqual(float(row["Value"]), expected[tag, step], delta=1e-8 * abs(expected[tag, step]))
            self.assertEqual(int(row["Wall time"]), 1_700_000_000 + 2 * step)

    def test_csv_of_a_training(self):
        before = int(time.time())
        self.done("train", "tiny", "--out", "run", "--quiet")
        rows = self.rows(self.done("report", "--csv", "-", "run"))
        for line in map(json.loads, read("run/metrics.jsonl").splitlines()):
            for tag in set(line) - {"epoch"}:
                row = rows["run", tag, line["epoch"]]
                self.assertAlmostEqual(float(row["Value"]), line[tag], delta=1e-8)
                self.assertTrue(before <= int(row["Wall time"]) <= time.time())

    def test_csv_without_times_and_with_awkward_names(self):
        for name in ('a,"b"', "line\nbreak", "a/x", "b/x"):
            write(f"{name}/metrics.jsonl", lines(metrics(2)) + '{"epoch": 3, "test_loss": null, "lr": 0.1}\n')
        rows = self.rows(self.done("report", "--csv", "-", 'a,"b"', "line\nbreak", "a/x", "b/x/"))
        self.assertEqual({key[0] for key in rows}, {'a,"b"', "line\nbreak", "a/x", "b/x/"})
        self.assertTrue(all(row["Wall time"] == "" for row in rows.values()))
        self.assertNotIn(("a/x", "test_loss", 3), rows)
        self.assertEqual(float(rows["a/x", "lr", 3]["Value"]), 0.1)

    def test_csv_as_a_file(self):
        self.a_run("run")
        self.assertEqual(self.done("report", "--csv", "t.csv", "run"), "t.csv\n")
        first = read("t.csv")
        self.assertEqual(self.done("report", "--csv", "t.csv", "run", "--quiet"), "")
        self.assertEqual(read("t.csv"), first)
        write("other.csv", "something else\n")
        self.refused("report", "--csv", "other.csv", "run", words=["other.csv", "found another file", "--force"])
        self.done("report", "--csv", "other.csv", "run", "--force")
        self.assertEqual(read("other.csv"), first)
        self.refused("report", "--csv", "no/such/t.csv", "run", words=["no/such/t.csv"])

    # ---- drawings ----

    def test_svg(self):
        runs = [self.a_run(f"runs/{name}", 20, 1 + i) for i, name in enumerate(("first", "second <&>"))]
        out = self.done("report", "--svg", "pictures", *runs)
        self.assertEqual(sorted(out.split()), [f"pictures/{name}" for name in DONE])
        self.assertEqual(sorted(os.listdir("pictures")), DONE)
        for name in DONE:
            root = xml.etree.ElementTree.parse(f"pictures/{name}").getroot()
            texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
            what = ", test" if name in ("loss.svg", "accuracy.svg") else ""
            self.assertIn(f"first{what}", texts)
            self.assertIn(f"second <&>{what}", texts)
            self.assertIn("epoch", texts)
            self.assertTrue(root.find(f"{SVG}desc").text)
        self.assertEqual(sorted(self.done("report", "--svg", "pictures", *runs).split()), sorted(out.split()))

    def test_svg_of_what_there_is(self):
        write("run/metrics.jsonl", '{"epoch": 1, "train_loss": 1.5}\n')
        self.assertEqual(self.done("report", "--svg", ".", "run"), "./loss.svg\n")

    def test_svg_refused(self):
        self.a_run("run")
        write("file", "")
        self.refused("report", "--svg", "file", "run", words=["--svg", "'file' is no folder"])
        write("p/loss.svg", "mine")
        result = self.stoa("report", "--svg", "p", "run")
        self.assertEqual(result.returncode, 2)
        self.one_line(result, "p/loss.svg", "--force")
        self.assertEqual(read("p/loss.svg"), b"mine")

    # ---- the terminal ----

    def widths(self, text):
        return [len(line) for line in text.splitlines()]

    def test_text_in_ascii_and_in_braille(self):
        self.a_run("run")
        plain = self.done("report", "--text", "run", env={**ASCII, "COLUMNS": "60"})
        self.assertTrue(plain.isascii())
        self.assertEqual(max(self.widths(plain)), 60)
        self.assertEqual(plain.splitlines()[0], "run: epoch 10")
        for word in ("Loss", "a test", "b training", "Accuracy", "Learning rate", "Images per second", "epoch"):
            self.assertIn(word, plain)
        dots = self.done("report", "--text", "run", env={**UTF8, "COLUMNS": "90"})
        self.assertEqual(max(self.widths(dots)), 90)
        self.assertTrue(re.search("[\u2801-\u28ff]", dots) and "┤" in dots)
        self.assertNotIn("\x1b", plain + dots)  # colours are for terminals
        for env in ({"LC_ALL": "C.UTF-8", "TERM": "linux"}, {"LC_ALL": "C", "LANG": "C.UTF-8"}):
            self.assertTrue(self.done("report", "--text", "run", env=env).isascii(), env)
        for env in ({"LC_ALL": None, "LC_CTYPE": None, "LANG": "de_DE.utf8", "TERM": "xterm"},):
            self.assertFalse(self.done("report", "--text", "run", env=env).isascii(), env)

    def on_terminal(self, *arguments, columns, **env):
        """What the command writes to a terminal of so many columns."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        process = subprocess.Popen([BINARY, *arguments], env=self.environment(**env), stdin=slave, stdout=slave, stderr=slave)
        os.close(slave)
        written = b""
        while True:
            try:
                some = os.read(master, 65536)
            except OSError:  # the other side is closed
                break
            written += some
            if not some:
                break
        os.close(master)
        self.assertEqual(process.wait(), 0, written)
        return written.decode().replace("\r\n", "\n")

    def test_text_on_a_terminal(self):
        runs = [self.a_run("r1", 8), self.a_run("r2", 12, 3)]
        text = self.on_terminal("report", "--text", *runs, columns=67, **UTF8)
        bare = re.sub(r"\x1b\[\d+m", "", text)
        self.assertIn("\x1b[34m", text)
        self.assertIn("\x1b[31m", text)
        self.assertNotIn("\x1b", bare)
        self.assertEqual(max(self.widths(bare)), 67)
        for env in ({**UTF8, "NO_COLOR": "1"}, {**UTF8, "TERM": "dumb"}, {**UTF8, "TERM": None}):
            self.assertEqual(self.on_terminal("report", "--text", *runs, columns=67, **env), bare, env)

    def test_text_of_several_runs(self):
        runs = [self.a_run(f"r{i}", 10 * i, i) for i in range(1, 4)]
        text = self.done("report", "--text", *runs, env=ASCII)
        self.assertIn("Loss  a r1, test  b r2, test  c r3, test\n", text)
        self.assertEqual(text.splitlines()[:3], ["r1: epoch 10", "r2: epoch 20", "r3: epoch 30"])
        # The run of ten epochs ends at a third of the width: right of the middle there is none of its letter.
        drawing = text.split("\nLoss", 1)[1].split("+--", 1)[0].splitlines()[1:]
        self.assertTrue(any("a" in line[:40] for line in drawing))
        self.assertFalse(any("a" in line[45:] for line in drawing))
        self.assertTrue(any("c" in line[70:] for line in drawing))

    def test_text_while_the_run_goes_on(self):
        self.a_run("run", 4, tail='{"epoch": 5, "train_lo')
        text = self.done("report", "--text", "run", env=ASCII)
        self.assertIn("run: epoch 4, its last line is not whole: the run goes on, or was killed", text)
        write("begun/metrics.jsonl", '{"epoch": 1')
        self.refused("report", "--text", "begun", words=["begun", "no epoch is done yet"])

    def test_text_of_a_live_training(self):
        process = self.start("train", "tiny", "--out", "live", "--epochs", "400", "--quiet")
        deadline, seen = time.monotonic() + 60, set()
        while len(seen) < 3 and time.monotonic() < deadline and process.poll() is None:
            result = self.stoa("report", "--text", "live", env=ASCII)
            if result.returncode == 0:
                seen.add(int(re.match(r"live: epoch (\d+)", result.stdout).group(1)))
            else:
                self.assertEqual(result.returncode, 2, result.stderr)
        process.kill()
        process.communicate()
        self.assertGreaterEqual(len(seen), 3)

    def test_text_that_could_steer_the_terminal(self):
        self.a_run("a\x1b[31m\x9b")
        for env in (ASCII, UTF8):
            text = self.done("report", "--text", "a\x1b[31m\x9b", "a\x1b[31m\x9b", env=env)
            self.assertNotIn("\x1b", text)
            self.assertNotIn("\x9b", text)

    def test_all_at_once_and_a_page(self):
        self.a_run("run")
        out = self.done("report", "--text", "--svg", "s", "--csv", "t.csv", "--out", "page.html", "run", env=ASCII)
        self.assertTrue(out.startswith("run: epoch 10"))
        self.assertTrue(all(os.path.isfile(name) for name in ("s/loss.svg", "t.csv", "page.html")))
        self.assertTrue(out.endswith("t.csv\nreport  page.html\n"))
        os.remove("page.html")
        self.done("report", "--text", "run", env=ASCII)
        self.assertFalse(os.path.exists("page.html") or os.path.exists("run/report.html"))

    def test_refuses(self):
        self.refused("report", "--text", "nowhere", words=["nowhere"])
        self.a_run("run")
        for option in (["--data", "run"], ["--layout", "nhwc"], ["--all"], ["--samples", "3"]):
            self.refused("report", "--csv", "-", "run", *option, words=[option[0], "without a page", "--out FILE"])
        write("bad/metrics.jsonl", "[1]\n")
        for option in (["--text"], ["--csv", "-"], ["--svg", "x"]):
            self.refused("report", *option, "bad", words=["bad/metrics.jsonl:1"])
        with open("/dev/full", "w", encoding="utf-8") as full:
            result = self.stoa("report", "--csv", "-", self.a_run("run"), stdout=full)
        self.assertEqual(result.returncode, 1)
        self.one_line(result, "No space left")


if __name__ == "__main__":
    unittest.main()
