# SPDX-License-Identifier: MIT
"""stoa-bench train --peer: pairs, ratios and memory beside a program of this test that stands in for PyTorch.

Run: STOA_BENCH=build/bench/stoa-bench test_train_peer.py
"""

import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import unittest

BENCH = os.environ['STOA_BENCH']
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / 'bench' / 'peers'))
import networks  # noqa: E402
QUICK = ['--min-time', '0.001', '--repetitions', '3', '--threads', '2']

# A peer that reads the files, says the losses that Stoa itself says, and that every step took 10 ms; `spoil` breaks it.
STAND_IN = '''#!{python}
import os, pathlib, subprocess, sys
script, folder, threads, batch, isa = sys.argv[-5:]
assert script.endswith('train.py') and isa == {isa!r} and threads == '2'
folder, spoil = pathlib.Path(folder), {spoil!r}
if spoil == 'missing':
    print('the engine is not installed', file=sys.stderr)
    sys.exit(2)
images, labels = (folder / 'images.f32').stat().st_size // 4, (folder / 'labels.i32').stat().st_size // 4
assert labels == 16 * int(batch) and images % labels == 0 and (folder / 'model.safetensors').exists()
stoa = subprocess.run([{bench!r}, 'train', str(folder / 'recipe.ini'), '--serve', '--batch', batch], stdin=subprocess.DEVNULL,
                      stdout=subprocess.PIPE, text=True, check=True)
parameters, *losses = stoa.stdout.splitlines()[2].split()
if spoil == 'parameters':
    parameters = str(int(parameters) + 1)
if spoil == 'loss':
    losses[2] = str(1.01 * float(losses[2]))
print('Engine 1.5', 'by hand', ' '.join([parameters, *losses]), sep='\\n', flush=True)
for line in sys.stdin:
    question, *count = line.split()
    if spoil == 'dies':
        sys.exit(1)
    print(0.01 * int(count[0]) if question == 'steps' else '1000000000 0', flush=True)
'''


class TrainPeer(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.recipe = self.folder / 'small.ini'
        self.recipe.write_text('[model]\ninput = 6x6x2\nc = conv2d filters=3 kernel=3\nr = relu\nl = linear units=4\n'
                               '[data]\nset = none\nclasses = 4\n[train]\nbatch = 5\noptimizer = sgd\n', encoding='utf-8')

    def stand_in(self, spoil='', isa='best'):
        path = self.folder / f'python-{spoil}'
        path.write_text(STAND_IN.format(python=sys.executable, bench=BENCH, spoil=spoil, isa=isa), encoding='utf-8')
        path.chmod(0o755)
        return str(path)

    def bench(self, *arguments):
        return subprocess.run([BENCH, 'train', *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=120, check=False)

    def test_ratio_and_memory(self):
        path = self.folder / 'results.json'
        done = self.bench(str(self.recipe), '--peer', 'pytorch', '--python', self.stand_in(), *QUICK, '--json', str(path))
        self.assertEqual((done.returncode, done.stderr), (0, ''), done.stdout)
        rows = json.loads(path.read_text(encoding='utf-8'))['benchmarks']
        ours, theirs = ([r for r in rows if r.get('run_name') == name and r.get('aggregate_name') == 'median'][0]
                        for name in ('train/small', 'Engine 1.5/small'))
        single = [r['real_time'] for r in rows if r['name'] == 'train/small']
        self.assertEqual(len(single), 3)
        self.assertAlmostEqual(ours['ratio_to_peer'] * statistics.median(single) / 1e7, 1, places=5)
        self.assertEqual((ours['batch'], ours['parameters']), (5, 3 * 2 * 9 + 3 + 4 * 48 + 4))
        self.assertAlmostEqual(theirs['items_per_second'], 500, places=6)
        self.assertEqual((theirs['engine'], theirs['beside'], theirs['way']), ('Engine 1.5', 'train', 'by hand'))
        self.assertEqual(ours['peer_resident_peak_bytes'], 10 ** 9)
        self.assertAlmostEqual(ours['peak_ratio_to_peer'] * ours['resident_peak_bytes'], 10 ** 9, delta=10)
        self.assertTrue(0 < ours['plan_bytes'] < ours['resident_peak_bytes'] < 10 ** 8)
        self.assertIn('Engine 1.5, by hand', done.stdout)
        self.assertRegex(done.stdout, rf'\nsmall +5 .* {ours["ratio_to_peer"]:.2f} ')
        self.assertLessEqual(max(map(len, done.stdout.splitlines())), 100)

    def test_held_to_an_instruction_set(self):
        done = self.bench(str(self.recipe), '--peer', 'pytorch', '--python', self.stand_in(isa='base'), *QUICK, '--isa', 'base')
        self.assertEqual(done.returncode, 0, done.stderr)

    def refused(self, *arguments, code=2):
        done = self.bench(*arguments)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stderr.count('\n'), 1, done.stderr)
        return done.stderr

    def test_what_does_not_work(self):
        arguments = [str(self.recipe), '--peer', 'pytorch', *QUICK]
        self.assertIn("--peer: found 'onednn', expected pytorch", self.refused('lenet5', '--peer', 'onednn'))
        self.assertIn('--trace: found beside --peer', self.refused('lenet5', '--peer', 'pytorch', '--trace', str(self.folder / 't')))
        self.assertIn('--serve: found 0 recipes', self.refused('--serve'))
        self.assertIn("--python: cannot run '/dev/null/python'", self.refused(*arguments, '--python', '/dev/null/python'))
        self.assertEqual(self.refused(*arguments, '--python', self.stand_in('missing')), 'the engine is not installed\n')
        for spoil, word in (('parameters', 'expected Stoa\'s 253'), ('loss', 'in step 3, expected Stoa\'s'),
                            ('dies', '--peer pytorch: it ended without an answer')):
            self.assertIn(word, self.refused(*arguments, '--python', self.stand_in(spoil), code=1))

    def test_smoothing_of_the_loss(self):
        for recipe, smoothing in (('mnist-99', 0.1), ('lenet5', 0), ('mlp-e-weighted', 0)):
            self.assertEqual(networks.smoothing_of(ROOT / 'data' / 'recipes' / f'{recipe}.ini'), smoothing)


if __name__ == '__main__':
    unittest.main()
