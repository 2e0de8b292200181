# SPDX-License-Identifier: MIT
"""What is run while calls fail: each command with each format of data, so small that a run takes milliseconds."""

import gzip
import io
import os
import random
import struct
import sys
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli"))

from support import png, write  # noqa: E402

SIDE = 6
NAMES = ("circle", "cross", "square")
TRAIN, TEST = 24, 9

RECIPE = """title = a network for failing calls
[model]
input = {input}
c1 = conv2d filters=2 kernel=3
b1 = batchnorm
r1 = relu
f1 = flatten
l1 = linear units={classes}
[data]
set = {set}
classes = {classes}
{data}
[train]
epochs = 2
batch = 8
lr = 1e-2
seed = 3
{train}
"""


def pictures(count, seed):
    """A bright square whose place is the class, in noise."""
    noise = random.Random(seed)
    made = []
    for i in range(count):
        pixels = bytearray(noise.randrange(60) for _ in range(SIDE * SIDE))
        for y in range(2):
            for x in range(2):
                pixels[(y + 2) * SIDE + x + 2 * (i % 3)] = 200 + noise.randrange(50)
        made.append(bytes(pixels))
    return made


def labels(count):
    return bytes(i % 3 for i in range(count))


def idx(folder, end, pack):
    for name, count, seed in ("train", TRAIN, 1), ("t10k", TEST, 2):
        head = struct.pack(">IIII", 0x803, count, SIDE, SIDE)
        write(f"{folder}/{name}-images-idx3-ubyte{end}", pack(head + b"".join(pictures(count, seed))))
        write(f"{folder}/{name}-labels-idx1-ubyte{end}", pack(struct.pack(">II", 0x801, count) + labels(count)))


def csv(count, seed):
    rows = [",".join(f"p{i}" for i in range(SIDE * SIDE)) + ",kind"]
    rows += [",".join(map(str, p)) + "," + NAMES[i % 3] for i, p in enumerate(pictures(count, seed))]
    return "\n".join(rows) + "\n"


def npy(shape, data):
    head = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(head)) + head.encode() + data


def arrays(count, seed):
    return npy((count, SIDE, SIDE, 1), b"".join(pictures(count, seed))), npy((count,), labels(count))


def npz(count, seed):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in zip("xy", arrays(count, seed)):
            archive.writestr(f"{name}.npy", array)
    return packed.getvalue()


def picture_folders(folder, count, seed):
    for i, pixels in enumerate(pictures(count, seed)):
        rows = [pixels[y * SIDE : (y + 1) * SIDE] for y in range(SIDE)]
        write(f"{folder}/{NAMES[i % 3]}/{i}.png", png(SIDE, SIDE, rows))


def jpeg_folders(folder):
    """Pictures of several sizes and kinds, from the corpus of the fuzzer."""
    corpus = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fuzz", "corpus", "jpeg")
    for i, name in enumerate(("channels1", "channels3", "channels3-progressive", "channels4", "turn6", "turn8") * 2):
        with open(os.path.join(corpus, name), "rb") as file:
            write(f"{folder}/{NAMES[i % 3]}/{i}.jpg", file.read())
    write(f"{folder}/circle/notes.txt", "left out")


def cifar(folder):
    noise = random.Random(1)
    for name, count in ("data_batch_1", 12), ("test_batch", 6):
        write(f"{folder}/{name}.bin", b"".join(bytes([i % 3]) + noise.randbytes(3072) for i in range(count)))
    write(f"{folder}/batches.meta.txt", "".join(f"{name}\n" for name in NAMES + tuple("abcdefg")))


def make_data():
    """Every format under data/; the name of each is that of a scene."""
    idx("data/idx", "", lambda data: data)
    idx("data/idx-gz", ".gz", lambda data: gzip.compress(data, mtime=0))
    write("data/csv.csv", csv(TRAIN + TEST, 1))
    write("data/csv-parts/train.csv", csv(TRAIN, 1))
    write("data/csv-parts/test.csv", csv(TEST, 2))
    write("data/npz.npz", npz(TRAIN + TEST, 1))
    for part, count, seed in ("train", TRAIN, 1), ("test", TEST, 2):
        x, y = arrays(count, seed)
        write(f"data/npy/x_{part}.npy", x)
        write(f"data/npy/y_{part}.npy", y)
    picture_folders("data/png", TRAIN + TEST, 1)
    picture_folders("data/png-parts/train", TRAIN, 1)
    picture_folders("data/png-parts/test", TEST, 2)
    jpeg_folders("data/jpeg")
    cifar("data/cifar/cifar-10-batches-bin")


FORMATS = ("idx", "idx-gz", "csv", "csv-parts", "npz", "npy", "png", "png-parts", "jpeg", "cifar", "digits")
INPUTS = {"digits": "12x12x1", "jpeg": "6x6x3", "cifar": "32x32x3"}
MORE = {"digits": "samples = 40", "jpeg": "normalize = measured\nresize = crop"}


def make_recipes():
    for name in FORMATS:
        write(f"{name}.ini", RECIPE.format(
            input=INPUTS.get(name, f"{SIDE}x{SIDE}x1"), classes=10 if name in ("digits", "cifar") else 3, set=name,
            data=MORE.get(name, "normalize = measured"), train=""))
    write("best.ini", RECIPE.format(
        input=f"{SIDE}x{SIDE}x1", classes=3, set="npy", data="normalize = measured\nweights = measured",
        train="validation = 0.25\nkeep_best = true\naugment = shift=1\noptimizer = adamw decay=0.1"))


class Scene:
    """Arguments of the command, or of the program `host` around the library. `before` is the folder of an older run
    that stands in the place of the new one."""

    def __init__(self, name, *arguments, before=None, host=False):
        self.name = name
        self.arguments = arguments
        self.before = before
        self.host = host


def all_scenes(stoa):
    """Trains what the scenes need with `stoa` and lists them."""
    scenes = []
    for name in FORMATS:
        scenes.append(Scene(f"train {name}", "train", f"{name}.ini", "--out", "out"))
        stoa("train", f"{name}.ini", "--out", f"models/{name}", "--quiet")
    scenes.append(Scene("train best", "train", "best.ini", "--out", "out"))
    scenes.append(Scene("train threads", "train", "npy.ini", "--out", "out", "--threads", "2"))
    scenes.append(Scene("train next", "train", "csv.ini", "--quiet"))
    stoa("train", "idx.ini", "--out", "models/old", "--quiet", "--seed", "8")
    scenes.append(Scene("find lr", "train", "idx.ini", "--find-lr"))
    scenes.append(Scene("train force", "train", "idx.ini", "--out", "out", "--force", before="models/old"))
    scenes.append(Scene("train checkpoints", "train", "best.ini", "--out", "out", "--checkpoint-every", "2"))
    # As if it had been killed in its first epoch, behind which model and metrics are made again.
    stoa("train", "best.ini", "--out", "models/cut", "--quiet", "--checkpoint-every", "2", "--keep", "9")
    for step in 3, 5, 6:
        os.unlink(f"models/cut/checkpoint-{step}.safetensors")
    scenes.append(Scene("train resume", "train", "--resume", "out", before="models/cut"))
    for name in FORMATS:
        more = ("--json",) if name in ("csv", "idx") else ()
        scenes.append(Scene(f"eval {name}", "eval", f"models/{name}", "--data", path_of(name), *more))
    png_files = [f"data/png/{NAMES[i]}/{i}.png" for i in range(3)]
    scenes.append(Scene("predict png", "predict", "models/png", *png_files))
    scenes.append(Scene("predict png json", "predict", "models/png", *png_files, "--json"))
    scenes.append(Scene("predict jpeg", "predict", "models/jpeg", "data/jpeg/circle/0.jpg", "data/jpeg/cross/4.jpg"))
    scenes.append(Scene("predict csv", "predict", "models/csv", "data/csv.csv"))
    scenes.append(Scene("predict npy", "predict", "models/npy", "data/npy/x_test.npy", "--json"))
    scenes.append(Scene("info", "info", "models/csv"))
    scenes.append(Scene("runs", "runs", "models", "--json"))
    scenes.append(Scene("runs compared", "runs", "models/csv", "models/npy"))
    scenes.append(Scene("data csv", "data", path_of("csv")))
    scenes.append(Scene("data png", "data", path_of("png"), "--picture", "samples.png"))
    scenes.append(Scene("info json", "info", "models/csv", "--json"))
    # Times that cannot be read are left out, and data that are not named for it: neither is an end of the command.
    for name in ("csv", "idx", "png"):
        os.unlink(f"models/{name}/timing.jsonl")
    scenes.append(Scene("report", "report", "models/csv", "--data", path_of("csv"), "--out", "page.html"))
    scenes.append(Scene("report curves", "report", "models/csv", "models/idx", "--text", "--csv", "curves.csv"))
    scenes.append(Scene("report two", "report", "models/idx", "models/png", "--data", path_of("png"), "--out", "page.html"))
    scenes.append(Scene("plan", "plan", "best.ini"))
    scenes.append(Scene("plan json", "plan", "models/idx", "--json", "--inference"))
    scenes.append(Scene("gradcheck", "gradcheck", "idx.ini"))
    scenes.append(Scene("recipes", "recipes"))
    for name in ("csv", "npz", "png-parts", "idx"):
        scenes.append(Scene(f"library {name}", path_of(name), "host.safetensors", host=True))
    return scenes


def path_of(name):
    ends = {"csv": ".csv", "npz": ".npz"}
    return name if name == "digits" else f"data/{name}{ends.get(name, '')}"
