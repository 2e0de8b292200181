# SPDX-License-Identifier: MIT
"""Bad input: the status, one line that names what was found, and nothing written."""

import gzip
import json
import os
import struct
import subprocess
import unittest

from support import RECIPE, SIDE, Command, files_of, idx_images, idx_labels, png, read, safetensors_read, safetensors_write, write

IMAGES = "data/blobs/train-images-idx3-ubyte"
LABELS = "data/blobs/train-labels-idx1-ubyte"


class Arguments(Command):
    def test_commands(self):
        self.refused(words=["command missing"])
        self.refused("trian", "tiny", words=["trian", "'train'"])
        self.refused("dance", words=["dance"])
        self.refused("help", "evla", words=["evla", "'eval'"])
        self.refused("help", "eval", "plan", words=["plan"])
        self.refused("--verbose", words=["--verbose"])
        self.refused("--version", "x", words=["'x'"])
        self.refused("a\nb\x1b[2J", words=["a?b?[2J"])

    def test_numbers(self):
        for option in ("--epochs", "--batch", "--threads"):
            for value in ("0", "-1", "x", "1.5", "1e3", " 3", "3 ", "+3", "0x10", "99999999999999999999999", "1000000000"):
                self.refused("train", "tiny", option, value, words=[option, f"'{value}'", "expected"])
        self.refused("train", "tiny", "--threads", "257", words=["--threads", "'257'", "256"])
        for value in ("0", "-1e-3", "x", "nan", "inf", "1e400", "1e-60", "0x1p3", " 1", "1,5", "1e", ""):
            self.refused("train", "tiny", "--lr", value, words=["--lr", f"'{value}'"])
        for value in ("-1", "x", "18446744073709551616", "1.0", ""):
            self.refused("train", "tiny", "--seed", value, words=["--seed", f"'{value}'"])
            self.refused("train", "tiny", "--split-seed", value, words=["--split-seed", f"'{value}'"])

    def test_rates(self):
        """--lr and `lr` take the same numbers."""
        for value, good in (("1e-30", True), ("9e-31", False), ("1e30", True), ("1.1e30", False), ("1e-13", True), ("5000", True)):
            write("rate.ini", RECIPE.replace("lr = 5e-3", f"lr = {value}"))
            if good:
                self.done("plan", "rate.ini")
                result = self.stoa("train", "tiny", "--lr", value, "--epochs", "1", "--out", "o", "--force", "--quiet")
                self.assertIn(result.returncode, (0, 1), result.stderr)  # some are too large to learn with
            else:
                self.refused("plan", "rate.ini", words=["lr", f"'{value}'", "1e-30", "1e+30"])
                self.refused("train", "tiny", "--lr", value, words=["--lr", f"'{value}'", "1e-30", "1e+30"])

    def test_batches_that_train_nothing(self):
        recipe = RECIPE.replace("l1 =", "l0 = linear units=6\nb1 = batchnorm\nl1 =")
        write("normed.ini", recipe)
        count = struct.unpack(">I", read(IMAGES)[4:8])[0]
        self.refused("train", "normed.ini", "--batch", "1", words=["batchnorm 'b1'", "1 sample in a batch", "2 or more"])
        self.refused("train", "normed.ini", "--batch", str(count - 1), words=["batchnorm 'b1'", "last batch of an epoch"])
        self.refused("plan", "normed.ini", "--batch", "1", words=["batchnorm 'b1'"])
        self.done("plan", "normed.ini", "--batch", "1", "--inference")
        self.done("train", "normed.ini", "--batch", "2", "--epochs", "1", "--quiet")

    def test_options(self):
        self.refused("train", "tiny", "--epoch", "3", words=["--epoch", "'--epochs'?"])
        self.refused("gradcheck", "tiny", "--find-lr", words=["--find-lr"])
        self.refused("train", "tiny", "-e", words=["-e"])
        self.refused("train", "tiny", "--seed", "1", "--seed=2", words=["--seed", "'1'", "'2'"])
        self.refused("train", "tiny", "--force", "--force", words=["--force", "twice"])
        self.refused("train", "tiny", "--force=yes", words=["--force", "'yes'"])
        self.refused("train", "tiny", "--out", words=["--out", "missing"])
        self.refused("train", "tiny", "--out", "--force", words=["--out", "missing"])
        self.refused("train", "tiny", "--out", "", words=["--out"])
        self.refused("train", words=["RECIPE"])
        self.refused("train", "", words=["RECIPE"])
        self.refused("train", "tiny", "more", words=["'more'"])
        self.refused("predict", self.model(), words=["PATH"])
        self.refused("recipes", "tiny", "--json", words=["--json"])

    def test_environment(self):
        for name, value in (("STOA_CPU", "avx1024"), ("STOA_THREADS", "0"), ("STOA_THREADS", "many"),
                            ("STOA_THREADS", "257"), ("STOA_POLICY", "quick")):
            self.refused("train", "tiny", env={name: value}, words=[name, f"'{value}'"])
            self.refused("--version", env={name: value}, words=[name, f"'{value}'"])
        self.refused("train", "tiny", env={"STOA_TUNING": "zen"},
                     words=["STOA_TUNING", "'zen'", "generic-base", "intel-server"])
        self.refused("train", "tiny", env={"STOA_TUNING": "./my.tuning"}, words=["STOA_TUNING", "./my.tuning"])
        write("my.tuning", "like = zen4\nl2_bytes = 1e6\n")
        self.refused("train", "tiny", env={"STOA_TUNING": "my.tuning"},
                     words=["STOA_TUNING", "my.tuning:2: l2_bytes: found '1e6', expected a whole number from 16384"])
        self.refused("train", "tiny", env={"STOA_CONV": "fft"}, words=["STOA_CONV", "'fft'", "depthwise", "im2col"])

    def test_output_that_cannot_be_written(self):
        write("file", "x")
        self.refused("train", "tiny", "--out", "file", words=["file"])
        self.refused("train", "tiny", "--out", "file/run", words=["file/run", "Not a directory"])
        self.refused("train", "tiny", "--out", "new/deep/" + "n" * 300, words=["nnn"])
        self.refused("train", "tiny", "--out", "/proc/stoa/run", words=["/proc/stoa/run"])
        self.refused("train", "tiny", "--out", "/dev/full", words=["/dev/full"])
        if os.path.ismount("/sys"):  # in a chroot it may be a folder like any other
            with self.assertRaises(OSError) as reason:
                os.mkdir("/sys/stoa")
            self.refused("train", "tiny", "--out", "/sys/stoa", words=["/sys/stoa", reason.exception.strerror])
        self.refused("train", "tiny", "--out", "data", words=["data", "--force"])
        os.makedirs("run/model.safetensors")
        self.refused("train", "tiny", "--out", "run", "--force", words=["run/model.safetensors"])
        write("runs", "a file where the folder should be")
        self.refused("train", "tiny", words=["runs"])

    def test_pipes_are_not_waited_for(self):
        os.mkfifo("pipe")
        for command in ("plan", "eval", "info", "train"):
            self.refused(command, "pipe", words=["pipe", "expected a file"])
        self.refused("recipes", "./pipe", words=["pipe", "expected a file"])

    def test_full_standard_output(self):
        self.model()
        for arguments in (["help"], ["recipes"], ["info", "model.safetensors"], ["plan", "tiny", "--json"]):
            with open("/dev/full", "w") as full:
                result = self.stoa(*arguments, stdout=full)
            self.assertEqual(result.returncode, 1)
            self.one_line(result, "standard output")

    def test_closed_standard_output(self):
        self.model()
        for arguments in (["help"], ["info", "model.safetensors"], ["eval", "model.safetensors", "--json"]):
            result = self.stoa(*arguments, stdout=None, preexec_fn=lambda: os.close(1))
            self.assertEqual(result.returncode, 1)
            self.one_line(result, "standard output: Bad file descriptor")

    def test_whoever_stops_reading_is_not_told(self):
        self.model()
        for arguments in (["help"], ["info", "model.safetensors"], ["plan", "tiny", "--json"]):
            reader, writer = os.pipe()
            os.close(reader)  # before the command can have written all
            process = self.start(*arguments, stdin=subprocess.PIPE, stdout=writer)
            os.close(writer)
            self.assertEqual((process.wait(timeout=60), process.stderr.read()), (1, ""), arguments)
            process.stderr.close()
            process.stdin.close()


class Data(Command):
    """Each test spoils one file of the set."""

    def check(self, *words, path=None):
        self.refused("train", "tiny", words=[path or IMAGES, *words])

    def test_missing(self):
        self.refused("train", "tiny", "--data", "nowhere", words=["nowhere"])
        os.rename("data/blobs", "moved")
        self.refused("train", "tiny", words=["blobs"])
        self.refused("eval", self.model_elsewhere(), words=["blobs"])
        self.refused("train", "tiny", "--data", "tiny.ini", words=["tiny.ini"])
        os.makedirs("empty")
        self.refused("train", "tiny", "--data", "empty", words=["empty"])

    def model_elsewhere(self):
        os.rename("moved", "data/blobs")
        path = self.model()
        os.rename("data/blobs", "moved")
        return path

    def test_one_file_missing(self):
        os.remove("data/blobs/t10k-labels-idx1-ubyte.gz")
        self.refused("train", "tiny", words=["t10k-labels"])
        self.refused("eval", self.whole_model(), words=["t10k-labels"])

    def whole_model(self):
        write("data/blobs/t10k-labels-idx1-ubyte", idx_labels(100))
        path = self.model()
        os.remove("data/blobs/t10k-labels-idx1-ubyte")
        return path

    def test_folder_for_a_file(self):
        os.remove(IMAGES)
        os.makedirs(IMAGES)  # it may hold the file under its own name, but holds none
        folder, name = os.path.split(IMAGES)
        self.check(f"{folder}: holds no {name}", path=folder)

    def test_truncated(self):
        whole = read(IMAGES)
        for length in (0, 3, 15, 16, len(whole) - 1):
            write(IMAGES, whole[:length])
            self.check()
        write(IMAGES, whole)
        write(LABELS, read(LABELS)[:-1])
        self.check(path=LABELS)

    def test_oversized(self):
        write(IMAGES, read(IMAGES) + b"\0")
        self.check()
        write(IMAGES, struct.pack(">IIII", 0x803, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF))
        self.check()
        write(IMAGES, struct.pack(">IIII", 0x803, 300, 0, 28))
        self.check("0")

    def test_wrong_magic(self):
        write(IMAGES, b"\0\0\x08\x01" + read(IMAGES)[4:])
        self.check()
        write(IMAGES, b"GIF89a" + bytes(2000))
        self.check()

    def test_gzip(self):
        whole = gzip.compress(read(IMAGES))
        os.remove(IMAGES)
        path = IMAGES + ".gz"
        for data in (b"", whole[:5], whole[: len(whole) // 2], whole[:-4], whole[:200] + b"\xff" * 50 + whole[250:],
                     whole[:-8] + b"\0" * 8, whole + b"x", gzip.compress(b""), gzip.compress(b"\0" * 10),
                     gzip.compress(struct.pack(">IIII", 0x803, 1, 28, 28) + bytes(785)), b"not gzip at all" * 9):
            write(path, data)
            self.check(path=path)

    def test_labels(self):
        labels = bytearray(read(LABELS))
        labels[8 + 123] = 10
        write(LABELS, bytes(labels))
        self.check("10", path=LABELS)
        write(LABELS, idx_labels(299))
        self.refused("train", "tiny", words=["299", "300"])

    def test_data_and_model_do_not_match(self):
        for split, count in (("train", 300), ("t10k", 100)):
            write(f"small/{split}-images-idx3-ubyte",
                  struct.pack(">IIII", 0x803, count, 14, 14) + bytes(count * 14 * 14))
            write(f"small/{split}-labels-idx1-ubyte", idx_labels(count))
        self.refused("train", "tiny", "--data", "small", words=["14x14", "28x28"])
        self.refused("train", "tiny", "--data", "small", "--out", "deep/run", words=["14x14"])
        self.refused("eval", self.model(), "--data", "small", words=["14x14"])
        write("three.ini", RECIPE.replace("units=10", "units=3"))
        self.refused("train", "three", words=["3"])


class Recipes(Command):
    def check(self, old, new, *words):
        self.assertIn(old, RECIPE)
        write("bad.ini", RECIPE.replace(old, new, 1))
        self.refused("train", "bad", words=["bad.ini", *words])
        self.refused("plan", "bad", words=["bad.ini", *words])

    def test_names(self):
        self.refused("train", "tinny", words=["tinny"])
        self.refused("recipes", "tinny", words=["tinny"])
        self.refused("train", "./nowhere.ini", words=["./nowhere.ini"])
        self.refused("train", "./data", words=["./data", "folder"])
        self.refused("plan", "tiny", "--batch", "0", words=["'0'"])

    def test_unknown(self):
        self.check("[data]", "[dat]", ":8", "dat")
        self.check("units=10", "unit=10", ":7", "unit", "l1")
        self.check("conv2d", "conv3d", ":4", "conv3d")
        self.check("epochs = 2", "epoch = 2", ":14", "epoch")
        self.check("lr = 5e-3", "optimizer = adamant", ":16", "adamant")
        self.check("title =", "titel =", ":1", "titel")
        self.check("r1 = relu", "r1 = relu from=c9", ":5", "c9")

    def test_doubled(self):
        self.check("[train]", "[data]", ":13", "data")
        self.check("r1 = relu", "c1 = relu", ":5", "c1")
        self.check("batch = 32", "epochs = 3", ":15", "epochs")
        self.check("kernel=5", "kernel=5 kernel=3", ":4", "kernel")
        self.check("r1 = relu", "input = 28x28x1", ":5", "input")

    def test_values(self):
        for value in ("0", "-1", "x", "1.5", "99999999999999999999"):
            self.check("epochs = 2", f"epochs = {value}", ":14", value)
            self.check("filters=4", f"filters={value}", ":4", value)
        for value in ("0", "-1", "x", "nan", "inf", "1e99"):
            self.check("lr = 5e-3", f"lr = {value}", ":16", value)
            self.check("deviation = 0.3", f"deviation = {value}", ":12", value)
        self.check("28x28x1", "28x28", ":3", "28x28")
        self.check("28x28x1", "0x28x1", ":3", "0x28x1")
        self.check("r1 = relu", "r1 relu", ":5", "r1 relu")

    def test_layer_that_does_not_fit(self):
        self.check("kernel=5 stride=2", "kernel=29", ":4", "c1", "29", "28")

    def test_text_that_is_no_recipe(self):
        for data in (b"", b"\0" * 100, bytes(range(256)), b"[model", b"x" * 5000, b"[model]\ninput=1x1x1\n"):
            write("bad.ini", data)
            self.refused("train", "bad", words=["bad.ini"])
            self.refused("plan", "bad.ini", words=["bad.ini"])


class Models(Command):
    def check(self, *words, path="bad.safetensors"):
        write("a.png", png(SIDE, SIDE, [bytes(SIDE)] * SIDE))
        for arguments in (["eval", path], ["info", path], ["predict", path, "a.png"], ["plan", path]):
            self.refused(*arguments, words=[path, *words])

    def test_missing(self):
        self.check(path="nowhere.safetensors")
        os.makedirs("run/old")
        self.check(path="run/old")

    def test_truncated(self):
        whole = read(self.model())
        for length in (0, 7, 8, 100, len(whole) - 1):
            write("bad.safetensors", whole[:length])
            self.check()

    def test_altered(self):
        whole = read(self.model())
        for data in (whole + b"\0", b"\xff" * 8 + whole[8:], whole[:8] + b"[" + whole[9:], read("tiny.ini"),
                     whole.replace(b'"F32"', b'"F16"'), whole.replace(b'"F32"', b'"I32"'),
                     whole.replace(b"c1.weight", b"c9.weight")):
            write("bad.safetensors", data)
            self.check()

    def test_another_type(self):
        header, data = safetensors_read(self.model())
        del header["__metadata__"]
        safetensors_write("bad.safetensors", header, data)
        self.check()
        header["c1.weight"]["shape"] = [4, 1, 25, 1]
        safetensors_write("bad.safetensors", header, data)
        self.refused("eval", "bad.safetensors", "--recipe", "tiny", words=["bad.safetensors", "c1.weight", "25"])

    def test_another_network(self):
        write("other.ini", RECIPE.replace("filters=4", "filters=5"))
        self.refused("eval", self.model(), "--recipe", "other", words=["model.safetensors", "4", "5"])
        self.refused("eval", self.model(), "--recipe", "nowhere", words=["nowhere"])

    def test_facts(self):
        header, data = safetensors_read(self.model())
        inner = json.loads(header["__metadata__"]["stoa"])
        for key, value in (("data.deviation", "0"), ("data.mean", "x"), ("data.classes", "-1"), ("loss", "guess")):
            changed = {**inner, "facts": {**inner["facts"], key: value}}
            header["__metadata__"]["stoa"] = json.dumps(changed)
            safetensors_write("bad.safetensors", header, data)
            self.refused("eval", "bad.safetensors", words=[f"'{value}'"])
        header["__metadata__"]["stoa"] = json.dumps({**inner, "facts": {}})
        safetensors_write("bad.safetensors", header, data)
        self.refused("eval", "bad.safetensors", words=["bad.safetensors", "--data"])

    def test_images(self):
        self.model()
        good = png(SIDE, SIDE, [bytes(SIDE)] * 5 + [b"\0" * 10 + b"\xff" * 8 + b"\0" * 10] * 18 + [bytes(SIDE)] * 5)
        write("good.png", good)
        for data in (b"", good[:40], good[:-20], good[:50] + b"\xff\xff" + good[52:], b"GIF89a", read("tiny.ini")):
            write("bad.png", data)
            self.refused("predict", "model.safetensors", "good.png", "bad.png", words=["bad.png"])
        self.refused("predict", "model.safetensors", "good.png", "none.png", words=["none.png"])
        os.mkdir("empty")
        self.refused("predict", "model.safetensors", "empty", words=["empty"])


class NotFinite(Command):
    def test_first_epoch(self):
        result = self.refused("train", "tiny", "--lr", "1e30", "--out", "run", code=1, words=["epoch 1", "step", "layer"])
        self.assertNotIn("nan", result.stdout)

    def test_an_older_run_stays(self):
        self.done("train", "tiny", "--out", "run")
        self.refused("train", "tiny", "--lr", "1e30", "--out", "run", "--force", code=1, words=["epoch 1"])

    def test_last_completed_epoch_stays(self):
        write("steep.ini", RECIPE.replace("r1 = relu\n", "").replace("batch = 32", "batch = 300")
              .replace("lr = 5e-3", "lr = 30\noptimizer = sgd"))
        result = self.stoa("train", "steep", "--epochs", "200", "--out", "run")
        self.assertEqual(result.returncode, 1, result.stderr)
        note, last = result.stderr.splitlines()
        self.assertIn("the loss explodes", note)
        for word in ("epoch ", "step ", "layer"):
            self.assertIn(word, last)
        self.assertNotIn("epoch 1,", last)
        self.assertEqual(files_of("run"), ["metrics.jsonl", "model.safetensors", "timing.jsonl"])
        lines = [json.loads(line) for line in read("run/metrics.jsonl").splitlines()]
        self.assertGreaterEqual(len(lines), 1)
        report = json.loads(self.done("info", "run", "--json"))
        self.assertEqual(report["facts"]["train.epoch"], str(len(lines)))


if __name__ == "__main__":
    unittest.main()
