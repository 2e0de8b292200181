# SPDX-License-Identifier: MIT
"""Typical mistakes: mistakes.cases says what is done, with which status the command ends and which words its
answer must have. No answer may be silent.

A case is a heading, the lines of a recipe that are taken out (-) and put in their place (+), a command, and what it
must say:

    == an operator misspelt
    - c1 = conv2d filters=4 kernel=5 stride=2
    + c1 = convd filters=4 kernel=5 stride=2
    $ stoa plan r.ini
    2 r.ini:4: | did you mean 'conv2d'?

`@ NAME` takes the recipe NAME of this file instead of r.ini. The last line holds the status and words of the one
line on the standard error; with status 0 they stand in notes. A `>` line holds words of the standard output."""

import os
import random
import struct
import sys
import unittest

from support import RECIPE, Command, png, write

CASES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "mistakes.cases")

TABLE = """[model]
input = 1x1x4
l1 = linear units=16
r1 = relu
l2 = linear units=3
[data]
set = flowers
classes = 3
normalize = measured
[train]
epochs = 8
batch = 16
lr = 1e-2
seed = 1
"""

# Pictures in colour, 32x32, of three classes.
COLOUR = """[model]
input = 32x32x3
c1 = conv2d filters=4 kernel=5 stride=4
r1 = relu
f = flatten
l1 = linear units=3
[data]
set = photos
classes = 3
[train]
epochs = 1
batch = 16
"""

BASES = {"r.ini": RECIPE, "table.ini": TABLE, "colour.ini": COLOUR}


def flowers(path, count, seed=1, scale=1, labels=3):
    """A table of four columns whose classes can be told."""
    noise = random.Random(seed)
    lines = ["length,width,income,colour,kind\n"]
    for i in range(count):
        k = i % labels
        row = [noise.gauss(k, 0.3), noise.gauss(-k, 0.3), scale * noise.gauss(5, 1), noise.gauss(0, 1)]
        lines.append(",".join(f"{x:.4f}" for x in row) + f",{k}\n")
    write(path, "".join(lines))


def npy(descr, shape, data):
    head = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode() + data


def make_data():
    """What the cases train on."""
    flowers("data/flowers.csv", 150)
    flowers("rich.csv", 150, scale=1e6)
    flowers("seven.csv", 210, labels=7)
    flowers("single.csv", 60, labels=1)
    flowers("few.csv", 12)
    write("five.csv", "".join(f"{i % 7},{i % 5},{i % 3},1,{i % 2},{i % 3}\n" for i in range(60)))
    write("named.csv", "a,b,c,d,kind\n" + "".join(f"{i % 7},{i % 5},{i % 4},{i % 6},{'xyz'[i % 3]}\n" for i in range(90)))
    noise = random.Random(2)
    for kind in range(3):
        for i in range(12):
            rows = [bytes((noise.randrange(80) + 80 * (kind == x % 3)) for x in range(96)) for _ in range(32)]
            write(f"data/photos/{kind}/{i}.png", png(32, 32, rows, 2))
    pixels = [float((i * 7 + j) % 256) for i in range(200) for j in range(784)]
    labels = bytes(i % 10 for i in range(200))
    write("full/x.npy", npy("<f4", "(200, 28, 28)", struct.pack(f"<{len(pixels)}f", *pixels)))
    write("full/y.npy", npy("|u1", "(200,)", labels))
    for part, count in (("train", 40), ("test", 20)):
        write(f"lacking/{part}.csv", "a,b,c,d,kind\n" + "".join(
            f"{i % 7}.5,{i % 5},{i % 4},{i % 6},{i % (2 if part == 'test' else 3)}\n" for i in range(count)))
        write(f"unseen/{part}.csv", "a,b,c,d,kind\n" + "".join(
            f"{i % 7}.5,{i % 5},{i % 4},{i % 6},{i % (2 if part == 'train' else 3)}\n" for i in range(count)))
        flowers(f"twice/{part}.csv", 300 if part == "train" else 60)
    os.makedirs("empty")


def read_cases():
    cases = []
    with open(CASES, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if line.startswith("=="):
                cases.append({"name": line[2:].strip(), "line": number, "base": "r.ini", "out": [], "in": [], "prints": []})
            elif line.startswith("@ "):
                cases[-1]["base"] = line[2:].strip()
            elif line.startswith(("- ", "+ ")):
                cases[-1]["out" if line[0] == "-" else "in"].append((line[2:], len(cases[-1]["out"])))
            elif line.startswith("$ stoa"):
                cases[-1]["command"] = line[len("$ stoa"):].split()
            elif line.startswith("> "):
                cases[-1]["prints"] = [word.strip() for word in line[2:].split("|")]
            elif line[:1].isdigit():
                status, _, words = line.partition(" ")
                cases[-1]["status"] = int(status)
                cases[-1]["words"] = [word.strip() for word in words.split("|")]
            elif line and not line.startswith("#"):
                raise ValueError(f"{CASES}:{number}: found '{line}'")
    return cases


def recipe_of(case):
    """The recipe with its lines changed; lines without a place go to the end."""
    lines = BASES[case["base"]].splitlines()
    places = []
    for line, _ in case["out"]:
        places.append(lines.index(line))
        lines[places[-1]] = None
    added = {}
    for line, behind in case["in"]:
        place = places[behind - 1] if behind else len(lines)
        added.setdefault(place, []).append(line)
    new = []
    for i, line in enumerate(lines + [None]):
        new += ([line] if line is not None else []) + added.get(i, [])
    return "\n".join(new) + "\n"


class Mistakes(Command):
    def test_there_are_enough(self):
        cases = read_cases()
        self.assertGreaterEqual(len(cases), 62)
        self.assertEqual(len({case["name"] for case in cases}), len(cases))
        for case in cases:
            self.assertIn("command", case, case)
            self.assertTrue(all(case.get("words", [""])), f"{CASES}:{case['line']}: says nothing")

    def test_each_is_answered(self):
        make_data()
        for case in read_cases():
            with self.subTest(case["name"], line=case["line"]):
                for name, text in BASES.items():
                    write(name, recipe_of(case) if name == case["base"] else text)
                result = self.stoa(*case["command"])
                said = result.stderr
                self.assertEqual(result.returncode, case["status"], said)
                if case["status"]:
                    self.one_line(result)
                for word in case["words"]:
                    self.assertIn(word, said)
                for word in case["prints"]:
                    self.assertIn(word, result.stdout)


if __name__ == "__main__":
    if sys.argv[1:] == ["--show"]:
        Mistakes.runTest = lambda self: None
        work = Mistakes()
        work.setUp()
        make_data()
        for one in read_cases():
            for base, text in BASES.items():
                write(base, recipe_of(one) if base == one["base"] else text)
            answer = work.stoa(*one["command"])
            right = (answer.returncode == one["status"] and all(w in answer.stderr for w in one["words"])
                     and all(w in answer.stdout for w in one["prints"]))
            print(f"{'  ' if right else '! '}{one['name']}: {answer.returncode}\n     {answer.stderr.strip()}")
        work.doCleanups()
    else:
        unittest.main()
