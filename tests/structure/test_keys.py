#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The keys of recipes on the pages, held against the tables that recipes are read by. Usage: test_keys.py SOURCE STOA

README.md has a row for each key of [data] and [train] with its default and no other; the manual page has each, and says each
default that is more than zero, false or the first of two words.
"""

import json
import pathlib
import re
import subprocess
import sys
import unittest

STOA = sys.argv.pop()
ROOT = pathlib.Path(sys.argv.pop())
KEYS = json.loads(subprocess.run([STOA, "recipes", "--keys", "--json"], capture_output=True, check=True).stdout)
SECTIONS = ("data", "train")


def known(section):
    """The default of each key."""
    return {key["key"]: key["default"] for key in KEYS if key["section"] == section}


def rows(section):
    """First and second cell of the rows of README.md."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.search(rf"^\| key of `\[{section}\]` \| default \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE)[1]
    return [tuple(cell.strip() for cell in line.split("|")[1:3]) for line in table.splitlines()]


def items(section):
    """The text about each key of the manual page."""
    text = (ROOT / "src" / "cli" / "stoa.1").read_text(encoding="utf-8")
    block = re.search(rf"^\.Li \[{section}\]\nare\n\.Bl [^\n]*\n(.*?)^\.El", text, re.MULTILINE | re.DOTALL)[1]
    found = []
    for item in block.split(".It Li ")[1:]:
        names, words = item.split("\n", 1)
        found += [(name, words) for name in names.split(" , ")]
    return found


class Keys(unittest.TestCase):
    def test_readme(self):
        for section in SECTIONS:
            defaults = known(section)
            self.assertGreater(len(defaults), 10)
            self.assertEqual([name for name, _ in rows(section)], [f"`{name}`" for name in defaults], section)
            for name, cell in rows(section):
                default = defaults[name.strip("`")]
                if default:
                    self.assertEqual(cell.split(" ")[0].strip("`"), default, name)

    def test_manual(self):
        for section in SECTIONS:
            defaults = known(section)
            self.assertEqual([name for name, _ in items(section)], list(defaults), section)
            for name, words in items(section):
                if defaults[name] not in ("", "0", "false"):
                    # Full stops and commas are words of their own for macros.
                    self.assertIn(defaults[name], re.split(r"[\s,;]+|\.(?=\s)", words), name)

    def test_meanings(self):
        for key in KEYS:
            self.assertTrue(key["meaning"] and key["expected"], key["key"])
            self.assertTrue(key["meaning"][0].islower() or key["meaning"].startswith("["), key)


if __name__ == "__main__":
    unittest.main()
