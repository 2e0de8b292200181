# SPDX-License-Identifier: MIT
"""What the tests of the command share: a data set made here, PNG and safetensors writers that know nothing of the
library, and a work folder with an empty home. Python's standard library only."""

import gzip
import hashlib
import json
import os
import random
import re
import shutil
import struct
import subprocess
import tempfile
import unittest
import zlib

BINARY = os.environ.get("STOA_BINARY", "stoa")

# For the command on the CPU as it is, whatever the tests are held to.
ANY_CPU = {"STOA_CPU": None, "OPENBLAS_CORETYPE": None}
SHIPPED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "data", "recipes")
SIDE = 28
CLASSES = 10

RECIPE = """title = a small network for tests
[model]
input = 28x28x1
c1 = conv2d filters=4 kernel=5 stride=2
r1 = relu
f = flatten
l1 = linear units=10
[data]
set = blobs
classes = 10
mean = 0.1
deviation = 0.3
[train]
epochs = 2
batch = 32
lr = 5e-3
seed = 3
"""


def blob(label, noise):
    """A picture of a class: a bright square whose place is the label, and some noise."""
    top, left = 3 + 8 * (label // 4), 2 + 6 * (label % 4)
    pixels = bytearray(noise.randrange(40) for _ in range(SIDE * SIDE))
    for y in range(top, top + 6):
        for x in range(left, left + 5):
            pixels[y * SIDE + x] = 180 + noise.randrange(60)
    return bytes(pixels)


def idx_images(count, seed, side=SIDE):
    noise = random.Random(seed)
    pictures = b"".join(blob(i * 7 % CLASSES, noise) for i in range(count))
    return struct.pack(">IIII", 0x803, count, side, side) + pictures[: count * side * side]


def idx_labels(count):
    return struct.pack(">II", 0x801, count) + bytes(i * 7 % CLASSES for i in range(count))


def write(path, data):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "wb" if isinstance(data, bytes) else "w") as file:
        file.write(data)


def read(path):
    with open(path, "rb") as file:
        return file.read()


def make_set(folder, train=300, test=100):
    write(f"{folder}/train-images-idx3-ubyte", idx_images(train, 1))
    write(f"{folder}/train-labels-idx1-ubyte", idx_labels(train))
    write(f"{folder}/t10k-images-idx3-ubyte.gz", gzip.compress(idx_images(test, 2)))
    write(f"{folder}/t10k-labels-idx1-ubyte.gz", gzip.compress(idx_labels(test)))


def png(width, height, rows, colour=0):
    """A PNG from rows of bytes: colour 0 is grey, 2 is RGB."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    body = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def checkpoints(folder):
    """Steps of the checkpoints in a run's folder, the oldest first."""
    found = (re.fullmatch(r"checkpoint-(\d+)\.safetensors", name) for name in os.listdir(folder))
    return sorted(int(match[1]) for match in found if match)


def files_of(folder):
    """What a run's folder holds beside its checkpoints and what it says of itself, which comes after its first epoch."""
    said = {"recipe.ini", "run.json"} if os.path.exists(f"{folder}/model.safetensors") else set()
    return sorted(set(os.listdir(folder)) - {f"checkpoint-{step}.safetensors" for step in checkpoints(folder)} - said)


def safetensors_read(path):
    """Header and data of a safetensors file."""
    data = read(path)
    length = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def safetensors_write(path, header, data):
    text = json.dumps(header).encode()
    write(path, struct.pack("<Q", len(text)) + text + data)


def halve(source, path, prefix):
    """A model file as a PyTorch state dictionary in F16, behind the names of a wrapper."""
    header, data = safetensors_read(source)
    header.pop("__metadata__")
    new, halves = {"__metadata__": {"format": "pt"}}, b""
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        values = struct.unpack(f"<{(end - begin) // 4}f", data[begin:end])
        raw = struct.pack(f"<{len(values)}e", *values)
        offsets = [len(halves), len(halves) + len(raw)]
        new[prefix + name] = {"dtype": "F16", "shape": entry["shape"], "data_offsets": offsets}
        halves += raw
    safetensors_write(path, new, halves)


class Command(unittest.TestCase):
    """A work folder with the recipe tiny.ini and the set data/blobs, and the command in it."""

    trained = None  # bytes of a model of tiny.ini, trained once for all tests

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="stoa-cli-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        before = os.getcwd()
        os.chdir(self.folder)
        self.addCleanup(os.chdir, before)
        os.makedirs("home")
        make_set("data/blobs")
        write("tiny.ini", RECIPE)

    def environment(self, **more):
        """The caller's without what would decide for the command, but held to an older CPU as all tests are; None unsets."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("STOA_", "XDG_", "OPENBLAS_CORETYPE"))}
        if "STOA_CPU" in os.environ:
            kept.update({k: v for k, v in os.environ.items() if k in ANY_CPU})
        nowhere = os.path.join(self.folder, "home")
        # The command is on the PATH, as it is once it is installed: what it tells to type next begins with "stoa".
        path = os.path.dirname(os.path.abspath(BINARY)) + os.pathsep + os.environ.get("PATH", "")
        chosen = {**kept, "HOME": nowhere, "XDG_DATA_DIRS": nowhere, "PATH": path, **more}
        return {k: v for k, v in chosen.items() if v is not None}

    def stoa(self, *arguments, env=None, **keywords):
        keywords.setdefault("stdout", subprocess.PIPE)
        keywords.setdefault("stderr", subprocess.PIPE)
        return subprocess.run(
            [BINARY, *arguments], env=self.environment(**(env or {})), timeout=120, check=False, text=True,
            errors="replace", **keywords)

    def start(self, *arguments, **keywords):
        """The command in the background."""
        keywords.setdefault("stdout", subprocess.PIPE)
        keywords.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen([BINARY, *arguments], env=self.environment(), text=True, **keywords)
        self.addCleanup(lambda: process.poll() is None and process.kill())
        return process

    def done(self, *arguments, **keywords):
        """Run the command; it must succeed and say nothing on stderr."""
        result = self.stoa(*arguments, **keywords)
        self.assertEqual((result.returncode, result.stderr), (0, ""), arguments)
        return result.stdout

    def snapshot(self):
        """Every file and folder there is, with what is in it."""
        found = {}
        for folder, _, files in os.walk("."):
            found[folder] = None
            for name in files:
                path = os.path.join(folder, name)
                found[path] = hashlib.sha256(read(path)).hexdigest() if os.path.isfile(path) else None
        return found

    def one_line(self, result, *words):
        lines = result.stderr.splitlines()
        self.assertEqual(len(lines), 1, result.stderr)
        self.assertTrue(result.stderr.endswith("\n") and lines[0].startswith("stoa: "), result.stderr)
        for word in words:
            self.assertIn(word, lines[0])

    def refused(self, *arguments, words=(), code=2, **keywords):
        """Run the command; it must fail with one line that has all the words, and write nothing."""
        before = self.snapshot()
        result = self.stoa(*arguments, **keywords)
        self.assertEqual(result.returncode, code, (arguments, result.stdout, result.stderr))
        self.one_line(result, *words)
        self.assertEqual(self.snapshot(), before, arguments)
        if code == 2:
            self.assertEqual(result.stdout, "")
        return result

    def model(self, path="model.safetensors"):
        """A trained model under this path."""
        if Command.trained is None:
            self.done("train", "tiny", "--out", "first", "--quiet")
            Command.trained = read("first/model.safetensors")
            shutil.rmtree("first")
        write(path, Command.trained)
        return path
