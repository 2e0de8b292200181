# SPDX-License-Identifier: MIT
"""stoa-bench latency: rows, percentiles and peers, which a program of this test stands in for. Times are not looked at.

Run: STOA_BENCH=build/bench/stoa-bench test_latency.py
"""

import json
import math
import os
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

BENCH = os.environ['STOA_BENCH']
PEERS = pathlib.Path(__file__).parents[2] / 'bench' / 'peers'
QUICK = ['--min-time', '0.001', '--repetitions', '2', '--threads', '2']

# A peer that computes a perceptron from the files that it gets, and says of every run that it took 3 us; `spoil` breaks it.
STAND_IN = '''#!{python}
import json, pathlib, struct, sys
script, name, folder, threads, flush = sys.argv[-5:]
assert script.endswith('latency.py') and int(threads) in (1, 2) and int(flush) >= 1 << 26
folder, spoil = pathlib.Path(folder), {spoil!r}
if spoil == 'missing':
    print('engine is not installed', file=sys.stderr)
    sys.exit(2)
def floats(data):
    return struct.unpack('<%df' % (len(data) // 4), data)
data = (folder / 'model.safetensors').read_bytes()
length = struct.unpack('<Q', data[:8])[0]
header = json.loads(data[8:8 + length])
tensor = {{n: floats(data[8 + length:][slice(*t['data_offsets'])]) for n, t in header.items() if n != '__metadata__'}}
x = floats((folder / 'input.f32').read_bytes())
layers = [line.split(' = ') for line in (folder / 'recipe.ini').read_text().split('[data]')[0].splitlines() if ' = ' in line]
for layer, what in layers[1:]:
    if what.startswith('linear'):
        w, b = tensor[layer + '.weight'], tensor[layer + '.bias']
        x = [b[o] + sum(x[i] * w[o * len(x) + i] for i in range(len(x))) for o in range(len(b))]
    elif what == 'relu':
        x = [max(0, v) for v in x]
if spoil == 'outputs':
    x[0] += 1
print('Engine 1.5 of ' + name, 'by hand', ' '.join(map(repr, x)), sep='\\n', flush=True)
for line in sys.stdin:
    kind, count = line.split()
    assert kind in ('warm', 'cold')
    if spoil == 'dies':
        sys.exit(1)
    print(' '.join(['3000'] * int(count)), flush=True)
'''


class Latency(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.temporary = self.folder / 'tmp'
        self.temporary.mkdir()

    def bench(self, *arguments, code=0):
        done = subprocess.run([BENCH, 'latency', *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=200, check=False, env={**os.environ, 'TMPDIR': str(self.temporary)})
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        self.assertEqual(list(self.temporary.iterdir()), [])
        return done

    def refused(self, *arguments, code=2):
        error = self.bench(*arguments, code=code).stderr
        self.assertEqual(error.count('\n'), 1, error)
        return error

    def stand_in(self, spoil=''):
        path = self.folder / 'python'
        path.write_text(STAND_IN.format(python=sys.executable, spoil=spoil), encoding='utf-8')
        path.chmod(0o755)
        return path

    def medians(self, *arguments):
        path = self.folder / 'results.json'
        done = self.bench(*arguments, *QUICK, '--json', str(path))
        rows = json.loads(path.read_text(encoding='utf-8'))['benchmarks']
        return done, {row['run_name']: row for row in rows if row.get('aggregate_name') == 'median'}

    def test_stoa_alone(self):
        done, rows = self.medians('4-8-2', 'lenet5', '--filter', '4-8-2|warm')
        names = [f'latency/{network}/threads:{threads}/{what}' for network in ('4-8-2', 'lenet5') for threads in (1, 2)
                 for what in ('warm', 'cold', 'overhead') if (network, what) != ('lenet5', 'cold')]
        self.assertEqual(sorted(rows), sorted(names + ['plain loops/4-8-2/threads:1/warm']))
        for name, row in rows.items():
            if name.endswith('overhead'):
                self.assertEqual('beyond_loops_seconds' in row, '4-8-2' in name)
                continue
            self.assertGreater(row['p50_seconds'], 0)
            self.assertLessEqual(row['p50_seconds'], row['p90_seconds'])
            self.assertLessEqual(row['p90_seconds'], row['p99_seconds'])
            self.assertAlmostEqual(row['real_time'], 1e9 * row['p50_seconds'], delta=1e-3 * row['real_time'])
            self.assertGreaterEqual(row['runs'], 20)
            if row['engine'] == 'stoa':
                self.assertEqual(row['ratio_to_stoa'], 1)
        # A call of a tiny network costs some hundred nanoseconds, an image of LeNet-5 takes longer than its call costs.
        overhead = rows['latency/4-8-2/threads:1/overhead']['beyond_loops_seconds']
        self.assertTrue(0 < overhead < 20e-6, overhead)
        self.assertIn('us beyond plain loops', done.stdout)
        self.assertLess(rows['latency/4-8-2/threads:1/warm']['p50_seconds'], rows['latency/lenet5/threads:1/warm']['p50_seconds'])

    def test_names(self):
        self.assertEqual(self.bench('4-8-2', '--list').stdout, 'latency/4-8-2/warm\nlatency/4-8-2/cold\n')
        _, rows = self.medians('16-3', '--filter', 'cold')
        self.assertEqual(sorted(rows), ['latency/16-3/threads:1/cold', 'latency/16-3/threads:2/cold'])
        for wrong in '4-0-2', '4', '-4-8', '4-8-', '4--8', '4-70000', '4-' * 17 + '4':
            self.refused(wrong)

    def test_peer(self):
        done, rows = self.medians('5-7-3', 'mlp', '--peer', 'onnxruntime', '--python', str(self.stand_in()),
                                  '--filter', '5-7-3|warm')
        for network in '5-7-3', 'mlp':
            for threads in 1, 2:
                for caches in ('warm', 'cold') if network == '5-7-3' else ('warm',):
                    row = rows[f'Engine 1.5 of onnxruntime/{network}/threads:{threads}/{caches}']
                    self.assertAlmostEqual(row['p99_seconds'], 3e-6, places=12)
                    ours = rows[f'latency/{network}/threads:{threads}/{caches}']['p50_seconds']
                    # The ratio is a median of its own; turned round it would be off by more than 40 times.
                    self.assertLess(abs(math.log(row['ratio_to_stoa'] * ours / 3e-6)), math.log(6))
        self.assertIn('Engine 1.5 of onnxruntime, by hand', done.stdout)
        _, rows = self.medians('5-7-3', '--peer', 'pytorch,onnxruntime', '--python', str(self.stand_in()), '--filter', 'warm')
        self.assertLess({f'Engine 1.5 of {name}/5-7-3/threads:1/warm' for name in ('pytorch', 'onnxruntime')}, set(rows))

    def test_peers_that_do_not_work(self):
        arguments = ['5-7-3', '--peer', 'pytorch', *QUICK]
        self.assertIn("'x', expected pytorch, onnxruntime", self.refused('5-7-3', '--peer', 'pytorch,x'))
        self.assertIn("--python: cannot run '/dev/null/python'", self.refused(*arguments, '--python', '/dev/null/python'))
        self.assertEqual(self.refused(*arguments, '--python', str(self.stand_in('missing'))), 'engine is not installed\n')
        error = self.refused(*arguments, '--python', str(self.stand_in('outputs')), code=1)
        self.assertIn("--peer pytorch: its outputs of '5-7-3' are not Stoa's", error)
        self.assertIn('--peer pytorch: it ended without an answer', self.refused(*arguments, '--python', str(self.stand_in('dies')), code=1))
        # Of all peers those that are there.
        arguments[2] = 'all'
        done = self.bench(*arguments, '--filter', 'warm', '--python', str(self.stand_in('missing')))
        self.assertEqual(done.stderr, 'engine is not installed\n' * 2)
        self.assertIn('5-7-3', done.stdout)

    def test_packages_that_are_missing(self):
        """The real script, for a Python without packages and without node."""
        path = self.folder / 'python'
        path.write_text(f'#!/bin/sh\nPATH=/nowhere exec {sys.executable} -S -E "$@"\n', encoding='utf-8')
        path.chmod(0o755)
        for peer, package in (('pytorch', 'PyTorch'), ('onnxruntime', 'ONNX Runtime')):
            error = self.refused('5-7-3', '--peer', peer, '--python', str(path), *QUICK)
            self.assertRegex(error, f'^latency.py: {package} is .*installed.* for .*expected')

    def test_onnx_file(self):
        """Its messages, read again by a reader that knows lengths and field numbers only."""
        code = 'import sys; sys.path.insert(0, sys.argv[1])\nfrom onnx_file import write_onnx\nfrom networks import read_recipe\n' \
               'write_onnx(sys.argv[3], read_recipe(sys.argv[2]), {"c1.weight": ([2, 1, 3, 3], bytes(72)), "l1.weight": ([3, 2], bytes(24)), ' \
               '"l1.bias": ([3], bytes(12))})\n'
        recipe, out = self.folder / 'r.ini', self.folder / 'm.onnx'
        recipe.write_text('[model]\ninput = 4x4x1\nc1 = conv2d filters=2 kernel=3 bias=false\nr1 = relu\np1 = maxpool2d size=2\n'
                          'l1 = linear units=3\n[data]\nset = none\n', encoding='utf-8')
        subprocess.run([sys.executable, '-B', '-c', code, str(PEERS), str(recipe), str(out)], check=True)
        graph = messages(messages(out.read_bytes())[7][0])
        operators = [messages(node)[4][0].decode() for node in graph[1]]
        self.assertEqual(operators, ['Conv', 'Relu', 'MaxPool', 'Flatten', 'Gemm'])
        self.assertEqual([messages(one)[8][0].decode() for one in graph[5]], ['c1.weight', 'l1.weight', 'l1.bias'])
        self.assertEqual([len(messages(one)[9][0]) for one in graph[5]], [72, 24, 12])
        self.assertEqual(messages(messages(graph[1][0])[5][0])[1], [b'strides'])


def messages(data):
    """Fields of a protobuf message: numbers, floats and bytes by field number."""
    fields, at = {}, 0

    def varint():
        nonlocal at
        number, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            value = varint()
        elif key & 7 == 5:
            value, at = struct.unpack('<f', data[at:at + 4])[0], at + 4
        else:
            assert key & 7 == 2, key
            length = varint()
            value, at = data[at:at + length], at + length
            assert at <= len(data)
        fields.setdefault(key >> 3, []).append(value)
    return fields


if __name__ == '__main__':
    unittest.main()
