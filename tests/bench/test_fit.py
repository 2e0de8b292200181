# SPDX-License-Identifier: MIT
"""stoa-bench fit: the file that it writes, its refusals, and what --check says. Times decide no test.

Run: STOA_BENCH=build/bench/stoa-bench test_fit.py
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time
import unittest

BENCH = os.environ['STOA_BENCH']
PASSES = ('forward', 'backward data', 'backward weights')
QUICK = ['--min-time', '0.0005', '--repetitions', '2', '--threads', '1']
LAYERS = '''a: conv2d n2 c8 h8 k8 r3 p1
b: conv2d n2 c8 h8 k16 r1
c: conv2d n2 c8 h8 k8 r3 p1 g8
d: linear n4 c8 k8
'''


class Fit(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / 'few.list').write_text(LAYERS, encoding='utf-8')

    def bench(self, *arguments, code=0, **environment):
        done = subprocess.run([BENCH, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=200, check=False, cwd=self.folder,
                              env={**os.environ, **environment})
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done

    def fit(self, *arguments, **keywords):
        return self.bench('fit', '--layers', 'few.list', *QUICK, *arguments, **keywords)

    def refused(self, done, *words):
        self.assertEqual(done.stdout, '')
        self.assertEqual(done.stderr.count('\n'), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def test_writes_a_table(self):
        done = self.fit('--json', 'fit.json')
        self.assertRegex(done.stdout, r'(?m)^Table my: [0-9.]+ % lost')
        text = (self.folder / 'my.tuning').read_text(encoding='ascii')
        self.assertIn('STOA_TUNING=./my.tuning', done.stdout)
        values = dict(re.findall(r'(?m)^(\w+) = (\S+)$', text))
        for key in ('l1_bytes', 'l2_bytes', 'l3_bytes', 'cost_flops', 'cost_im2col_forward'):
            self.assertGreater(float(values[key]), 0)
        self.assertTrue(all(len(line) <= 200 for line in text.splitlines()))
        results = json.loads((self.folder / 'fit.json').read_text(encoding='utf-8'))
        choices = results['context']['choices']
        self.assertEqual(choices['rows'], 9)
        self.assertGreaterEqual(choices['worst_loss'], choices['mean_loss'])
        self.assertGreaterEqual(choices['mean_loss'], 0)
        rows = {row['run_name'] for row in results['benchmarks']}
        passes = {tuple(name.split('/')[1:3]) for name in rows}
        self.assertEqual(passes, {(layer, name) for layer in 'abc' for name in PASSES})
        # The commands take it by its path, and call it by its name.
        self.assertIn('tuning my (', self.fit('--check', STOA_TUNING='./my.tuning').stdout.replace('\n', ' '))
        with open(self.folder / 'my.tuning', encoding='ascii') as file:
            self.assertEqual(file.read(), text)

    def test_check_writes_nothing(self):
        before = sorted(os.listdir(self.folder))
        done = self.fit('--check', STOA_TUNING='generic-base')
        self.assertRegex(done.stdout, r'(?m)^all +9 ')
        self.assertRegex(done.stdout, r'(?m)^Table generic-base: [0-9.]+ % lost in the mean, [0-9]+ % at worst\.$')
        self.assertEqual(sorted(os.listdir(self.folder)), before)

    def test_a_file_is_replaced_by_force_alone(self):
        (self.folder / 'my.tuning').write_text('mine', encoding='ascii')
        self.refused(self.fit(code=2), "--out: 'my.tuning' exists; --force replaces it")
        self.assertEqual((self.folder / 'my.tuning').read_text(encoding='ascii'), 'mine')
        self.fit('--force', '--filter', '^b forward')
        self.assertIn('cost_flops = ', (self.folder / 'my.tuning').read_text(encoding='ascii'))

    def test_refusals(self):
        self.refused(self.fit('--out', 'mine', code=2), "'mine'", "'mine.tuning'")
        self.refused(self.fit('--out', 'nowhere/x.tuning', code=2), 'nowhere/x.tuning')
        self.refused(self.fit('--check', '--out', 'x.tuning', code=2), '--check', '--out')
        self.refused(self.fit('--check', '--force', code=2), '--check', '--force')
        self.refused(self.bench('layers', '--check', code=2), '--check')
        for arguments in ((), ('--check',)):
            done = self.fit('--filter', '^d', *arguments, code=2)
            self.assertIn('found no convolution to measure', done.stderr)
        self.assertEqual(os.listdir(self.folder), ['few.list'])

    def test_an_interrupted_run_writes_no_table(self):
        with subprocess.Popen([BENCH, 'fit', '--layers', 'few.list', '--min-time', '0.2', '--threads', '1'],
                              cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as process:
            time.sleep(3)
            process.send_signal(signal.SIGINT)
            _, error = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 130, error)
        self.assertIn('interrupted', error)
        self.assertEqual(os.listdir(self.folder), ['few.list'])


if __name__ == '__main__':
    unittest.main()
