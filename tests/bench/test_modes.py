# SPDX-License-Identifier: MIT
"""stoa-bench ops, train, infer and scale: results with the expected keys, refusals.

Run: STOA_BENCH=build/bench/stoa-bench test_modes.py
"""

import json
import os
import pathlib
import resource
import signal
import subprocess
import tempfile
import unittest

BENCH = os.environ['STOA_BENCH']
QUICK = ['--min-time', '0.001', '--repetitions', '2']


def bench(*arguments, **environment):
    return subprocess.run([BENCH, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=200, check=False, env={**os.environ, **environment})


def refuse_constant(text):
    raise ValueError(f'{text} is not JSON')


class Modes(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_json(self, *arguments, file='results.json', code=0):
        path = self.folder / file
        done = bench(*arguments, *QUICK, '--json', str(path))
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        results = json.loads(path.read_text(encoding='utf-8'), parse_constant=refuse_constant)
        medians = {row['run_name']: row for row in results['benchmarks'] if row.get('aggregate_name') == 'median'}
        return done, results['context'], medians

    def refused(self, *arguments, **environment):
        done = bench(*arguments, **environment)
        self.assertEqual(done.returncode, 2, done.stderr + done.stdout)
        self.assertEqual(done.stderr.count('\n'), 1, done.stderr)
        self.assertTrue(done.stderr.startswith('stoa-bench: '), done.stderr)
        return done.stderr

    # ---- ops ----

    def test_ops_every_kernel_in_cache(self):
        done, context, rows = self.run_json('ops', '--filter', '/cache')
        kernels = {row['kernel'] for row in rows.values()}
        for kernel in ('maxpool', 'avgpool_backward', 'bn_moments', 'relu', 'dropout', 'softmax', 'softmax_xent',
                       'squared_error', 'sgd', 'adam', 'im2col', 'col2im', 'transpose', 'bytes_to_real'):
            self.assertIn(kernel, kernels)
        self.assertGreater(context['memory_bytes_per_second'], 0)
        for name, row in rows.items():
            self.assertIs(row['verified'], True, name)
            self.assertLessEqual(row['error_of_allowed'], 1, name)
            rate = row['bytes'] / (row['real_time'] * 1e-9)
            self.assertAlmostEqual(row['bytes_per_second'] / rate, 1, delta=1e-6)
        # A row for each name of the list, and no other.
        listed = bench('ops', '--filter', '/cache', '--list').stdout.split('\n')[:-1]
        self.assertEqual(sorted(rows), sorted(listed))
        self.assertIn('in cache', done.stdout)

    def test_ops_fused_beside_separate(self):
        """What plans make one pass over memory of, beside the same layer by layer."""
        done, _, rows = self.run_json('ops', '--filter', r'^ops/(conv2d \+ bias|batchnorm \+ relu)')
        names = [f'ops/{what}/{one}' for what in ('conv2d + bias + relu', 'batchnorm + relu', 'batchnorm + relu + maxpool2d')
                 for one in ('infer', 'train')]
        self.assertEqual(sorted(rows), sorted(f'{name}/{way}' for name in names for way in ('fused', 'separate')))
        for name in names:
            self.assertGreater(rows[f'{name}/fused']['times_as_fast_as_separate'], 0)
        self.assertRegex(done.stdout, r'\nbatchnorm \+ relu +train +[\d.]+ +[\d.]+ +[\d.]+')
        listed = bench('ops', '--list').stdout.splitlines()
        self.assertLess(set(names), set(listed))
        done, _, rows = self.run_json('ops', '--filter', r'^ops/batchnorm \+ relu/', '--self-test', code=1)
        self.assertEqual(done.stderr.count('fused and separate differ by'), 2, done.stderr)
        self.assertEqual(rows, {})

    def test_ops_bytes(self):
        _, _, rows = self.run_json('ops', '--filter', '/(relu|adam|accumulate)/elements/cache')
        # 512 KiB of floats, plus the odd element; what is updated is read and written.
        self.assertAlmostEqual(rows['ops/relu/elements/cache']['bytes'], 2 ** 19, delta=64)
        self.assertAlmostEqual(rows['ops/adam/elements/cache']['bytes'] % 28, 0)
        self.assertAlmostEqual(rows['ops/accumulate/elements/cache']['bytes'] % 12, 0)

    def test_ops_instruction_sets(self):
        _, _, rows = self.run_json('ops', '--filter', '^ops/relu/elements/cache', '--isa', 'all')
        self.assertIn('ops/relu/elements/cache/base', rows)
        self.assertEqual({name.rsplit('/', 1)[1] for name in rows}, {row['isa'] for row in rows.values()})
        _, context, rows = self.run_json('ops', '--filter', '^ops/relu/elements/cache', '--isa', 'base')
        self.assertEqual([row['isa'] for row in rows.values()], ['base'])
        self.assertIn("'avx1024'", self.refused('ops', '--isa', 'avx1024'))

    def test_ops_finds_wrong_results(self):
        listed = bench('ops', '--filter', '/cache', '--list').stdout.count('\n')
        done, _, rows = self.run_json('ops', '--filter', '/cache', '--self-test', code=1)
        self.assertEqual(done.stderr.count('the error that rounding explains'), listed, done.stderr)
        self.assertEqual(rows, {})

    # ---- whole recipes ----

    def check_run(self, rows, name, batch):
        row = rows[name]
        self.assertEqual(row['batch'], batch)
        self.assertAlmostEqual(row['items_per_second'] * row['real_time'] * 1e-9 / batch, 1, delta=1e-6)
        self.assertGreater(row['plan_bytes'], 0)
        self.assertGreater(row['resident_bytes'], row['plan_bytes'])
        self.assertEqual(row.get('allocations', 0), 0)
        parts = {key: part for key, part in rows.items() if key.startswith(name + '/')}
        shares = sum(part['share_of_step'] for part in parts.values())
        self.assertGreater(shares, 0.9, parts.keys())
        self.assertLess(shares, 1.1)
        return parts

    def test_train(self):
        _, _, rows = self.run_json('train', 'lenet5')
        self.assertEqual(rows['train/lenet5']['parameters'], 61706)
        parts = self.check_run(rows, 'train/lenet5', 64)
        self.assertEqual(parts['train/lenet5/c2/backward']['operator'], 'conv2d')
        for part in ('c1/forward', 'loss/forward', 'data', 'optimizer'):
            self.assertIn('train/lenet5/' + part, parts)

    def test_products_that_reach_the_blas(self):
        weights = [784 * 512, 512 * 256, 256 * 64, 64 * 10]
        for policy in ('default', 'blas'):
            done, _, rows = self.run_json('train', 'mlp', '--policy', policy)
            row = rows['train/mlp']
            # Forward, gradients of all weights, gradients of all inputs but the first layer's.
            self.assertEqual(row['product_flops'], 2 * row['batch'] * (3 * sum(weights) - weights[0]))
            self.assertAlmostEqual(row['blas_flops_share'], row['blas_flops'] / row['product_flops'], places=9)
            self.assertTrue(0 <= row['blas_flops_share'] <= 1)
            self.assertRegex(done.stdout, rf'\n *mlp .* {100 * row["blas_flops_share"]:.0f}  ')
            if policy == 'blas':
                self.assertEqual(row['blas_flops_share'], 1)
        _, _, rows = self.run_json('train', 'mlp', '--batch', '1')
        # Single rows have kernels of their own.
        self.assertEqual(rows['train/mlp']['product_flops'], 2 * (3 * sum(weights) - weights[0]))

    def test_train_defaults_and_batch(self):
        done, _, rows = self.run_json('train', '--batch', '8', '--threads', '1')
        for recipe in ('mnist-cnn', 'lenet5', 'mlp'):
            self.check_run(rows, 'train/' + recipe, 8)
        self.assertIn('images/s', done.stdout)
        self.assertEqual(bench('train', '--list').stdout.split(), ['train/mnist-cnn', 'train/lenet5', 'train/mlp'])

    # ---- traces of steps ----

    def trace_of(self, *arguments):
        """The medians, and the spans of each process of --trace by name, after what every event must have."""
        path = self.folder / 'trace.json'
        _, _, rows = self.run_json(*arguments, '--trace', str(path))
        trace = json.loads(path.read_text(encoding='utf-8'), parse_constant=refuse_constant)
        self.assertIn('cpu_model', trace['otherData'])
        names, spans = {}, {}
        for event in trace['traceEvents']:
            if event['ph'] == 'M':
                self.assertIn(event['name'], ('process_name', 'thread_name'))
                if event['name'] == 'process_name':
                    names[event['pid']] = event['args']['name']
            else:
                self.assertEqual(event['ph'], 'X')
                self.assertGreaterEqual(event['ts'], 0)
                self.assertGreaterEqual(event['dur'], 0)
                spans.setdefault(names[event['pid']], []).append(event)
        return rows, spans

    def check_spans(self, spans, samples, threads):
        """Eight steps of the same parts, each of which has all samples, one after the other in a thread. Their names."""
        steps = [s for s in spans if s['cat'] == 'step']
        self.assertEqual([s['name'] for s in steps], ['step'] * 8)
        parts = []
        for step in steps:
            end = step['ts'] + step['dur']
            inside = sorted((s for s in spans if s['cat'] != 'step' and step['ts'] <= s['ts'] < end), key=lambda s: s['ts'])
            parts.append(list(dict.fromkeys(s['name'] for s in inside)))
            covered = dict.fromkeys(parts[-1], 0)
            last = dict.fromkeys(range(threads), 0)
            for span in inside:
                self.assertGreaterEqual(span['ts'] + 0.01, last[span['tid']])
                last[span['tid']] = span['ts'] + span['dur']
                covered[span['name']] += span['args'].get('samples', samples)
            self.assertLessEqual(max(last.values()), end + 0.01)
            self.assertEqual(set(covered.values()), {samples})
        self.assertEqual(parts, [parts[0]] * 8)
        return parts[0]

    def test_trace(self):
        for threads in 1, 3:
            rows, spans = self.trace_of('train', 'lenet5', '--threads', str(threads), '--batch', '32')
            names = self.check_spans(spans['train/lenet5'], 32, threads)
            self.assertEqual([names[0], names[-1]], ['data', 'optimizer'])
            passes = [name.split(' ')[1] for name in names[1:-1]]
            self.assertEqual(passes, sorted(passes, reverse=True))  # forward, then backward
            self.assertIn('loss forward', names)  # its gradient is a part of it
            timed = {' '.join(name.split('/')[2:]) for name in rows if name.startswith('train/lenet5/')}
            self.assertLessEqual(timed - {'rest'}, set(names))
            self.assertGreater(len(timed), 10)
        _, spans = self.trace_of('infer', 'mlp', '--filter', ':(1|64)$')
        for batch in 1, 64:
            names = self.check_spans(spans[f'infer/mlp/batch:{batch}'], batch, os.cpu_count())
            self.assertEqual({name.split(' ')[-1] for name in names}, {'data', 'forward'})
        self.assertIn("cannot write '/dev/null/trace'", self.refused('train', 'mlp', '--trace', '/dev/null/trace'))

    def test_train_of_single_samples_beside_memory(self):
        recipe = self.folder / 'single.ini'
        layers = 'input = 1x1x6\na = linear units=7\nb = linear units=3\n'
        for optimizer, slots in (('sgd', 0), ('sgd momentum=0.9', 1), ('adam', 2)):
            recipe.write_text(f'[model]\n{layers}[data]\nset = none\nclasses = 3\n[train]\nbatch = 1\noptimizer = {optimizer}\n',
                              encoding='utf-8')
            done, _, rows = self.run_json('train', str(recipe), '--threads', '1')
            row, first, all_of_them = rows['train/single'], 6 * 7 + 7, 6 * 7 + 7 + 7 * 3 + 3
            self.assertEqual(row['weight_bytes'], 4 * ((5 + 2 * slots) * all_of_them + all_of_them - first))
            self.assertAlmostEqual(row['weight_bytes_per_second'], row['weight_bytes'] / (row['real_time'] * 1e-9), delta=1e3)
            self.assertAlmostEqual(row['weight_bandwidth_share'],
                                   row['weight_bytes_per_second'] / row['weight_bandwidth_per_second'], places=6)
            self.assertIn('A step moves at least', done.stdout)
        _, _, rows = self.run_json('train', str(recipe), '--batch', '2')
        self.assertNotIn('weight_bytes', rows['train/single'])

    def test_train_own_recipe_with_values(self):
        recipe = self.folder / 'own.ini'
        recipe.write_text('[model]\ninput = 6x6x1\nc = conv2d filters=2 kernel=3\na = add from=c,c\nl = linear units=4\n'
                          '[data]\nset = none\nclasses = 4\n[train]\nbatch = 5\nloss = mse\noptimizer = sgd\n',
                          encoding='utf-8')
        _, _, rows = self.run_json('train', str(recipe))
        self.check_run(rows, 'train/own', 5)

    def test_infer(self):
        _, _, rows = self.run_json('infer', 'mlp', '--threads', '1')
        for batch in (1, 64, 1000):
            parts = self.check_run(rows, f'infer/mlp/batch:{batch}', batch)
            self.assertFalse([name for name in parts if name.endswith('/backward')])

    def test_recipes_are_refused_before_measuring(self):
        for mode in ('train', 'infer'):
            self.assertIn('nosuch', self.refused(mode, 'lenet5', 'nosuch'))
            broken = self.folder / 'broken.ini'
            broken.write_text('[model]\ninput = 28x28\n', encoding='utf-8')
            self.assertIn('broken.ini', self.refused(mode, str(broken)))
            self.refused(mode, '--batch', '0')

    # ---- checkpoint ----

    def test_checkpoint(self):
        _, _, rows = self.run_json('checkpoint', 'lenet5', '--out', str(self.folder))
        self.assertEqual(sorted(rows), [f'checkpoint/lenet5/{what}' for what in ('file', 'memory', 'step')])
        # Parameters and both of Adam's arrays, and a header.
        size = rows['checkpoint/lenet5/file']['bytes']
        self.assertTrue(3 * 4 * 61706 <= size < 3 * 4 * 61706 + 16384, size)
        self.assertGreater(rows['checkpoint/lenet5/file']['share_of_epoch'], 0)
        self.assertEqual([path for path in self.folder.iterdir() if 'safetensors' in path.name], [])
        self.assertIn('no-such', self.refused('checkpoint', 'lenet5', '--out', str(self.folder / 'no-such')))

    # ---- scale ----

    def test_scale(self):
        _, _, rows = self.run_json('scale', '--threads', '2', '--filter', 'lenet')
        self.assertEqual(rows['scale/train/lenet5/threads:1']['speedup'], 1)
        for name, row in rows.items():
            threads = int(name.rsplit(':', 1)[1])
            self.assertEqual(row['threads'], threads)
            self.assertAlmostEqual(row['efficiency'] * threads, row['speedup'], places=6)
        self.assertIn('scale/layer/lenet c2/backward weights/threads:2', rows)
        self.assertNotIn('scale/layer/lenet c1/forward/threads:2', rows)
        self.refused('scale', 'lenet5')

    # ---- the file of results ----

    def test_json_to_the_standard_output(self):
        done = bench('ops', '--filter', '^ops/relu/elements/cache', *QUICK, '--json', '-')
        self.assertEqual(done.returncode, 0)
        self.assertEqual({row['run_name'] for row in json.loads(done.stdout)['benchmarks']}, {'ops/relu/elements/cache'})
        self.assertIn('in cache', done.stderr)
        with open('/dev/full', 'w', encoding='utf-8') as full:
            done = subprocess.run([BENCH, 'ops', '--filter', '^ops/relu/elements/cache', *QUICK, '--json', '-'],
                                  stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertEqual(done.stderr.splitlines()[-1], 'stoa-bench: --json: standard output: No space left on device')

    def test_json_is_written_whole_or_not_at_all(self):
        path = self.folder / 'results.json'
        path.write_text('{"earlier": 1}', encoding='utf-8')
        arguments = ['ops', '--filter', '^ops/relu/elements/cache', *QUICK, '--json', str(path)]
        for limit in (2048, 4096):
            done = subprocess.run([BENCH, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False,
                                  preexec_fn=lambda limit=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn('cannot write: File too large', done.stderr)
            self.assertEqual(path.read_text(encoding='utf-8'), '{"earlier": 1}')
            self.assertEqual([entry.name for entry in self.folder.iterdir()], ['results.json'])
        self.assertEqual(bench(*arguments).returncode, 0)
        self.assertIn('benchmarks', json.loads(path.read_text(encoding='utf-8')))

    def test_json_that_cannot_be_written_is_refused_first(self):
        plain = self.folder / 'plain'
        plain.write_text('x', encoding='utf-8')
        for path in ('nosuch/results.json', str(self.folder), f'{plain}/results.json'):
            self.assertIn(path, self.refused('ops', '--filter', 'relu', '--json', path))
        self.assertEqual([entry.name for entry in self.folder.iterdir()], ['plain'])
        self.assertEqual(bench('ops', '--filter', '^ops/relu/elements/cache', *QUICK, '--json', '/dev/null').returncode, 0)

    def test_interrupted_runs_keep_what_was_measured(self):
        path = self.folder / 'results.json'
        for mode, number, first in (('layers', signal.SIGINT, 'lenet c1 '), ('infer', signal.SIGTERM, 'conv2d '),
                                    ('gemm', signal.SIGINT, 'square 16 ')):
            path.write_text('{"earlier": 1}', encoding='utf-8')
            process = subprocess.Popen([BENCH, mode, *QUICK, '--json', str(path)], stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, text=True)
            head = [process.stdout.readline()]
            while head[-1] and not head[-1].startswith(first):
                head.append(process.stdout.readline())
            self.assertEqual(path.read_text(encoding='utf-8'), '{"earlier": 1}', head)
            process.send_signal(number)
            output, errors = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 128 + number, errors + output)
            self.assertRegex(errors, r'^stoa-bench: interrupted: \d+ results are measured\n$')
            results = json.loads(path.read_text(encoding='utf-8'))
            self.assertIs(results['context']['interrupted'], True)
            names = {row['run_name'] for row in results['benchmarks']}
            self.assertEqual(len(names), int(errors.split()[2]), errors)
            self.assertGreater(len(names), 0)
            self.assertEqual([entry.name for entry in self.folder.iterdir()], ['results.json'])


if __name__ == '__main__':
    unittest.main()
