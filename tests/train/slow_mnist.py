# SPDX-License-Identifier: MIT
"""Real training on MNIST: accuracy, and the same bits on any number of threads, for every instruction set.

Needs data/mnist (data/fetch-mnist); skipped (exit 77) without. Minutes. Run: slow_mnist.py STOA SOURCE_ROOT
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'cli'))
from support import halve  # noqa: E402 - beside the tests of the command

STOA = sys.argv[1]
ROOT = pathlib.Path(sys.argv[2])


def train(folder, recipe, *options, **environment):
    """Train into a new folder; the model's hash and the last line of its metrics."""
    out = pathlib.Path(tempfile.mkdtemp(dir=folder)) / 'run'
    subprocess.run([STOA, 'train', recipe, '--quiet', '--out', str(out), *options], check=True, cwd=ROOT,
                   env={**os.environ, **environment})
    metrics = (out / 'metrics.jsonl').read_text(encoding='utf-8').splitlines()
    return hashlib.sha256((out / 'model.safetensors').read_bytes()).hexdigest(), json.loads(metrics[-1])


class Mnist(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_mnist_cnn_reaches_99_percent(self):
        for seed in ('1', '2', '3'):
            _, last = train(self.folder, 'mnist-cnn', '--seed', seed)
            self.assertEqual(last['epoch'], 4)
            self.assertGreaterEqual(last['test_accuracy'], 0.99, f'seed {seed}')

    def test_mnist_99_reaches_99_percent_in_one_epoch(self):
        for seed in ('1', '2', '3'):
            _, last = train(self.folder, 'mnist-99', '--seed', seed)
            self.assertEqual(last['epoch'], 1)
            self.assertGreaterEqual(last['test_accuracy'], 0.99, f'seed {seed}')

    def test_lenet5_reaches_99_percent(self):
        _, last = train(self.folder, 'lenet5')
        self.assertGreaterEqual(last['test_accuracy'], 0.99)

    def test_half_precision_costs_nothing(self):
        """LeNet-5 as a PyTorch state dictionary in F16 behind `module.`."""
        out = pathlib.Path(self.folder) / 'base'
        subprocess.run([STOA, 'train', 'lenet5', '--quiet', '--epochs', '2', '--out', str(out)], check=True, cwd=ROOT)
        state = str(out / 'state.safetensors')
        halve(str(out / 'model.safetensors'), state, 'module.')
        own, half = [json.loads(subprocess.run([STOA, 'eval', *words, '--json'], check=True, cwd=ROOT,
                                               stdout=subprocess.PIPE).stdout)['accuracy']
                     for words in ([str(out)], [state, '--recipe', 'lenet5'])]
        self.assertGreater(own, 0.98)
        self.assertLessEqual(abs(own - half), 0.0005)

    def command(self, *words, code=0):
        """The JSON that a training prints."""
        result = subprocess.run([STOA, 'train', *words, '--json'], check=False, cwd=ROOT, capture_output=True, text=True)
        self.assertEqual(result.returncode, code, result.stderr)
        return json.loads(result.stdout)

    def test_lenet5_learns_at_the_rate_that_is_found(self):
        for seed in ('1', '2', '3'):
            found = self.command('lenet5', '--find-lr', '--seed', seed)
            self.assertTrue(found['exploded'])
            self.assertTrue(5e-4 < found['suggestion'] < 2e-2, found['suggestion'])
            _, last = train(self.folder, 'lenet5', '--seed', seed, '--epochs', '2', '--lr', f'{found["suggestion"]:.2g}')
            self.assertGreaterEqual(last['test_accuracy'], 0.98, f'seed {seed}')

    def test_lenet5_settings_times_seeds(self):
        out = os.path.join(self.folder, 'grid')
        found = self.command('lenet5', '--epochs', '2', '--set', 'lr=1e-5,5e-3,1e30', '--set', 'validation=0.1', '--seeds',
                             '2', '--out', out, code=1)
        low, good, wild = found['settings']
        self.assertEqual([(row['done'], row['failed'], row['chosen']) for row in (low, good, wild)],
                         [(2, 0, False), (2, 0, True), (0, 2, False)])
        self.assertGreater(good['test_accuracy']['mean'], 0.98)
        self.assertGreater(good['test_accuracy']['mean'], low['test_accuracy']['mean'] + 0.1)
        alone, _ = train(self.folder, 'lenet5', '--epochs', '2', '--seed', '2', '--set', 'validation=0.1', '--set', 'lr=5e-3')
        run = pathlib.Path(out) / '4-lr=5e-3-seed=2' / 'model.safetensors'
        self.assertEqual(hashlib.sha256(run.read_bytes()).hexdigest(), alone)

    def test_bits_do_not_depend_on_threads(self):
        for isa in ('base', 'avx2', 'avx512'):
            for recipe in ('lenet5', 'mnist-cnn', 'mnist-99'):
                models = set()
                for threads in ('1', '2', '3', '7'):
                    model, last = train(self.folder, recipe, '--epochs', '1', '--seed', '7', '--threads', threads,
                                        STOA_CPU=isa)
                    models.add(model)
                    self.assertEqual(last['threads'], int(threads))
                self.assertEqual(len(models), 1, f'{recipe} on {isa}')


if __name__ == '__main__':
    if not (ROOT / 'data' / 'mnist' / 'train-images-idx3-ubyte').is_file():
        print('data/mnist is missing: run data/fetch-mnist')
        sys.exit(77)
    unittest.main(argv=sys.argv[:1])
