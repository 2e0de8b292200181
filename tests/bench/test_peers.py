# SPDX-License-Identifier: MIT
"""stoa-bench layers --peer: ratios, means and refusals. Times are not looked at; a peer that is not there is skipped.

Run: STOA_BENCH=build/bench/stoa-bench test_peers.py
"""

import json
import math
import os
import pathlib
import pty
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

BENCH = pathlib.Path(os.environ['STOA_BENCH'])
PEERS = pathlib.Path(__file__).parents[2] / 'bench' / 'peers'
QUICK = ['--min-time', '0.001', '--repetitions', '2', '--threads', '2']
PASSES = ['forward', 'backward data', 'backward weights']
# Few channels, strides, a rectangle, dilation, groups, depthwise, 1x1, a layer for Winograd, and products.
PROBLEMS = ['conv2d n2 c3 h9 w7 k6 r5 p2', 'conv2d n2 c8 h9 w7 k6 r3x2 s2x1 p1x0 d2x1 g2', 'conv2d n3 c16 h6 k16 r3 p1 g16',
            'conv2d n2 c16 h8 k32 r1 s2', 'conv2d n2 c32 h12 k32 r3 p1', 'linear n5 c7 k3', 'linear n64 c120 k84']


def bench(*arguments, program=BENCH, **settings):
    return subprocess.run([program, 'layers', *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=200, check=False, env={**os.environ, **settings})


class Peers(unittest.TestCase):
    def setUp(self):
        # A temporary file of its own, removed with the test.
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def compare(self, peer, *arguments, code=0, **settings):
        path = self.folder / 'results.json'
        done = bench('--peer', peer, *QUICK, '--json', str(path), *arguments, **settings)
        if done.returncode == 2 and f'--peer {peer}: ' in done.stderr:
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done, json.loads(path.read_text(encoding='utf-8'))

    def check_peer(self, peer, passes, **settings):
        done, results = self.compare(peer, *PROBLEMS, **settings)
        about = results['context']['peer']
        self.assertIn(about['version'], done.stdout)
        rows = [r for r in results['benchmarks'] if r.get('aggregate_name') == 'median']
        ratios, measured = [], 0
        for problem in PROBLEMS:
            for name in passes:
                ours = [r for r in rows if r['run_name'] == f'layers/{problem}/{name}']
                self.assertEqual(len(ours), 1, f'{problem} {name}')
                if 'ratio_to_peer_best' in ours[0]:
                    self.check_row(rows, ours[0], about['name'], f'{problem}/{name}')
                    self.check_ratio(results['benchmarks'], ours[0], about['name'], f'{problem}/{name}')
                    measured += 1
                    ratios += [] if ours[0]['disturbed'] else [ours[0]['ratio_to_peer_best']]
        # Forward passes find their weights ready, which makes a difference to Winograd.
        ours = {r['run_name']: r['algorithm'] for r in rows if r['run_name'].startswith('layers/')}
        winograd = f'layers/{PROBLEMS[4]}/forward'
        self.assertRegex(ours[winograd], '^winograd')
        self.assertIn(winograd, [name for name, algorithm in ours.items() if 'weights ready' in algorithm])
        self.assertTrue(all('weights ready' not in ours[name] for name in ours if not name.endswith('/forward')))
        self.assertEqual(len(rows), len(PROBLEMS) * len(passes) + 2 * measured)
        # Some shapes a peer may not know; most it does.
        self.assertGreaterEqual(measured, len(PROBLEMS) * len(passes) - 3)
        total = [m for m in about['ratios'] if m['rows_of'] == 'all'][0]['best']
        self.assertEqual(total['rows'], len(ratios))
        if not ratios:
            self.assertIn('There are no means', done.stdout)
            return
        mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        self.assertAlmostEqual(total['geometric_mean'], mean, delta=1e-6 * mean)
        self.assertAlmostEqual(total['lowest'], min(ratios), delta=1e-6)

    def check_row(self, rows, ours, peer, name):
        for layout in ('best', 'plain'):
            theirs = [r for r in rows if r['run_name'] == f'{peer} {layout}/{name}']
            self.assertEqual(len(theirs), 1, name)
            self.assertEqual(theirs[0]['algorithm'], ours[f'peer_{layout}_algorithm'])
            self.assertIs(theirs[0]['verified'], True)
            self.assertLessEqual(theirs[0]['error'], theirs[0]['error_bound'])
            self.assertGreater(ours[f'ratio_to_peer_{layout}'], 0)
        self.assertLessEqual(ours['ratio_to_peer_best'], ours['ratio_to_peer_plain'])

    def check_ratio(self, rows, ours, peer, name):
        # The peer's time over the engine's, pair by pair.
        single = {engine: [r['real_time'] for r in rows if r['name'] == f'{engine}/{name}']
                  for engine in ('layers', f'{peer} best')}
        pairs = [b / a for a, b in zip(single['layers'], single[f'{peer} best'])]
        self.assertEqual(len(pairs), 2)
        self.assertAlmostEqual(ours['ratio_to_peer_best'], sum(pairs) / 2, delta=1e-6 * sum(pairs))

    def test_onednn(self):
        self.check_peer('onednn', PASSES)

    def test_another_onednn(self):
        self.check_peer('onednn3', PASSES)

    def test_peers_are_held_to_the_instruction_set(self):
        for peer in ('onednn', 'onednn3'):
            with self.subTest(peer):
                done, results = self.compare(peer, '--isa', 'base', PROBLEMS[0])
                self.assertEqual(results['context']['isa'], 'base')
                self.assertIn('held to SSE4.1', results['context']['peer']['version'])
                self.assertIn('held to SSE4.1', done.stdout)
                theirs = [r['algorithm'] for r in results['benchmarks'] if r.get('engine')]
                self.assertTrue(theirs and not [name for name in theirs if 'avx' in name], theirs)

    def test_groups(self):
        """What a layer is by its shape is summed up beside what it is called."""
        path = self.folder / 'layers'
        path.write_text('a x: conv2d n2 c16 h6 k16 r1\na y: conv2d n2 c16 h6 k16 r1 s2\nb dw: conv2d n2 c8 h6 k8 r3 p1 g8\n'
                        'b f: linear n4 c9 k7\n', encoding='utf-8')
        _, results = self.compare('onednn', '--layers', str(path))
        ratios = {(r['layer'], r['pass']): r['ratio_to_peer_best'] for r in results['benchmarks']
                  if r.get('aggregate_name') == 'median' and 'ratio_to_peer_best' in r and not r['disturbed']}
        for group, layers in (('a', 'xy'), ('all 1x1', 'xy'), ('all depthwise', ['dw']), ('all linear', ['f'])):
            for name in PASSES:
                found = [g['best'] for g in results['context']['peer']['groups'] if (g['group'], g['pass']) == (group, name)]
                among = [ratio for (layer, one), ratio in ratios.items() if layer.split()[1] in layers and one == name]
                self.assertEqual(bool(found), bool(among))
                if not among:
                    continue
                self.assertEqual([found[0]['rows'], round(found[0]['lowest'], 6)], [len(among), round(min(among), 6)])
                mean = math.prod(among) ** (1 / len(among))
                self.assertAlmostEqual(found[0]['geometric_mean'], mean, delta=1e-6 * mean)

    def test_xnnpack(self):
        self.check_peer('xnnpack', PASSES[:1])

    def test_repetitions_are_rounds_over_the_list(self):
        done, _ = self.compare('onednn', *PROBLEMS[:2])
        self.assertEqual(done.stderr, '')
        main, side = pty.openpty()
        done = subprocess.run([BENCH, 'layers', '--peer', 'onednn', *QUICK, *PROBLEMS[:2]], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=side, text=True, timeout=200, check=False,
                              env={**os.environ, 'TERM': 'xterm'})
        os.close(side)
        text = os.read(main, 65536).decode()
        os.close(main)
        self.assertEqual(done.returncode, 0, text)
        shown = re.findall(r'\rlayers \[[=> ]*\] +\d+ %, [\d:-]+ left, round (\d) of 2, (conv2d n2 c\d)', text)
        self.assertEqual(list(dict.fromkeys(shown)), [(number, problem[:12]) for number in '12' for problem in PROBLEMS[:2]])
        self.assertTrue(text.endswith('\r\x1b[K'), text)

    def test_settings_of_the_shell_are_forgotten(self):
        # A thread that never sleeps would disturb every block; a busy machine may hold one back in a few.
        done, _ = self.compare('onednn', PROBLEMS[0], OMP_WAIT_POLICY='active', OMP_NUM_THREADS='1')
        ran_on = re.search(r'In (\d+) blocks threads of the other engine ran on', done.stdout)
        self.assertLess(int(ran_on.group(1)) if ran_on else 0, 2 * len(PASSES))

    def test_broken_results_are_found(self):
        done, results = self.compare('onednn', '--self-test', PROBLEMS[0], code=1)
        self.assertEqual(done.stdout.count('WRONG'), len(PASSES), done.stdout)
        self.assertEqual(done.stdout.count('right ways of the peer: 0'), len(PASSES), done.stdout)
        self.assertEqual(len(results['benchmarks']), len(PASSES))

    def refused(self, done, sentence):
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertEqual(done.stdout, '')
        self.assertIn(sentence, done.stderr)
        self.assertEqual(done.stderr.count('\n'), 1, done.stderr)

    def test_refusals(self):
        self.refused(bench('--peer', 'mkl', PROBLEMS[0]), "--peer: found 'mkl', expected onednn, onednn3 or xnnpack")
        self.refused(bench('--peer'), 'value missing')
        self.refused(bench('--peer', 'onednn', '--all-algorithms'), '--all-algorithms: found beside --peer')
        # The program alone, as from a build without peers.
        alone = shutil.copy(BENCH, self.folder)
        for peer in ('onednn', 'onednn3', 'xnnpack'):
            self.refused(bench('--peer', peer, PROBLEMS[0], program=alone), f'--peer {peer}: this build')
        # A module whose library is not there.
        (self.folder / 'peers').mkdir()
        (self.folder / 'peers' / 'onednn.so').write_text('no module', encoding='utf-8')
        self.refused(bench('--peer', 'onednn', PROBLEMS[0], program=alone), '--peer onednn: ')


class PythonPeers(unittest.TestCase):
    """What the peers in Python need is looked for first."""

    def refused(self, peer, *arguments, words, path=''):
        # Without site-packages, so that only what `path` holds can be imported.
        done = subprocess.run([sys.executable, '-S', '-B', PEERS / peer, *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False,
                              env={**os.environ, 'PYTHONPATH': path})
        self.assertEqual((done.returncode, done.stdout, done.stderr.count('\n')), (2, '', 1), done.stderr)
        for word in (f'{peer}: ', *words):
            self.assertIn(word, done.stderr)

    def test_say_what_is_missing(self):
        with tempfile.TemporaryDirectory() as folder:
            self.refused('numpy_mlp.py', words=['numpy is not installed'])
            self.refused('train.py', folder, '1', '8', 'best', words=['PyTorch is not installed', 'torch'])
            for name in ('torch', 'numpy'):
                pathlib.Path(folder, f'{name}.py').touch()
            self.refused('numpy_mlp.py', '--bench', f'{folder}/bench', words=['no program', '--bench'], path=folder)
            # What a module needs itself may be missing too.
            pathlib.Path(folder, 'torch.py').write_text('import no_such_module\n', encoding='utf-8')
            self.refused('latency.py', 'pytorch', folder, '1', '8', words=['PyTorch cannot be imported', 'no_such_module'], path=folder)
            self.refused('train.py', folder, '1', '8', 'best', words=['PyTorch cannot be imported', 'no_such_module'], path=folder)


if __name__ == '__main__':
    unittest.main()
