# SPDX-License-Identifier: MIT
"""bench/results.py: what it keeps of a file of stoa-bench, the tables that it makes of each kind, and what it refuses. On a copy
of the tool with a page and results of its own."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[2] / 'bench'
CONTEXT = {'cpu_model': 'A CPU', 'isa': 'avx2', 'threads': 2, 'tuning': 'zen9', 'policy': 'default', 'compiler': 'cc 1', 'commit': 'c0ffee00aaaa-dirty',
           'blas_version': 'OpenBLAS 9 NO_AFFINITY', 'blas_core': 'Zen', 'date': '2030-01-02T03:04:05', 'core_latency_before_ns': 30.4,
           'core_latency_after_ns': 31.6, 'host_name': 'secret'}
# A stoa-bench that says what it was asked, writes the results that lie beside it, and draws two pictures.
FAKE = '''#!/usr/bin/env python3
import json, pathlib, sys
here, words = pathlib.Path(__file__).parent, sys.argv[1:]
with open(here / 'asked', 'a') as file: print(*words, file=file)
if words[0] == 'plot':
    for name in ('gflops', 'roofline'): pathlib.Path(words[3], f'{pathlib.Path(words[1]).stem}-{name}.svg').write_text(name)
elif (here / f'{words[0]}.json').exists():
    pathlib.Path(words[words.index('--json') + 1]).write_text((here / f'{words[0]}.json').read_text())
else:
    sys.exit(3)
'''


def row(name, aggregate='median', **more):
    of = {'run_type': 'aggregate', 'aggregate_name': aggregate} if aggregate else {'run_type': 'iteration'}
    return {'name': f"{name}{f'_{aggregate}' if aggregate else ''}", 'run_name': name, 'threads': 2, 'real_time': 2e9, 'time_unit': 'ns', **of, **more}


def layer(name, which, flops, **more):
    return row(f'layers/{name}/{which}', layer=name, **{'pass': which}, flops_per_second=flops, **more)


class Results(unittest.TestCase):
    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix='stoa-results-'))
        self.addCleanup(shutil.rmtree, self.folder)
        (self.folder / 'bench' / 'pictures').mkdir(parents=True)
        for name in ('results.py', 'results_tables.py'):
            shutil.copy(BENCH / name, self.folder / 'bench' / name)
        self.page('mine')

    def page(self, *names):
        text = 'before\n' + ''.join(f'<!-- made: {name} -->\nold\n<!-- end -->\n' for name in names) + 'behind\n'
        (self.folder / 'bench' / 'RESULTS.md').write_text(text)

    def text(self):
        return (self.folder / 'bench' / 'RESULTS.md').read_text()

    def results(self, *arguments, code=0):
        done = subprocess.run([sys.executable, '-B', self.folder / 'bench' / 'results.py', *arguments], cwd=self.folder,
                              capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr or done.stdout

    def file(self, name, rows, **context):
        (self.folder / name).write_text(json.dumps({'context': {**CONTEXT, **context}, 'benchmarks': rows}))
        return name

    def table(self, rows, **context):
        """The lines of the table that a file becomes, without its head."""
        self.results('keep', 'mine', self.file('1.json', rows, **context), 'stoa-bench something')
        self.results()
        self.results('--check')
        lines = self.text().splitlines()
        return [[cell.strip() for cell in line.split('|')[1:-1]] for line in lines if line.startswith('| ')][1:]

    def test_keeps_and_says_where_it_is_from(self):
        rows = [layer('a b', 'forward', 2e9, share_of_fma_limit=0.5, outputs=7), row('layers/a b/forward', 'mean'), row('layers/a b/forward', None)]
        self.assertEqual(self.table(rows), [['a', '1', '2 (50 %)', '-', '-']])
        kept = json.loads((self.folder / 'bench' / 'results' / 'mine.json').read_text())
        self.assertEqual((len(kept['benchmarks']), 'outputs' in kept['benchmarks'][0], 'host_name' in kept['context']), (1, False, False))
        self.assertIn('```\nstoa-bench something\n```\n\nA CPU, avx2, 2 threads, table zen9; OpenBLAS 9, core Zen; cc 1; commit c0ffee00, '
                      '2030-01-02; the CPUs were 30\nns apart before and 32 ns after.\n', self.text())
        self.assertTrue(self.text().startswith('before\n') and self.text().endswith('<!-- end -->\nbehind\n'))
        path = self.folder / 'bench' / 'RESULTS.md'
        path.write_text(self.text().replace('2 (50 %)', '3 (50 %)'))
        self.assertIn('not what bench/results says', self.results('--check', code=1))

    def test_parts_are_one_measurement(self):
        parts = [self.file(f'{i}.json', [layer(f'a {i}', 'forward', 10.0**i * 1e9, share_of_fma_limit=0.1)]) for i in (0, 2)]
        self.results('keep', 'mine', *parts, 'x')
        self.results()
        self.assertIn('| a | 2 | 10 (10 %) |', self.text())
        self.assertIn("found commit of ", self.results('keep', 'mine', parts[0], self.file('3.json', [], commit='other'), 'x', code=1))
        self.assertIn('found no results', self.results('keep', 'mine', self.file('4.json', []), 'x', code=1))

    def test_layers_by_three_ways(self):
        rows = [layer('a 1', 'forward', 4e9, speedup_over_naive_best=4.0, speedup_over_blas=2.0),
                layer('a 2', 'forward', 9e9, speedup_over_naive_best=9.0, speedup_over_blas=0.5),
                layer('a 3', 'forward', 1e9, speedup_over_naive_best=1.0, speedup_over_blas=0.1, disturbed=True),
                {**layer('a 1', 'forward', 2e9, speedup_over_naive_best=2.0, engine='im2col + BLAS', beside='layers'), 'name': 'blas/a 1'}]
        found = self.table(rows)
        self.assertEqual(found, [[name, '1', '6', '6', '1.00', '0.50 (a 2)'] for name in ('a, forward', 'all, forward')])
        self.assertIn('Rows that something disturbed, 1 of 3, are in no mean.', self.text())

    def test_beside_an_engine(self):
        rows = [layer(f'a {i}', which, 1e9, shape=f'n1 {shape} p1', ratio_to_peer_best=best, ratio_to_peer_plain=2 * best)
                for i, (which, shape, best) in enumerate((('forward', 'r3x3 s1x1', 4.0), ('forward', 'r1x1 s1x1', 1.0),
                                                          ('backward weights', 'r3x3 s1x1', 0.5)))]
        self.assertEqual(self.table(rows, peer={'name': 'oneDNN', 'version': '9', 'ratios': []}), [
            ['forward', '2', '2.00', '1.00 (a 1)', '4.00'], ['backward weights', '1', '0.50', '0.50 (a 2)', '1.00'],
            ['forward, 3x3 stride 1', '1', '4.00', '4.00 (a 0)', '8.00'], ['all', '3', '1.26', '0.50 (a 2)', '2.52']])

    def test_training_and_single_images(self):
        mib = 2.0**20
        self.assertEqual(self.table([row('train/a', recipe='a', batch=8.0, items_per_second=3000.4, ratio_to_peer=1.5, peer='X 1+cpu', peer_way='eager',
                                         peer_items_per_second=2000.0, resident_peak_bytes=3 * mib, peer_resident_peak_bytes=99 * mib,
                                         plan_bytes=mib), row('X 1+cpu/a', recipe='a')]),
                         [['`a`', '8', '3,000', '2,000', '1.50', '1 MiB', '3 MiB', '99 MiB', 'eager']])
        self.assertIn('| X 1 images/s |', self.text())
        one = {'network': 'n', 'p99_seconds': 3e-6, 'real_time': 2e3}
        self.assertEqual(self.table([row('a', engine='stoa', caches='cold', ratio_to_stoa=1.0, **one), row('b', engine='Y', caches='warm', ratio_to_stoa=2.0, **one),
                                     row('overhead', network='n')]),
                         [['n', 'Y', 'warm', '2', '2', '3', '2.00'], ['n', 'Stoa', 'cold', '2', '2', '3', '-']])

    def test_seeds(self):
        runs = [row('accuracy/a', None, repetition_index=i, recipe='a', target=0.99, share_at_target=0.5, test_accuracy=x, training_seconds=1.5)
                for i, x in enumerate((0.9912, 0.9888))]
        self.assertEqual(self.table([*runs, row('accuracy/a', 'mean', recipe='a', share_at_target=0.5)]),
                         [['`a`', '2', '99.00 %', '0.170', '98.88 to 99.12 %', '1 of 2 have 99 %', '1.5 s', '2 s']])
        runs = [row('seeds/C/a', None, repetition_index=i, recipe='a', system='C', splits=True, verdict='passes', figure_test_accuracy_percent=95.0,
                    test_accuracy_percent=x, figure_test_loss=0.5, test_loss=0.25, items_per_second=1e6, others_share=0.5 * i) for i, x in enumerate((100.0, 98.0))]
        self.assertEqual(self.table([*runs, row('seeds/C/a', recipe='a', system='C')]),
                         [['C', '`a`', '95.00 %', '99.00 +- 1.41 %', 'loss 0.2500 +- 0.0000 (0.5000); 1 of 2 at 100 %', '2', '2*', '1,000,000*', 'passes']])

    def test_measures(self):
        self.page('layers', 'seeds')
        bench = self.folder / 'stoa-bench'
        bench.write_text(FAKE)
        os.chmod(bench, 0o755)
        self.file('layers.json', [layer('a 1', 'forward', 1e9, share_of_fma_limit=0.25)])
        self.assertIn('stoa-bench layers --peer onednn', self.results('measure', '--list'))
        self.assertFalse((self.folder / 'asked').exists())
        self.assertIn('not measured: seeds', self.results('measure', '--bench', str(bench), '--data', 'here', 'layers', 'seeds', code=1))
        asked = (self.folder / 'asked').read_text().splitlines()
        self.assertRegex(asked[0], r'^layers --no-naive --filter .* --json \S+$')
        self.assertRegex(asked[-1], r'^seeds --data here --json \S+$')
        self.assertIn('| a | 1 | 1 (25 %) | - | - |', self.text())
        self.assertIn('Not measured yet: `bench/results.py measure seeds`', self.text())
        self.assertEqual((self.folder / 'bench' / 'pictures' / 'layers-roofline.svg').read_text(), 'roofline')
        self.assertIn("found nothing, expected some of", self.results('measure', 'nothing', code=2))
        self.page('nothing')
        self.assertIn('found the mark "made: nothing"', self.results(code=1))


if __name__ == '__main__':
    unittest.main()
