# SPDX-License-Identifier: MIT
"""stoa-bench: its JSON read by another reader, its refusals, and that a broken result is found.

Run: STOA_BENCH=build/bench/stoa-bench test_bench.py
"""

import json
import math
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

BENCH = os.environ['STOA_BENCH']
QUICK = ['--min-time', '0.002', '--repetitions', '2']
PASSES = ['forward', 'backward data', 'backward weights']


def bench(*arguments, **environment):
    return subprocess.run([BENCH, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120, check=False, env={**os.environ, **environment})


def refuse_constant(text):
    raise ValueError(f'{text} is not JSON')


class Bench(unittest.TestCase):
    def setUp(self):
        # A temporary file of its own, removed with the test.
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.json = self.folder / 'results.json'

    def run_json(self, *arguments, code=0, **environment):
        done = bench(*arguments, *QUICK, '--json', str(self.json), **environment)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done, json.loads(self.json.read_text(encoding='utf-8'), parse_constant=refuse_constant)

    def test_layers_schema(self):
        _, results = self.run_json('layers', '--filter', '^lenet c2')
        context = results['context']
        for key in ('date', 'host_name', 'executable', 'num_cpus', 'mhz_per_cpu', 'cpu_scaling_enabled', 'caches',
                    'load_avg', 'library_build_type', 'blas_name', 'blas_version', 'blas_core', 'blas_threads', 'isa',
                    'policy', 'tuning', 'tuning_sum', 'compiler', 'flags', 'commit', 'cpu_model', 'cpu_quota', 'threads',
                    'core_latency_before_ns', 'core_latency_after_ns'):
            self.assertIn(key, context)
        self.assertIn(context['library_build_type'], ('release', 'debug'))
        rows = results['benchmarks']
        for name in PASSES:
            single = [r for r in rows if r['name'] == f'layers/lenet c2/{name}']
            self.assertEqual([r['repetition_index'] for r in single], [0, 1])
            for row in single:
                self.check_row(row)
                self.assertEqual(row['run_type'], 'iteration')
            aggregates = {r['aggregate_name']: r for r in rows
                          if r['run_name'] == f'layers/lenet c2/{name}' and r['run_type'] == 'aggregate'}
            self.assertEqual(set(aggregates), {'mean', 'median', 'min', 'stddev', 'cv'})
            times = [r['real_time'] for r in single]
            self.assertAlmostEqual(aggregates['median']['real_time'], sum(times) / 2, delta=1e-6 * sum(times))
            self.assertAlmostEqual(aggregates['min']['real_time'], min(times), delta=1e-6 * min(times))

    def check_row(self, row):
        self.assertEqual(row['repetitions'], 2)
        self.assertEqual(row['time_unit'], 'ns')
        self.assertGreaterEqual(row['iterations'], 1)
        self.assertGreater(row['real_time'], 0)
        self.assertGreater(row['cpu_time'], 0)
        self.assertIs(row['verified'], True)
        self.assertLessEqual(row['error'], row['error_bound'])
        self.assertEqual(row['outputs_verified'], row['outputs'])
        self.assertEqual(row['flops'], 2 * 64 * 10 * 10 * 16 * 5 * 5 * 6)
        self.assertGreater(row['sgemm_calls'], 0)
        self.assertGreater(row['sgemm_m'] * row['sgemm_n'] * row['sgemm_k'], 0)
        self.assertAlmostEqual(row['share_im2col'] + row['share_sgemm'] + row['share_rest'], 1, places=6)
        for naive in ('o2', 'o3', 'best'):
            self.assertGreater(row['speedup_over_naive_' + naive], 0)

    def test_problems(self):
        # Strides, dilation, groups, a rectangle and a linear layer, given directly.
        problems = ['conv2d n2 c4 h9 w7 k6 r3x2 s2x1 p1x0 d2x1 g2', 'linear n5 c7 k3',
                    'conv2d n3 c8 h6 k8 r3 p1 g8', 'conv2d n2 c5 h8 k3 r1 s2']
        _, results = self.run_json('layers', *problems)
        for problem in problems:
            for name in PASSES:
                rows = [r for r in results['benchmarks'] if r['run_name'] == f'layers/{problem}/{name}']
                self.assertTrue(rows and all(r['verified'] for r in rows), f'{problem} {name}')

    def test_environment(self):
        problem = ['layers', 'conv2d n2 c8 h6 k8 r3 p1']
        best = self.run_json('gemm', '--filter', '^square 16$')[1]['context']['isa']
        # The engine, and the naive loops beside it, which are there for every instruction set.
        for isa in ('base', 'avx2', 'avx512')[:('base', 'avx2', 'avx512').index(best) + 1]:
            _, results = self.run_json(*problem, STOA_CPU=isa)
            self.assertEqual(results['context']['isa'], isa)
            ours = [r for r in results['benchmarks'] if r['name'].startswith('layers/')]
            self.assertEqual({r['naive_isa'] for r in ours}, {isa})
            self.assertTrue(all(r['speedup_over_naive_best'] > 0 for r in ours))
        settings = {'STOA_THREADS': '1', 'STOA_POLICY': 'exact', 'STOA_CONV': 'im2col'}
        _, results = self.run_json(*problem, '--no-naive', **settings)
        context = results['context']
        self.assertEqual((context['threads'], context['policy'], context['conv']), (1, 'exact', 'im2col'))
        # What an option says comes first.
        _, results = self.run_json(*problem, '--no-naive', '--threads', '2', '--policy', 'default', **settings)
        self.assertEqual((results['context']['threads'], results['context']['policy']), (2, 'default'))
        for name, value in (('STOA_CPU', 'avx3'), ('STOA_THREADS', '0'), ('STOA_POLICY', 'fast'), ('STOA_CONV', 'fft')):
            self.refused(problem, f'{name}: ', **{name: value})

    def test_broken_results_are_found(self):
        problems = ['conv2d n2 c3 h8 k4 r3 p1', 'conv2d n2 c6 h4 k5 r1', 'conv2d n2 c4 h6 k4 r3 g4', 'linear n4 c8 k8']
        done, results = self.run_json('layers', '--self-test', '--no-naive', *problems, code=1)
        self.assertEqual(done.stdout.count('WRONG'), len(problems) * len(PASSES), done.stdout)
        ours = [row for row in results['benchmarks'] if row['name'].startswith('layers/')]
        self.assertEqual(len(ours), len(problems) * len(PASSES))
        for row in results['benchmarks']:
            self.assertIs(row['verified'], False)
            self.assertIs(row['error_occurred'], True)
        self.assertEqual(done.stderr.count('\n'), 1)

    def test_all_algorithms(self):
        # Depthwise layers have two algorithms at least: their own, and columns.
        problems = ['conv2d n2 c8 h6 k8 r3 p1 g8', 'conv2d n2 c16 h8 k16 r3 p1']
        done, results = self.run_json('layers', '--all-algorithms', *problems)
        medians = [r for r in results['benchmarks'] if r.get('aggregate_name') == 'median']
        for problem in problems:
            for name in PASSES:
                rows = [r for r in medians if r['run_name'].startswith(f'layers/{problem}/{name}/')]
                chosen = [r for r in rows if r['chosen']]
                self.assertEqual(len(chosen), 1, f'{problem} {name}')
                self.assertEqual(sum(r['fastest'] for r in rows), 1)
                self.assertEqual(min(r['real_time'] for r in rows), [r for r in rows if r['fastest']][0]['real_time'])
                self.assertEqual(min(r['predicted_seconds'] for r in rows), chosen[0]['predicted_seconds'])
                self.assertIn('im2col', [r['algorithm_name'] for r in rows])
                for row in rows:
                    self.assertIs(row['verified'], True)
                    ratio = chosen[0]['real_time'] / row['real_time']
                    self.assertAlmostEqual(row['times_as_fast_as_chosen'], ratio, delta=1e-6 * ratio)
        depthwise = {r['algorithm_name'] for r in medians if r['layer'] == problems[0]}
        self.assertGreaterEqual(depthwise, {'depthwise', 'im2col'})
        marked = re.findall(r' \* [a-z0-9]+ +[0-9.]+ ', done.stdout)
        self.assertEqual(len(marked), len(problems) * len(PASSES), done.stdout)

    def test_all_algorithms_are_found_wrong(self):
        problem = 'conv2d n2 c8 h6 k8 r3 p1 g8'
        done, results = self.run_json('layers', '--all-algorithms', '--self-test', problem, code=1)
        self.assertGreaterEqual(len(results['benchmarks']), 2 * len(PASSES))
        self.assertEqual(done.stdout.count('WRONG'), len(results['benchmarks']), done.stdout)

    def test_steps(self):
        """Naive loops, im2col and the BLAS, the engine: what each step brings. Depthwise layers are no products."""
        products = ['conv2d n2 c32 h12 k32 r3 p1', 'linear n8 c70 k30']
        depthwise = 'conv2d n2 c8 h6 k8 r3 p1 g8'
        done, results = self.run_json('layers', '--steps', *products, depthwise)
        medians = {r['run_name']: r for r in results['benchmarks'] if r.get('aggregate_name') == 'median'}
        blas = f'im2col + {results["context"]["blas_name"]}'
        self.assertEqual(sorted(medians), sorted([f'layers/{name}/{one}' for name in products + [depthwise] for one in PASSES] +
                                                 [f'{blas}/{name}/{one}' for name in products for one in PASSES]))
        self.assertRegex(medians[f'layers/{products[0]}/forward']['algorithm'], 'winograd')
        self.assertRegex(medians[f'{blas}/{products[0]}/forward']['algorithm'], 'im2col')
        for name in products:
            for one in PASSES:
                row, theirs = (medians[f'{engine}/{name}/{one}'] for engine in ('layers', blas))
                self.assertTrue(row['verified'] and theirs['verified'])
                pair = [[r['real_time'] for r in results['benchmarks'] if r['name'] == f'{engine}/{name}/{one}']
                        for engine in ('layers', blas)]
                expected = sum(b / a for a, b in zip(*pair)) / 2
                self.assertAlmostEqual(row['speedup_over_blas'], expected, delta=1e-6 * expected)
                naive = row['flops_per_second'] / row['speedup_over_naive_best']
                self.assertAlmostEqual(theirs['flops_per_second'] / naive, row['blas_over_naive_best'],
                                       delta=1e-6 * row['blas_over_naive_best'])
        for one in PASSES:
            self.assertNotIn('speedup_over_blas', medians[f'layers/{depthwise}/{one}'])
            self.assertGreater(medians[f'layers/{depthwise}/{one}']['speedup_over_naive_best'], 0)
        self.assertEqual(len(re.findall(r' [0-9.]+ +- +[0-9.]+ +[0-9]+ +[0-9.]+ +- ', done.stdout)), len(PASSES), done.stdout)

    def test_means_of_layers(self):
        """By group and pass, over the rows that nothing disturbed."""
        path = self.folder / 'layers'
        path.write_text('a x: conv2d n2 c16 h6 k16 r1\na y: conv2d n2 c16 h6 k16 r3 p1\nb dw: conv2d n2 c8 h6 k8 r3 p1 g8\n',
                        encoding='utf-8')
        done, results = self.run_json('layers', '--layers', str(path))
        medians = [r for r in results['benchmarks'] if r.get('aggregate_name') == 'median']
        disturbed = {(r['layer'], r['pass']) for r in medians if r['disturbed']}
        groups = {(m['group'], m['pass']): m for m in results['context'].get('layers', [])}
        for one in PASSES:
            for group, layers in (('a', ['a x', 'a y']), ('b', ['b dw']), ('all', ['a x', 'a y', 'b dw'])):
                rows = [r for r in medians if r['run_name'].startswith('layers/') and r['layer'] in layers and r['pass'] == one
                        and (r['layer'], one) not in disturbed]
                self.assertEqual((group, one) in groups, bool(rows), groups.keys())
                if not rows:
                    continue
                mean = groups[group, one]
                self.assertEqual(mean['rows'], len(rows))
                rate = math.prod(r['flops_per_second'] for r in rows) ** (1 / len(rows))
                self.assertAlmostEqual(mean['engine_flops_per_second'] / rate, 1, places=5)
                over = [r['speedup_over_blas'] for r in rows if 'speedup_over_blas' in r]
                self.assertEqual(mean['speedup_over_blas']['rows'], len(over))
                if over:
                    self.assertAlmostEqual(mean['speedup_over_blas']['geometric_mean'], math.prod(over) ** (1 / len(over)), places=5)
        if disturbed:
            self.assertIn(f'~ {len(disturbed)} of {3 * len(PASSES)} rows', done.stdout)

    def test_steps_are_found_wrong(self):
        problem = 'conv2d n2 c8 h6 k8 r3 p1'
        done, results = self.run_json('layers', '--steps', '--self-test', problem, code=1)
        self.assertEqual(done.stdout.count('WRONG'), len(PASSES), done.stdout)
        self.assertTrue(all(row['error_occurred'] for row in results['benchmarks']))

    def test_held_to_an_instruction_set(self):
        """Engine and BLAS alike; a core that the user names stays, and is said to go beyond."""
        best = self.run_json('gemm', '--filter', '^square 16$')[1]['context']['isa']
        for isa, core in (('base', 'Nehalem'), ('avx2', 'Haswell'))[:('base', 'avx2', 'avx512').index(best)]:
            for mode in (['gemm', '--filter', '^square 16$'], ['layers', 'conv2d n2 c8 h6 k8 r3 p1', '--no-naive'],
                         ['train', 'lenet5', '--batch', '4']):
                done = subprocess.run([BENCH, *mode, *QUICK, '--isa', isa, '--json', str(self.json)], stdout=subprocess.PIPE, text=True,
                                      check=True, env={k: v for k, v in os.environ.items() if k != 'OPENBLAS_CORETYPE'})
                context = json.loads(self.json.read_text(encoding='utf-8'))['context']
                self.assertEqual(context['isa'], isa)
                if context['blas_name'] == 'OpenBLAS' and context['blas_core']:
                    self.assertEqual(context['blas_core'], core)
                self.assertNotIn('goes beyond', done.stdout)
        if best == 'avx512':
            done, results = self.run_json('gemm', '--filter', '^square 16$', '--isa', 'avx2', OPENBLAS_CORETYPE='SkylakeX')
            if results['context']['blas_core'] == 'SkylakeX':
                self.assertIn('This core goes beyond avx2', done.stdout)
        self.refused(['layers', '--list', '--isa', 'avx3'], "--isa: found 'avx3', expected base, avx2 or avx512")
        self.refused(['gemm', '--list', '--isa', 'all'], "--isa: found 'all', expected base, avx2 or avx512")

    def test_first_layers_have_no_backward_data(self):
        names = bench('layers', '--list', '--filter', '^lenet c[12]').stdout.splitlines()
        self.assertEqual(names, ['lenet c1 forward', 'lenet c1 backward weights', 'lenet c2 forward',
                                 'lenet c2 backward data', 'lenet c2 backward weights'])

    def test_gemm(self):
        _, results = self.run_json('gemm', '--filter', '^square (16|100)$')
        rows = [r for r in results['benchmarks'] if r['run_type'] == 'iteration']
        self.assertEqual({r['m'] for r in rows}, {16, 100})
        for row in rows:
            self.assertIs(row['verified'], True)
            self.assertGreater(row['share_of_fma_limit'], 0)
            # The limit is measured by a kernel, which other builds slow down.
            if results['context']['library_build_type'] == 'release':
                self.assertLess(row['share_of_fma_limit'], 1.5)

    def test_gemm_beside_the_blas(self):
        """Squares in all forms, a dense layer's passes as it calls them, a single row; each beside the BLAS alone."""
        names = ['square 64', 'square 64 TN', 'square 64 NT'] + [f'mlp f3 {name}' for name in PASSES]
        done, results = self.run_json('gemm', '--threads', '2', '--filter', '^(square 64|mlp f3)( |$)')
        medians = {r['run_name']: r for r in results['benchmarks'] if r.get('aggregate_name') == 'median'}
        blas = results['context']['blas_name']
        self.assertEqual(sorted(medians), sorted(f'{engine}/{name}/threads:{threads}' for engine in ('gemm', blas)
                                                 for name in names for threads in (1, 2)))
        forms = {name: medians[f'gemm/{name}/threads:1']['transpose'] for name in names}
        self.assertEqual(list(forms.values()), ['NN', 'TN', 'NT', 'NN', 'NT', 'TN'])
        ratios = {1: {}, 2: {}}
        for name in names:
            for threads, all_of_them in ratios.items():
                pair = [[r['real_time'] for r in results['benchmarks'] if r['name'] == f'{engine}/{name}/threads:{threads}']
                        for engine in ('gemm', blas)]
                expected = sum(b / a for a, b in zip(*pair)) / 2
                row = medians[f'gemm/{name}/threads:{threads}']
                self.assertAlmostEqual(row['ratio_to_blas'], expected, delta=1e-6 * expected)
                self.assertNotIn('ratio_to_blas', medians[f'{blas}/{name}/threads:{threads}'])
                self.assertTrue(row['verified'] and medians[f'{blas}/{name}/threads:{threads}']['verified'])
                if not row['disturbed']:
                    all_of_them[name] = expected
        for mean in results['context']['ratios_to_blas']:
            if mean['rows_of'] == 'all':
                among = ratios[mean['threads']].values()
                self.assertEqual(mean['rows'], len(among))
                if not among:
                    continue
                self.assertAlmostEqual(mean['geometric_mean'], math.prod(among) ** (1 / len(among)), delta=1e-6)
                self.assertAlmostEqual(mean['lowest'], min(among), delta=1e-6)
                self.assertIn(f'Lowest on {mean["threads"]} thread', done.stdout)
                self.assertIn(f'{mean["lowest_row"]} {mean["lowest"]:.3f}', done.stdout.replace('\n', ' '))
        if not any(ratios.values()):
            self.assertIn('There are no means: every row was disturbed.', done.stdout)
            self.assertEqual(results['context']['ratios_to_blas'], [])

    def test_gemm_of_single_rows(self):
        path = self.folder / 'layers'
        path.write_text('one row: linear n1 c70 k130\n', encoding='utf-8')
        for policy in ('default', 'blas'):
            _, results = self.run_json('gemm', '--layers', str(path), '--filter', '^one row', '--policy', policy)
            rows = [r for r in results['benchmarks'] if r.get('aggregate_name') == 'median' and r['threads'] == 1]
            self.assertEqual([(r['m'], r['n'], r['k'], r['transpose']) for r in rows if 'ratio_to_blas' in r],
                             [(1, 130, 70, 'NN'), (1, 70, 130, 'NT'), (70, 130, 1, 'TN')])
            self.assertTrue(all(r['verified'] for r in rows))

    def test_long_sums_of_gemm_are_right(self):
        """Rows of a power of two numbers must not repeat: their products would all be of one sign."""
        _, results = self.run_json('gemm', '--filter', '^resnet 1x1 2in backward weights')
        self.assertTrue(results['benchmarks'])
        for row in results['benchmarks']:
            self.assertIs(row['verified'], True)
            self.assertLess(row['error'], 2e-7)

    def test_layer_file(self):
        path = self.folder / 'layers'
        path.write_text('# mine\n\nnet a: conv2d n1 c2 h4 k2 r3 first # small\n', encoding='utf-8')
        done = bench('layers', '--list', '--layers', str(path))
        self.assertEqual(done.stdout.splitlines(), ['net a forward', 'net a backward weights'])
        path.write_text('net a: conv2d n1 c2 h4 k2 r3\nnet b conv2d\n', encoding='utf-8')
        self.refused(['layers', '--list', '--layers', str(path)], f'{path}:2: ')

    def refused(self, arguments, part, **environment):
        done = bench(*arguments, **environment)
        self.assertEqual(done.returncode, 2, f'{arguments}: {done.stderr}')
        self.assertEqual(done.stdout, '', arguments)
        self.assertEqual(done.stderr.count('\n'), 1, done.stderr)
        self.assertTrue(done.stderr.startswith('stoa-bench: '), done.stderr)
        self.assertIn(part, done.stderr)

    def test_refusals(self):
        self.refused([], 'mode')
        self.refused(['layer'], "did you mean 'layers'")
        self.refused(['layers', '--frobnicate'], '--frobnicate')
        self.refused(['layers', '--threads', '0'], "--threads: found '0'")
        self.refused(['layers', '--threads', '257'], "--threads: found '257'")
        self.refused(['layers', '--min-time', 'nan'], "--min-time: found 'nan'")
        self.refused(['layers', '--repetitions'], '--repetitions: value missing')
        self.refused(['layers', '--policy', 'fast'], "--policy: found 'fast'")
        self.refused(['layers', '--list', '--filter', '('], '--filter')
        self.refused(['layers', '--list', '--json', str(self.folder)], '--json')
        self.refused(['layers', '--list', '--layers', str(self.folder / 'none')], 'none')
        self.refused(['gemm', '--self-test'], '--self-test')
        self.refused(['layers', '--steps', '--all-algorithms'], '--all-algorithms: found beside --steps')
        self.refused(['layers', '--steps', '--policy', 'blas'], "--policy: found 'blas' beside --steps")
        self.refused(['layers', '--steps', '--no-naive'], '--no-naive: found beside --steps')

    def test_refused_problems(self):
        for problem, part in (('pool n1', 'expected conv2d or linear'), ('conv2d n1 c1 h4 k1', "'r' is missing"),
                              ('conv2d n1 n1 c1 h4 k1 r1', 'twice'), ('conv2d n1 c1 h4 k1 r0', "'r0'"),
                              ('conv2d n1 c1 h4x4 k1 r1', "'h4x4'"), ('linear n1 c1 k1 r3', "'r3'"),
                              ('conv2d n1 c1 h4 k1 r5', 'does not fit'), ('conv2d n1 c3 h4 k4 r1 g2', 'divide'),
                              ('conv2d n9999 c9999 h999 k1 r1', 'more than'), ('', 'expected conv2d or linear')):
            with self.subTest(problem):
                self.refused(['layers', '--list', problem], part)


if __name__ == '__main__':
    unittest.main()
