# SPDX-License-Identifier: MIT
"""stoa-bench accuracy: what it makes of the runs that a stand-in for `stoa train` writes, and one with the command itself.

Run: STOA_BENCH=build/bench/stoa-bench test_accuracy.py
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

BENCH = os.environ['STOA_BENCH']
RECIPE = '[model]\ninput = 1x1x4\nl1 = linear units=8\nr1 = relu\nl2 = linear units=3\n[data]\nset = iris\nclasses = 3\n' \
         '[train]\nepochs = 4\nbatch = 8\nlr = 1e-2\n'
STAND_IN = '''#!{python}
import json, pathlib, sys
assert sys.argv[1] == 'train' and sys.argv[2].endswith('r.ini'), sys.argv
given = dict(word[2:].split('=') for word in sys.argv[3:] if '=' in word)
seed, out = int(given['seed']), pathlib.Path(given['out'])
if seed == {fails}:
    print('stoa: this seed fails', file=sys.stderr)
    sys.exit(1)
out.mkdir(exist_ok=True)
lines = [{{'epoch': 1, 'test_accuracy': 1}}, {{'epoch': 2, 'test_accuracy': 0.97 + seed / 100}}]
(out / 'metrics.jsonl').write_text(''.join(json.dumps(line) + chr(10) for line in lines))
(out / 'timing.jsonl').write_text('{{"epoch": 1, "seconds": 0.25}}' + chr(10) + '{{"epoch": 2, "seconds": 0.5}}' + chr(10))
print('what it says is not shown')
'''


class Accuracy(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / 'r.ini').write_text(RECIPE, encoding='utf-8')
        self.temporary = self.folder / 'tmp'
        self.temporary.mkdir()

    def bench(self, *arguments, code=0):
        done = subprocess.run([BENCH, 'accuracy', *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              cwd=self.folder, text=True, timeout=200, check=False, env={**os.environ, 'TMPDIR': str(self.temporary)})
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        self.assertEqual(list(self.temporary.iterdir()), [])
        return done

    def stand_in(self, fails=0):
        path = self.folder / 'stand-in'
        path.write_text(STAND_IN.format(python=sys.executable, fails=fails), encoding='utf-8')
        path.chmod(0o755)
        return ['r.ini', '--stoa', str(path)]

    def test_share_mean_and_seconds(self):
        done = self.bench(*self.stand_in(), '--seeds', '3', '--json', 'results.json')
        rows = json.loads((self.folder / 'results.json').read_text(encoding='utf-8'))['benchmarks']
        means = [row for row in rows if row.get('aggregate_name') == 'mean']
        self.assertEqual([row['run_name'] for row in means], ['accuracy/r'])
        # 98, 99 and 100 % at the last epoch; the first epoch does not count.
        self.assertAlmostEqual(means[0]['share_at_target'], 2 / 3)
        self.assertAlmostEqual(means[0]['test_accuracy'], 0.99)
        self.assertAlmostEqual(means[0]['training_seconds'], 0.75)
        self.assertGreater(means[0]['real_time'], 0)
        self.assertRegex(done.stdout, r'\nr +2 of 3 +99.00 % +99.000 % +1.000 +98.000 % +0.750 ')
        self.assertNotIn('not shown', done.stdout)
        self.assertIn('3 of 3', self.bench(*self.stand_in(), '--seeds', '3', '--target', '0.98').stdout)

    def test_runs_that_fail(self):
        done = self.bench(*self.stand_in(fails=2), '--seeds', '3', code=1)
        self.assertEqual(done.stderr, 'stoa: this seed fails\n')
        self.assertIn("cannot run '/nowhere/stoa'", self.bench('r.ini', '--stoa', '/nowhere/stoa', code=2).stderr)
        self.assertIn("found '2', expected a number", self.bench('r.ini', '--target', '2', code=2).stderr)
        self.bench('no-such-recipe', code=2)

    def test_the_command_itself(self):
        data = pathlib.Path(__file__).parents[2] / 'data' / 'iris'
        done = self.bench('r.ini', '--target', '0.2', '--seeds', '2', '--data', str(data))
        self.assertRegex(done.stdout, r'\nr +2 of 2 +20.00 % ')


if __name__ == '__main__':
    unittest.main()
