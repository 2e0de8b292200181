# SPDX-License-Identifier: MIT
"""What makes a training easy to live with: a search for the learning rate, a summary at the end, and a word when nothing
is learned."""

import json
import math
import signal
import time
import unittest

from support import Command, read, write


def recipe(**train):
    """tiny.ini with other lines in [train]."""
    text = read("tiny.ini").decode()
    head, _, tail = text.partition("[train]\n")
    lines = dict(line.split(" = ", 1) for line in tail.splitlines())
    lines.update({key: str(value) for key, value in train.items()})
    return head + "[train]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items())


class FindLr(Command):
    def test_a_curve_and_a_suggestion(self):
        before = self.snapshot()
        found = json.loads(self.done("train", "tiny", "--find-lr", "--json"))
        points = found["points"]
        self.assertEqual((found["recipe"], found["batch"], found["lr"]), ("tiny", 32, 0.005))
        self.assertGreater(len(points), 100)
        for i, point in enumerate(points):
            expected = 1e-7 * 1e8 ** (i / 199)
            self.assertAlmostEqual(point["lr"] / expected, 1, delta=1e-4)
            self.assertTrue(math.isfinite(point["loss"]) and math.isfinite(point["smoothed_loss"]))
        # An easy set: it is learned before the rate is too high.
        losses = [point["smoothed_loss"] for point in points]
        lowest = next(point for point in points if point["smoothed_loss"] <= 0.02 * max(losses))
        self.assertLess(lowest["lr"], 0.1)
        self.assertEqual(found["lowest_loss_lr"], lowest["lr"])
        self.assertAlmostEqual(found["suggestion"] / (lowest["lr"] / 10), 1, delta=1e-5)
        out = self.done("train", "tiny", "--find-lr", env={"LANG": "C", "LC_ALL": "C", "COLUMNS": "80"})
        self.assertIn(f"suggestion  --lr {found['suggestion']:.2g}: a tenth of the rate with the smallest", out)
        self.assertIn("the recipe trains with 0.005", out)
        self.assertRegex(out, r"smoothed.*loss of a batch")
        self.assertIn("learning rate\n", out)
        drawn = [line for line in out.splitlines() if "|" in line or "+" in line]
        self.assertGreater(len(drawn), 15)
        self.assertTrue(all(len(line) <= 80 for line in drawn))
        self.assertEqual(self.snapshot(), before)

    def test_what_it_suggests_trains(self):
        rate = json.loads(self.done("train", "tiny", "--find-lr", "--json"))["suggestion"]
        self.done("train", "tiny", "--lr", f"{rate:.2g}", "--epochs", "4", "--out", "run")
        self.assertGreater(json.loads(read("run/metrics.jsonl").splitlines()[-1])["test_accuracy"], 0.95)

    def test_threads_and_seeds(self):
        curves = [self.done("train", "tiny", "--find-lr", "--json", *more)
                  for more in (["--threads", "1"], ["--threads", "3"], ["--seed", "9"])]
        self.assertEqual(curves[0], curves[1])
        self.assertNotEqual(curves[0], curves[2])

    def test_none_where_nothing_is_learned(self):
        # Labels that no network can tell: the same for every picture's twin.
        noise = read("data/blobs/train-images-idx3-ubyte")
        write("data/blobs/train-images-idx3-ubyte", noise[:16] + bytes(len(noise) - 16))
        self.assertIn("suggestion  none", self.done("train", "tiny", "--find-lr"))
        self.assertIsNone(json.loads(self.done("train", "tiny", "--find-lr", "--json"))["suggestion"])

    def test_refused(self):
        for more in (["--out", "run"], ["--force"], ["--epochs", "3"]):
            self.refused("train", "tiny", "--find-lr", *more, words=["--find-lr", more[0]])
        write("wrong.ini", recipe(schedule="plateau"))
        self.refused("train", "wrong", "--find-lr", words=["validation"])

    def test_interrupted(self):
        write("slow.ini", recipe(batch=256).replace("filters=4 kernel=5 stride=2", "filters=128 kernel=9 pad=4")
              .replace("set = blobs", "set = digits"))
        # A signal that comes before the training ends the command as any other.
        for seconds in (0.5, 1, 2, 4, 8):
            process = self.start("train", "slow", "--find-lr", "--threads", "1")
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
            out, errors = process.communicate(timeout=60)
            if process.returncode != -signal.SIGINT:
                break
        self.assertEqual((process.returncode, out), (130, ""), errors)
        self.assertEqual(errors, "stoa: interrupted, no learning rate is found\n")


class Summary(Command):
    def test_says_what_was_reached(self):
        out = self.done("train", "tiny", "--epochs", "3", "--out", "run").splitlines()
        lines = [json.loads(line) for line in read("run/metrics.jsonl").splitlines()]
        last, best = lines[-1], max(lines, key=lambda line: line["test_accuracy"])
        self.assertRegex("\n".join(out), r"\ndone    3 epochs in \d+:\d\d, [\d,]+ images/s while training\n")
        for name in ("train", "test"):
            line = [line for line in out if line.startswith(f"{name:8}")][0]
            self.assertIn(f"{100 * last[f'{name}_accuracy']:.2f} %, loss {last[f'{name}_loss']:.4f}", line)
        line = [line for line in out if line.startswith("test ")][0]
        self.assertEqual(f"highest {100 * best['test_accuracy']:.2f} % in epoch {best['epoch']}" in line,
                         best["test_accuracy"] > last["test_accuracy"])
        self.assertEqual([line.split()[0] for line in out[-7:-3]], ["train", "test", "model", "metrics"])
        self.assertEqual([line[8:] for line in out[-3:]],
                         ["stoa eval run", "stoa predict run data/blobs --csv answers.csv", "stoa report run"])

    def test_says_which_epoch_is_kept(self):
        write("held.ini", recipe(validation=0.2, keep_best="true", lr=0.03))
        out = self.done("train", "held", "--epochs", "6", "--out", "run")
        lines = [json.loads(line) for line in read("run/metrics.jsonl").splitlines()]
        kept = [line for line in lines if line["best"]][-1]
        self.assertIn(f"best    epoch {kept['epoch']} by validation: test {100 * kept['test_accuracy']:.2f} %", out)
        self.assertRegex(out, r"\nvalid   \d+\.\d\d %, loss ")

    def test_as_json(self):
        write("held.ini", recipe(validation=0.2))
        found = json.loads(self.done("train", "held", "--epochs", "3", "--out", "run", "--json"))
        lines = [json.loads(line) for line in read("run/metrics.jsonl").splitlines()]
        self.assertEqual(found["run"], "run")
        self.assertGreater(found["images_per_second"], 0)
        self.assertGreater(found["seconds"], 0)
        for name, line in (("last", lines[-1]), ("best", [line for line in lines if line["best"]][-1])):
            self.assertEqual(found[name], {key: line[key] for key in found[name]})
            self.assertEqual(set(line) - set(found[name]), {"best"})


class Diagnosis(Command):
    def note(self, *arguments, code=0):
        """The lines on stderr of a training that goes wrong."""
        result = self.stoa("train", *arguments, "--out", "run", "--force")
        self.assertEqual(result.returncode, code, result.stderr)
        return result.stderr.splitlines()

    def test_nothing_is_learned(self):
        lines = self.note("tiny", "--lr", "1e-9", "--batch", "2", "--epochs", "4")
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], r"^stoa: note: nothing is learned up to epoch 2: training loss 2\.\d+, accuracy "
                                   r"\d+\.\d\d %, as by guessing; try another lr \(it is 1e-09; --find-lr or ")
        self.assertEqual(self.note("tiny", "--lr", "1e-9", "--batch", "2", "--epochs", "4", "--quiet"), [])

    def test_it_shows_in_few_steps_at_the_end_only(self):
        self.assertEqual(self.note("tiny", "--lr", "1e-9", "--epochs", "4"), [])
        self.assertIn("up to epoch 6:", self.note("tiny", "--lr", "1e-9", "--epochs", "6")[0])

    def test_guessing_is_measured_by_the_classes(self):
        """Nine of ten samples are of one class: to know that is nothing learned, though the accuracy is 90 %."""
        write("data/two.csv", "x,y,label\n" + "".join(f"{i % 7},{i % 5},{int(i % 10 == 0)}\n" for i in range(600)))
        write("two.ini", recipe(lr=1e-3, epochs=8, batch=16).replace("28x28x1", "1x1x2").replace("set = blobs", "set = two")
              .replace("c1 = conv2d filters=4 kernel=5 stride=2\nr1 = relu\nf = flatten\n", "").replace("units=10", "units=2")
              .replace("classes = 10\nmean = 0.1\ndeviation = 0.3", "classes = 2\nnormalize = measured"))
        lines = self.note("two", "--lr", "1e-9")
        self.assertIn("nothing is learned", lines[0])

    def test_dead_units_are_named(self):
        # Every unit of r1 is off: no picture can be told from another behind it.
        write("dead.ini", recipe(batch=2, epochs=2).replace("filters=4 kernel=5 stride=2", "filters=4 kernel=5 stride=2 init=constant")
              .replace("r1 = relu", "r1 = relu\nd1 = linear units=8 init=constant\nr2 = relu").replace("f = flatten\nl1", "l1")
              .replace("d1 =", "f = flatten\nd1 ="))
        lines = self.note("dead")
        self.assertEqual(len(lines), 1, lines)
        self.assertIn("layer 'l1' gets nothing but zeros, as all units in front of it are dead; try lr = 0.0005", lines[0])

    def test_vanishing_gradients_are_named(self):
        layers = "f = flatten\n" + "".join(
            f"d{i} = linear units=16 init=normal init_std=0.01\ns{i} = sigmoid\n" for i in range(1, 7))
        write("deep.ini", recipe(batch=2, epochs=2, optimizer="sgd").replace("f = flatten\n", layers)
              .replace("c1 = conv2d filters=4 kernel=5 stride=2\nr1 = relu\n", ""))
        lines = self.note("deep")
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], r"gradients vanish on the way to 'd\d\.weight'.*try relu")

    def test_an_explosion_is_told_once(self):
        write("wild.ini", recipe(optimizer="sgd", lr=5, epochs=3))
        lines = self.note("wild")
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], r"the loss explodes: \S+ in epoch \d, \d\.\d{4} in the first step; against its values "
                                   r"the gradient of '\w+\.weight' is the largest; try lr = 0.5 \(it is 5; .*\) or clip_norm = 1")

    def test_what_to_try_behind_a_loss_that_is_no_number(self):
        lines = self.note("tiny", "--lr", "1e30", code=1)
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], r"^stoa: epoch 1, step \d+: .* non-finite .* '\w+'; try --lr 1e\+29 "
                                   r"\(it is 1e\+30\) or clip_norm = 1; --find-lr suggests one$")

    def test_a_training_that_learns_is_left_alone(self):
        for arguments in (["tiny", "--epochs", "4"], ["tiny", "--epochs", "1", "--batch", "2"]):
            self.assertEqual(self.note(*arguments), [])


if __name__ == "__main__":
    unittest.main()
