# SPDX-License-Identifier: MIT
"""Pictures as people have them, through the command: PNG and JPEG of every size and kind, train, eval, predict."""

import glob
import json
import os
import random
import shutil
import subprocess
import unittest

from support import Command, png, read, write

DRAW = os.environ.get("STOA_DRAW_PICTURES", "draw_pictures")

RECIPE = """title = shapes
[model]
input = 24x24x{channels}
c1 = conv2d filters=8 kernel=5 stride=2
r1 = relu
c2 = conv2d filters=12 kernel=3 stride=2
r2 = relu
f = flatten
l1 = linear units=3
[data]
set = shapes
classes = 3
{more}
[train]
epochs = 12
batch = 16
lr = 5e-3
seed = 1
"""


def draw(folder, count, seed=1):
    os.makedirs(os.path.dirname(folder) or ".", exist_ok=True)
    subprocess.run([DRAW, folder, str(count), str(seed)], check=True)


class Pictures(Command):
    def recipe(self, more="resize = fit", channels=3):
        write("shapes.ini", RECIPE.format(more=more, channels=channels))

    def notes(self, *arguments):
        result = self.stoa(*arguments)
        self.assertEqual(result.returncode, 0, result.stderr)
        return result.stderr.splitlines(), result.stdout

    def accuracy(self, *arguments):
        return json.loads(self.stoa("eval", "run", "--json", *arguments).stdout)["accuracy"]

    def test_train_eval_predict(self):
        """200 pictures of unlike sizes and kinds: the model keeps how they are resized."""
        draw("data/shapes", 200)
        draw("more", 30, seed=2)
        for way in ("fit", "crop", "stretch"):
            self.recipe(f"resize = {way}")
            notes, _ = self.notes("train", "shapes", "--out", "run", "--force")
            line = [note for note in notes if "of 200 pictures" in note]
            self.assertEqual(len(line), 1, notes)
            for words in ("are grey and read as colour", "transparent", "16 bits", "upright",
                          f"are brought to 24x24 pixels by resize = {way}"):
                self.assertIn(words, line[0])
            facts = json.loads(self.done("info", "run", "--json"))["facts"]
            self.assertEqual(facts["data.resize"], way)
            last = json.loads(read("run/metrics.jsonl").splitlines()[-1])
            self.assertAlmostEqual(self.accuracy(), last["test_accuracy"], 6)
            self.assertGreater(self.accuracy(), 0.9)
            self.assertGreater(self.accuracy("--data", "more", "--all"), 0.8)
            # A picture by itself is brought to the same values as in its folder.
            files = sorted(glob.glob("more/*/*"))
            answers = json.loads(self.done("predict", "run", *files, "--json"))["predictions"]
            right = sum(os.path.basename(os.path.dirname(a["file"])) == a["name"] for a in answers)
            self.assertEqual(len(answers), 30)
            self.assertAlmostEqual(right / 30, self.accuracy("--data", "more", "--all"), 6)

    def test_grey(self):
        draw("data/shapes", 90)
        self.recipe(channels=1)
        notes, _ = self.notes("train", "shapes", "--out", "run")
        self.assertEqual(sum("stored in colour and read as grey" in note for note in notes), 1, notes)
        self.assertGreater(self.accuracy(), 0.8)

    def test_cifar(self):
        """The binary files of CIFAR-10 and of CIFAR-100: train, eval, predict."""
        colours = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (200, 200, 30), (30, 200, 200), (200, 30, 200),
                   (200, 200, 200), (30, 30, 30), (120, 30, 30), (30, 120, 30)]
        noise = random.Random(1)

        def records(count, labels):
            out = []
            for i in range(count):
                fine = i % 10
                out.append(bytes(([fine // 5, fine] if labels == 2 else [fine])))
                out += [bytes(min(255, c + noise.randrange(40)) for _ in range(1024)) for c in colours[fine]]
            return b"".join(out)

        for i in range(5):
            write(f"data/ten/cifar-10-batches-bin/data_batch_{i + 1}.bin", records(40, 1))
        write("data/ten/cifar-10-batches-bin/test_batch.bin", records(40, 1))
        write("data/ten/cifar-10-batches-bin/batches.meta.txt", "".join(f"colour{i}\n" for i in range(10)) + "\n")
        recipe = RECIPE.format(more="resize = stretch", channels=3).replace("24x24", "32x32").replace("set = shapes", "set = ten")
        write("ten.ini", recipe.replace("classes = 3", "classes = 10").replace("units=3", "units=10"))
        out = self.done("train", "ten", "--out", "run")
        self.assertIn("200 training and 40 test images", out)
        self.assertGreater(self.accuracy(), 0.9)
        facts = json.loads(self.done("info", "run", "--json"))["facts"]
        self.assertEqual(json.loads(facts["data.names"])[9], "colour9")
        # Pictures of any size, as the recipe says how they are brought to that of the network.
        answers = json.loads(self.done("predict", "run", *self.pictures(colours), "--json"))["predictions"]
        self.assertGreaterEqual(sum(a["class"] == i for i, a in enumerate(answers)), 9)
        for part in ("train", "test"):
            write(f"data/hundred/{part}.bin", records(100, 2))
        for name, count in (("fine", 100), ("coarse", 20)):
            write(f"data/hundred/{name}_label_names.txt", "".join(f"{name}{i}\n" for i in range(count)))
            more = f"label = {name}" if name == "coarse" else ""
            hundred = RECIPE.format(more=more, channels=3).replace("24x24", "32x32").replace("set = shapes", "set = hundred")
            write("hundred.ini", hundred.replace("classes = 3", f"classes = {count}").replace("units=3", f"units={count}"))
            self.done("train", "hundred", "--out", "run", "--force", "--quiet")  # most classes have no sample here
            self.assertGreater(self.accuracy(), 0.7)
            self.assertEqual(json.loads(json.loads(self.done("info", "run", "--json"))["facts"]["data.names"])[1], f"{name}1")

    def pictures(self, colours):
        for i, colour in enumerate(colours):
            write(f"{i}.png", png(50, 40, [bytes(min(255, c + 20) for _ in range(50) for c in colour)] * 40, 2))
        return [f"{i}.png" for i in range(len(colours))]

    def test_parts(self):
        """Train and validation are two parts, not two classes; a third one is named; one alone is divided."""
        draw("data/shapes/train", 60)
        self.recipe()
        notes, out = self.notes("train", "shapes", "--epochs", "1", "--out", "run")
        self.assertIn("48 training and 12 test images", out)
        self.assertEqual(sum("train is divided" in note for note in notes), 1, notes)
        draw("data/shapes/validation", 12, 3)
        notes, out = self.notes("train", "shapes", "--epochs", "1", "--out", "run", "--force")
        self.assertIn("60 training and 12 test images", out)
        self.assertEqual(sum("validation is taken as the test part" in note for note in notes), 1, notes)
        draw("data/shapes/test", 9, 4)
        notes, out = self.notes("train", "shapes", "--epochs", "1", "--out", "run", "--force")
        self.assertIn("60 training and 9 test images", out)
        self.assertEqual(sum("validation is left out" in note for note in notes), 1, notes)

    def test_refused(self):
        draw("data/shapes", 12)
        self.recipe(more="")
        first = sorted(glob.glob("data/shapes/cross/*"))[0]
        self.refused("train", "shapes", words=[first, "expected 24x24", "the network's input", "--resize fit, crop or stretch"])
        self.recipe(more="resize = squeeze")
        self.refused("plan", "shapes", words=["shapes.ini", "resize", "'squeeze'", "none or fit or crop or stretch"])
        self.recipe()
        files = sorted(glob.glob("data/shapes/*/*.jpg"))
        whole = read(files[0])
        for length in (0, 2, 3, 50, len(whole) // 2, len(whole) - 2):
            write(files[0], whole[:length])
            self.refused("train", "shapes", words=[files[0]])
        write(files[0], whole)
        write("shapes.ini", "[model]\ninput = 1x1x1728\nl1 = linear units=3\n[data]\nset = shapes\nclasses = 3\nresize = fit\n")
        self.refused("train", "shapes", words=["resize", "1x1x1728", "height and width"])

    def test_predict_needs_its_size(self):
        """A model that was trained on one size says what brings others to it."""
        draw("more", 3)
        self.recipe()
        draw("data/shapes", 30)
        self.done("train", "shapes", "--epochs", "1", "--out", "run", "--quiet")
        shutil.copy("run/model.safetensors", "kept.safetensors")
        text = read("kept.safetensors")
        write("plain.safetensors", text.replace(b'\\"data.resize\\":\\"fit\\"', b'\\"data.resizf\\":\\"fit\\"'))
        self.assertNotEqual(text, read("plain.safetensors"))
        file = sorted(glob.glob("more/*/*"))[0]
        self.done("predict", "kept.safetensors", file)
        self.refused("predict", "plain.safetensors", file, words=[file, "expected 24x24", "--resize fit, crop or stretch"])


class OtherSizes(Command):
    """A model of one size, and pictures of another."""

    def setUp(self):
        super().setUp()
        for folder, (width, height) in (("same", (16, 16)), ("other", (20, 24))):
            for c in range(2):
                for i in range(6):
                    rows = [bytes((30 * i + (8 * x, 8 * y)[c]) % 256 for x in range(width)) for y in range(height)]
                    write(f"{folder}/{'ab'[c]}/{i}.png", png(width, height, rows))
        write("small.ini", "[model]\ninput = 16x16x1\nf = flatten\nl1 = linear units=2\n[data]\nclasses = 2\n"
                           "[train]\nepochs = 3\nbatch = 2\nlr = 1e-3\n")
        self.done("train", "small.ini", "--data", "same", "--out", "run", "--quiet")

    def test_says_the_line_to_type(self):
        end = ["other/a/0.png: 24x20 pixels, expected 16x16", "or --resize fit, crop or stretch"]
        self.refused("predict", "run", "other/a/0.png", words=end)
        self.refused("predict", "run", "other", words=end)
        self.refused("eval", "run", "--data", "other", "--all", words=end)
        self.refused("train", "small.ini", "--data", "other", words=[
            "small.ini:2: the model takes input 16x16x1, other has 24x20x1: expected input = 24x20x1, or --resize fit, crop or stretch"])
        self.refused("data", "other", "--resize", "fit", words=["--resize: found without a size, expected --recipe NAME"])
        for command in (("predict", "run", "other"), ("eval", "run", "--data", "other"), ("train", "small.ini", "--data", "other")):
            self.refused(*command, "--resize", "crp", words=["resize", "'crp'", "crop"])

    def test_resizes_where_it_is_said(self):
        """The same as by a model whose recipe says so, in all commands that read."""
        write("said.ini", read("small.ini").decode().replace("classes = 2\n", "classes = 2\nresize = stretch\n"))
        self.stoa("train", "said.ini", "--data", "same", "--out", "said", "--quiet")
        own, said = (json.loads(self.stoa("eval", run, "--data", "other", "--all", "--json", *more).stdout)
                     for run, more in (("run", ("--resize", "stretch")), ("said", ())))
        self.assertEqual((own["samples"], own["loss"]), (12, said["loss"]))
        own, said, crop = (json.loads(self.done("predict", run, "other", "--json", *more))["predictions"]
                           for run, more in (("run", ("--resize", "stretch")), ("said", ()), ("run", ("--resize", "crop"))))
        self.assertEqual(own, said)
        self.assertNotEqual(own, crop)
        done = self.stoa("train", "small.ini", "--data", "other", "--out", "third", "--resize", "stretch")
        self.assertIn("brought to 16x16 pixels by resize = stretch", done.stderr)
        self.assertEqual(json.loads(self.done("info", "third", "--json"))["facts"]["data.resize"], "stretch")
        self.assertIn("16x16x1", self.done("data", "other", "--resize", "fit", "--recipe", "small.ini"))


if __name__ == "__main__":
    unittest.main()
