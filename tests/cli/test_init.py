# SPDX-License-Identifier: MIT
"""stoa train --init MODEL: weights of another model, layers that are frozen, and what is refused."""

import json
import os
import struct
import unittest

from support import RECIPE, SHIPPED, Command, halve, idx_images, idx_labels, read, safetensors_read, write

# The same pictures in five classes, and the convolution of tiny.ini kept as it is.
FIVE = (
    RECIPE.replace("units=10", "units=5").replace("set = blobs", "set = five").replace("classes = 10", "classes = 5")
    + "freeze = c1\n"
)


def tensors_of(path):
    """Names to bytes."""
    header, data = safetensors_read(path)
    header.pop("__metadata__", None)
    return {name: data[slice(*entry["data_offsets"])] for name, entry in header.items()}


class Init(Command):
    def setUp(self):
        super().setUp()
        write("five.ini", FIVE)
        for part, count, seed in (("train", 300, 1), ("t10k", 100, 2)):
            labels = bytes(label // 2 for label in idx_labels(count)[8:])
            write(f"data/five/{part}-images-idx3-ubyte", idx_images(count, seed))
            write(f"data/five/{part}-labels-idx1-ubyte", struct.pack(">II", 0x801, count) + labels)

    def accuracy(self, *arguments):
        return json.loads(self.done("eval", *arguments, "--json"))["accuracy"]

    def test_another_number_of_classes(self):
        self.model("base/model.safetensors")
        out = self.done("train", "five", "--init", "base", "--epochs", "4", "--out", "run")
        self.assertIn(
            "init    base/model.safetensors: took 2 of 4 tensors\n"
            "        l1.weight: begins anew: found shape (10, 576), expected (5, 576)\n"
            "        l1.bias: begins anew: found shape (10), expected (5)\n",
            out,
        )
        self.assertEqual(json.loads(self.done("train", "five", "--init", "base", "--out", "json", "--json"))["init"], {
            "from": "base/model.safetensors", "taken": 2, "tensors": 4, "rest": [
                {"name": "l1.weight", "found": "(10, 576)", "expected": "(5, 576)"},
                {"name": "l1.bias", "found": "(10)", "expected": "(5)"}]})
        self.assertIn("five: 2,989 parameters (trained: 2,885), 300 training and 100 test images\n", out)
        before, after = tensors_of("base/model.safetensors"), tensors_of("run/model.safetensors")
        self.assertEqual((before["c1.weight"], before["c1.bias"]), (after["c1.weight"], after["c1.bias"]))
        self.assertGreater(self.accuracy("run"), 0.9)
        self.assertIn("base", self.done("info", "run"))

    def test_not_frozen_it_goes_on(self):
        self.model("base/model.safetensors")
        write("more.ini", FIVE.replace("freeze = c1", "lr_scale = c1=0.01"))
        self.done("train", "more", "--init", "base/model.safetensors", "--epochs", "1", "--out", "run", "--quiet")
        before, after = tensors_of("base/model.safetensors"), tensors_of("run/model.safetensors")
        self.assertNotEqual(before["c1.weight"], after["c1.weight"])
        count = len(before["c1.weight"]) // 4
        pairs = zip(struct.unpack(f"<{count}f", before["c1.weight"]), struct.unpack(f"<{count}f", after["c1.weight"]))
        # Ten steps of Adam at a hundredth of 5e-3.
        self.assertLess(max(abs(a - b) for a, b in pairs), 10 * 5.1e-5)

    def test_half_precision_behind_a_wrapper(self):
        self.model("base/model.safetensors")
        halve("base/model.safetensors", "state.safetensors", "module.")
        own, half = self.accuracy("base"), self.accuracy("state.safetensors", "--recipe", "tiny")
        self.assertLessEqual(abs(own - half), 0.0005)
        self.done("train", "five", "--init", "state.safetensors", "--epochs", "4", "--out", "run")
        self.assertGreater(self.accuracy("run"), 0.9)
        taken = struct.unpack("<4f", tensors_of("run/model.safetensors")["c1.bias"])
        self.assertEqual(struct.pack("<4e", *taken), tensors_of("state.safetensors")["module.c1.bias"])

    def test_lenet5_in_half_precision(self):
        """LeNet-5 as PyTorch would leave it, and a network with another last layer on its convolutions."""
        lenet = os.path.join(SHIPPED, "lenet5.ini")
        self.done("train", lenet, "--data", "digits", "--epochs", "1", "--out", "base", "--quiet")
        halve("base/model.safetensors", "state.safetensors", "module.")
        own, half = self.accuracy("base"), self.accuracy("state.safetensors", "--recipe", lenet, "--data", "digits")
        self.assertGreater(own, 0.95)
        self.assertLessEqual(abs(own - half), 0.0005)
        text = read(lenet).decode().replace("l1 = linear units=84", "l1 = linear units=32")
        write("narrow.ini", text + "freeze = c1,c2,c3\n")
        tune = ["--data", "digits", "--init", "state.safetensors", "--epochs", "1", "--out", "run"]
        self.assertIn("took 7 of 10 tensors\n        l1.weight: begins anew", self.done("train", "narrow", *tune))
        self.assertGreater(self.accuracy("run"), 0.95)

    def test_lists_what_is_missing_and_not_used(self):
        self.model()
        deeper = RECIPE.replace("l1 = linear units=10", "l1 = linear units=16\nr2 = relu\nl2 = linear units=10")
        write("deeper.ini", deeper)
        out = self.done("train", "deeper", "--init", "model.safetensors", "--epochs", "1", "--out", "run")
        self.assertIn("        l2.weight: begins anew: not in the file, shape (10, 16)\n", out)
        out = self.done("train", "tiny", "--init", "run", "--epochs", "1", "--out", "other")
        self.assertIn("        l2.bias: not used: not in the network, shape (10)\n", out)
        # The same again, without a word and with another number of threads.
        quiet = ["--init", "run", "--epochs", "1", "--threads", "3", "--quiet"]
        self.assertEqual(self.done("train", "tiny", *quiet, "--out", "third"), "")
        self.assertEqual(read("other/model.safetensors"), read("third/model.safetensors"))

    def test_mapping(self):
        """Other names: a suggestion is written once, and taken from then on."""
        self.model()
        write("names.ini", RECIPE.replace("c1 =", "k1 =").replace("l1 =", "k2 ="))
        line = ["train", "names", "--init", "model.safetensors", "--map", "names.map", "--epochs", "1", "--out", "run"]
        result = self.stoa(*line)
        self.assertEqual(result.returncode, 1)
        self.one_line(result, "names.map: written", "look at it")
        self.assertFalse(os.path.exists("run"))
        text = read("names.map").decode()
        self.assertIn("\nc1.weight = k1.weight  # ", text)
        self.assertIn("\nl1.bias = k2.bias  # (10), by shape and order\n", text)
        self.assertIn("took 4 of 4 tensors", self.done(*line))
        write("names.map", text.replace("l1.bias = k2.bias", "l1.bias ="))
        out = self.done(*line[:-1], "second")
        self.assertIn("took 3 of 4 tensors\n        k2.bias: begins anew: not in the file", out)
        write("names.map", "nobody = k1.bias")
        self.refused(*line[:-1], "third", words=("line 1 of the mapping", "'nobody'"))

    def test_refused(self):
        self.model()
        write("names.ini", RECIPE.replace("c1 =", "k1 =").replace("l1 =", "k2 ="))
        self.refused("train", "names", "--init", "model.safetensors", words=("nothing in it fits", "'c1.", "'k1.weight'"))
        self.refused("train", "tiny", "--map", "x", words=("--map", "without --init"))
        self.refused("train", "tiny", "--init", "nowhere", words=("nowhere", "No such file"))
        self.refused("train", "tiny", "--init", "tiny.ini", words=("tiny.ini", "not a safetensors file"))
        self.refused("train", "tiny", "--init", "data", words=("data", "without model.safetensors"))
        self.refused("train", "tiny", "--init", words=("--init", "value missing"))
        self.refused("eval", "model.safetensors", "--init", "x", words=("--init", "unknown option"))
        # The folder is refused after the model was read, and still nothing is printed.
        write("full/file", "x")
        self.refused("train", "tiny", "--init", "model.safetensors", "--out", "full", words=("full",))

    def test_layers_are_named_right(self):
        for line, words in (
            ("freeze = c2", ("freeze", "'c2'", "such as c1, l1, r1")),
            ("freeze = c1,l1", ("freeze", "all layers with parameters")),
            ("lr_scale = l1=0", ("lr_scale", "'l1=0'", "a factor above 0")),
            ("lr_scale = r1=2", ("lr_scale", "'r1'", "relu without parameters")),
            ("freeze = c*\nlr_scale = c1=2", ("lr_scale", "'c1'", "frozen")),
        ):
            write("wrong.ini", RECIPE + line + "\n")
            self.refused("train", "wrong", "--out", "run", words=("wrong.ini",) + words)

    def test_a_plan_leaves_frozen_passes_out(self):
        write("frozen.ini", RECIPE + "freeze = c1\n")
        plans = [json.loads(self.done("plan", name, "--json")) for name in ("tiny", "frozen")]
        steps = [{s["layer"]: s["algorithm"] for s in p["steps"] if s["pass"] == "backward"} for p in plans]
        self.assertNotEqual(steps[0]["c1"], "none")
        self.assertEqual((steps[1]["c1"], steps[1]["r1"]), ("none", "none"))
        self.assertLess(plans[1]["unshared_bytes"], plans[0]["unshared_bytes"])
        found = json.loads(self.done("gradcheck", "frozen", "--json"))
        self.assertEqual([t["name"] for t in found["tensors"]], ["input", "l1.weight", "l1.bias"])


if __name__ == "__main__":
    unittest.main()
