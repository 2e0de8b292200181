# SPDX-License-Identifier: MIT
"""stoa-bench median: several runs as one, by hand-made results; and what it refuses.

Run: STOA_BENCH=build/bench/stoa-bench test_median.py
"""

import json
import os
import pathlib
import subprocess
import tempfile
import unittest

BENCH = os.environ['STOA_BENCH']
CONTEXT = {'threads': 2, 'isa': 'avx2', 'policy': 'default', 'cpu_model': 'Some CPU', 'blas_core': 'Haswell',
           'peer': {'name': 'oneDNN', 'version': 'oneDNN 9'}}
POINTWISE = 'n8 c64 h56 w56 k256 r1x1 s1x1 p0x0 d1x1 g1'
DEPTHWISE = 'n8 c32 h9 w9 k32 r3x3 s1x1 p1x1 d1x1 g32'
DENSE = 'n64 c120 h1 w1 k84 r1x1 s1x1 p0x0 d1x1 g1'


def bench(*arguments):
    return subprocess.run([BENCH, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=60, check=False)


def median(name, nanoseconds, **keys):
    return {'name': f'{name}_median', 'run_name': name, 'run_type': 'aggregate', 'aggregate_name': 'median', 'time_unit': 'ns',
            'real_time': nanoseconds, **keys}


def beside(layer, one, ratio, shape, algorithm='implicit'):
    return [median(f'layers/{layer}/{one}', 100, ratio_to_peer_best=ratio, ratio_to_peer_plain=2 * ratio, shape=shape, layer=layer,
                   algorithm=algorithm, verified=True, **{'pass': one}),
            median(f'oneDNN best/{layer}/{one}', 100 * ratio, engine='oneDNN 9', shape=shape, layer=layer, **{'pass': one})]


class Medians(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def file(self, name, rows, **context):
        path = self.folder / name
        path.write_text(json.dumps({'context': {**CONTEXT, **context}, 'benchmarks': rows}), encoding='utf-8')
        return str(path)

    def merge(self, *files):
        path = self.folder / 'merged.json'
        done = bench('median', *files, '--json', str(path))
        self.assertEqual((done.returncode, done.stderr), (0, ''), done.stdout)
        return done.stdout, json.loads(path.read_text(encoding='utf-8')), str(path)

    def test_medians_beside_a_peer(self):
        files = []
        for i, (one, two, three, four) in enumerate(((0.9, 1.4, 0.5, 3), (1.1, 1.0, 0.7, 1), (0.2, 1.2, 0.6, 2))):
            rows = (beside('net a', 'forward', one, POINTWISE) + beside('net b', 'forward', two, POINTWISE) +
                    beside('net dw', 'backward data', three, DEPTHWISE) + beside('net f', 'backward weights', four, DENSE, 'linear'))
            files.append(self.file(f'{i}.json', rows, date=str(i)))
        said, merged, path = self.merge(*files)
        rows = {row['run_name']: row for row in merged['benchmarks']}
        ratios = {name: rows[f'layers/{name}']['ratio_to_peer_best']
                  for name in ('net a/forward', 'net b/forward', 'net dw/backward data', 'net f/backward weights')}
        self.assertEqual(list(ratios.values()), [0.9, 1.2, 0.6, 2])
        self.assertEqual(rows['oneDNN best/net a/forward']['real_time'], 90)
        self.assertEqual(rows['layers/net a/forward']['runs'], 3)
        self.assertEqual(merged['context']['runs'], ['0', '1', '2'])
        self.assertRegex(said, r'layers/net a/forward +ratio to the peer +0\.9 +0\.2 +1\.1\n')
        groups = {(g['group'], g['pass']): g['best'] for g in merged['context']['peer']['groups']}
        mean = (0.9 * 1.2) ** 0.5
        self.assertEqual(groups['all 1x1', 'forward']['lowest_row'], 'net a forward')
        self.assertAlmostEqual(groups['all 1x1', 'forward']['geometric_mean'], mean, places=9)
        self.assertEqual(groups['all depthwise', 'backward data']['geometric_mean'], 0.6)
        self.assertEqual(groups['all linear', 'backward weights']['geometric_mean'], 2)
        total = [r for r in merged['context']['peer']['ratios'] if r['rows_of'] == 'all'][0]
        self.assertAlmostEqual(total['plain']['geometric_mean'], 2 * (0.9 * 1.2 * 0.6 * 2) ** 0.25, places=9)
        # What it writes is a file of results like any other.
        done = bench('plot', path, '--out', str(self.folder / 'pictures'))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue((self.folder / 'pictures' / 'merged-over-oneDNN-best.svg').exists())

    def test_products_and_times(self):
        files = [self.file(f'{ratio}.json', [median('gemm/a/threads:1', 10, ratio_to_blas=ratio), median('ops/b', 1e6 * ratio)])
                 for ratio in (0.9, 1.5)]
        said, merged, _ = self.merge(*files)
        self.assertAlmostEqual(merged['benchmarks'][0]['ratio_to_blas'], 1.2, places=9)
        self.assertIn('ratio to the BLAS: geometric mean of 1 rows 1.200, lowest 1.200 (gemm/a/threads:1)', said)
        self.assertRegex(said, r'ops/b +ms +1\.2 +0\.9 +1\.5\n')

    def test_results_that_a_file_lacks(self):
        one = self.file('one.json', [median('a/b', 1), median('a/c', 1)])
        two = self.file('two.json', [median('a/b', 3)])
        said, merged, _ = self.merge(one, two)
        self.assertEqual([row['run_name'] for row in merged['benchmarks']], ['a/b'])
        self.assertIn('1 results are not in every file', said)

    def refused(self, *arguments):
        done = bench('median', *arguments)
        self.assertEqual((done.returncode, done.stderr.count('\n')), (2, 1), done.stderr)
        return done.stderr

    def test_refusals(self):
        good = self.file('good.json', [median('a/b', 1)])
        self.assertIn('file missing', self.refused())
        self.assertIn('nosuch.json', self.refused(good, str(self.folder / 'nosuch.json')))
        self.assertIn('its threads is not that of', self.refused(good, self.file('other.json', [median('a/b', 1)], threads=1)))
        self.assertIn('no result that all files have', self.refused(good, self.file('apart.json', [median('a/c', 1)])))
        odd = self.file('odd.json', beside('x', 'sideways', 1, POINTWISE))
        self.assertIn("found pass 'sideways'", self.refused(odd))
        self.assertIn('expected', self.refused(self.file('shape.json', beside('x', 'forward', 1, 'n1 q2'))))
        wrong = self.file('wrong.json', [1, None, {'run_name': 3, 'aggregate_name': 'median'}])
        self.assertIn('found no result', self.refused(wrong))
        self.assertIn('--json: cannot write', self.refused(good, '--json', str(self.folder)))


if __name__ == '__main__':
    unittest.main()
