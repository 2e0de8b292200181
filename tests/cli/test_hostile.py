# SPDX-License-Identifier: MIT
"""Texts that come from files: nothing that the command prints of them steers a terminal, and none costs memory."""

import json
import os
import random
import subprocess

from support import BINARY, CLASSES, SIDE, Command, blob, png, read, safetensors_read, safetensors_write, write

ESCAPES = ["\x1b[2J\x1b]0;owned\x07", "a\x9b31mb", "tab\there", "two\nlines", "del\x7f", "caf\u00e9 \u65e5\u672c"]


class Escapes(Command):
    def hostile(self, path, change):
        """The trained model with another graph."""
        header, data = safetensors_read(self.model())
        graph = json.loads(header["__metadata__"]["stoa"])
        change(graph)
        header["__metadata__"]["stoa"] = json.dumps(graph)
        safetensors_write(path, header, data)
        return path

    def calm(self, *arguments):
        """Run the command; standard output and error hold no control character but newlines. Its output."""
        result = subprocess.run([BINARY, *arguments], env=self.environment(), timeout=120, check=False,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for stream in (result.stdout, result.stderr):
            text = stream.decode("utf-8")  # or it is not UTF-8
            found = [c for c in text if (ord(c) < 0x20 and c != "\n") or 0x7F <= ord(c) < 0xA0]
            self.assertEqual(found, [], (arguments, text))
        return result.stdout.decode("utf-8"), result.returncode

    def test_facts(self):
        def change(graph):
            graph["facts"].update({f"key {i}{text}": text for i, text in enumerate(ESCAPES)})
            graph["facts"]["data.format"] = graph["facts"]["recipe"] = ESCAPES[0]

        model = self.hostile("facts.safetensors", change)
        out, code = self.calm("info", model)
        self.assertEqual(code, 0)
        self.assertIn("caf\u00e9 \u65e5\u672c", out)
        self.assertIn("?[2J?]0;owned?", out)
        out, code = self.calm("info", model, "--json")
        facts = json.loads(out)["facts"]
        for i, text in enumerate(ESCAPES):
            self.assertEqual(facts[f"key {i}{text}"], text)
        self.calm("plan", model)
        self.calm("eval", model)

    def test_names_of_classes(self):
        names = [(ESCAPES * 2)[i] + str(i) for i in range(CLASSES)]

        def change(graph):
            graph["facts"]["data.names"] = json.dumps(names)

        model = self.hostile("names.safetensors", change)
        self.assertEqual(self.calm("eval", model)[1], 0)
        pictures = [f"{label}.png" for label in range(CLASSES)]
        for label, path in enumerate(pictures):
            pixels = blob(label, random.Random(label))
            write(path, png(SIDE, SIDE, [pixels[y * SIDE : (y + 1) * SIDE] for y in range(SIDE)]))
        out, code = self.calm("predict", model, *pictures)
        self.assertEqual(code, 0)
        self.assertIn("caf\u00e9 \u65e5\u672c5", out)
        self.assertIn("?[2J?]0;owned?0", out)
        out, code = self.calm("predict", model, *pictures, "--json")
        self.assertEqual(code, 0)
        self.assertLessEqual({row["name"] for row in json.loads(out)["predictions"]}, set(names))

    def test_names_of_files(self):
        name = b"data/\x1b[2J\xff\xc2\x9b.safetensors"
        with open(name, "wb") as file:
            file.write(read(self.model()))
        for command in ("info", "plan"):
            out, code = self.calm(command, os.fsdecode(name))
            self.assertEqual(code, 0)
            self.assertIn("data/?[2J???.safetensors", out)
        self.calm("info", os.fsdecode(name) + "\x1b")

    def test_refusals(self):
        for key in ("data.names", "data.mean", "data.split_seed"):
            model = self.hostile("bad.safetensors", lambda graph, k=key: graph["facts"].update({k: ESCAPES[0] + ESCAPES[1]}))
            _, code = self.calm("eval", model)
            self.assertEqual(code, 2)

    def highest(self, model):
        """The most memory that `stoa eval` held, in KiB: it must refuse the names of the classes."""
        process = subprocess.Popen([BINARY, "eval", model], env=self.environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        with process.stdout, process.stderr:
            out, err = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        self.assertEqual((process.returncode, out), (2, b""), err)
        self.assertIn(b"data.names", err)
        self.assertIn(b"expected an array of JSON with a name for each", err)
        return usage.ru_maxrss

    def test_lists_of_names_are_bounded(self):
        """Lists that no model can use cost a few times their size, and bad ones have their sentence."""

        def highest(text):
            return self.highest(self.hostile("many.safetensors", lambda graph: graph["facts"].update({"data.names": text})))

        usual = max(map(highest, ['["a"', '["a",]', "{}", "", '["a"] 1', '["a" "b"]', "[1]"]))
        for text in ("[" + "[]," * 700_000 + "[]]", "[" * 2_000_000, "[" + '"",' * 700_000 + '""]'):
            self.assertLess(highest(text), usual + 12 * os.path.getsize("many.safetensors") // 1024)
