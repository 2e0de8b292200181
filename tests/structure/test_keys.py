#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The words about keys and options that people read. Usage: test_keys.py SOURCE STOA

Each key says what it means and what it takes; the tables of the pages are made from that. The options of `augment` have a table
of their own on the pages, with each of them.
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

STOA = sys.argv.pop()
ROOT = pathlib.Path(sys.argv.pop())
KEYS = json.loads(subprocess.run([STOA, "recipes", "--keys", "--json"], capture_output=True, check=True).stdout)
RECIPE = "[model]\ninput = 8x8x1\nl = linear units=2\n[train]\naugment = nothing=1\n"


def augment_options():
    """All of them, as the sentence about one that there is not names them."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "r.ini"
        path.write_text(RECIPE, encoding="utf-8")
        done = subprocess.run([STOA, "plan", str(path)], capture_output=True, text=True, check=False)
    return set(done.stderr.split(" expected ")[1].strip().split(", "))


class Keys(unittest.TestCase):
    def test_meanings(self):
        self.assertGreater(len(KEYS), 30)
        for key in KEYS:
            self.assertTrue(key["meaning"] and key["expected"], key["key"])
            self.assertTrue(key["meaning"][0].islower() or key["meaning"].startswith("["), key)

    def test_augment(self):
        options = augment_options()
        self.assertIn("elastic_grid", options)
        page = (ROOT / "data" / "recipes" / "README.md").read_text(encoding="utf-8").split("## Augmentation")[1]
        self.assertEqual({name.split("=")[0] for row in re.findall(r"^\| (`[^|]*) \|", page, re.MULTILINE)
                          for name in re.findall(r"`([a-z_]+(?:=[\d.]+)?)`", row)}, options)
        manual = (ROOT / "src" / "cli" / "stoa-recipe.5").read_text(encoding="utf-8").split(".Ss Augmentation")[1]
        self.assertEqual({name for item in re.findall(r"^\.It Li (.*)$", manual, re.MULTILINE) for name in item.split(" , ")}, options)


if __name__ == "__main__":
    unittest.main()
