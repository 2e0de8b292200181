# SPDX-License-Identifier: MIT
"""What people see of stoa-bench: tables that fit, progress on a terminal alone, disturbed rows, Ctrl-C in every mode.

Run: STOA_BENCH=build/bench/stoa-bench test_tables.py
"""

import fcntl
import json
import multiprocessing
import os
import pathlib
import pty
import re
import signal
import struct
import subprocess
import tempfile
import termios
import threading
import time
import unittest

BENCH = os.environ['STOA_BENCH']
QUICK = ['--min-time', '0.001', '--repetitions', '2']
# Every mode that measures, on little: without seeds and accuracy, which train.
MODES = {
    'layers': ['layers', '--filter', '^lenet (c2|f6) forward'],
    'all algorithms': ['layers', '--all-algorithms', '--filter', '^lenet c2 forward'],
    'gemm': ['gemm', '--filter', '^(square 16|mlp f3 forward)'],
    'ops': ['ops', '--filter', 'relu.*/cache'],
    'train': ['train', 'lenet5'],
    'infer': ['infer', 'mlp', '--batch', '2'],
    'latency': ['latency', '4-8-2', '--filter', 'warm'],
    'checkpoint': ['checkpoint', 'lenet5'],
    'scale': ['scale', '--filter', 'lenet c2', '--threads', '2'],
    'fit': ['fit', '--check', '--filter', '^lenet c2'],
}


def bench(*arguments, **options):
    return subprocess.run([BENCH, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=200, check=False, **options)


def on_terminal(columns, *arguments, **options):
    """What a terminal of so many columns is sent, and the exit status."""
    main, side = pty.openpty()
    fcntl.ioctl(side, termios.TIOCSWINSZ, struct.pack('HHHH', 24, columns, 0, 0))
    process = subprocess.Popen([BENCH, *arguments], stdin=subprocess.DEVNULL, stdout=side, stderr=side,
                               env={**os.environ, 'TERM': 'xterm'}, **options)
    os.close(side)
    sent = b''
    while True:
        try:
            piece = os.read(main, 65536)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        sent += piece
    os.close(main)
    return sent.decode().replace('\r\n', '\n'), process.wait()


def lines_left(sent):
    """The lines that stand there in the end, without those that were taken off again."""
    return [line.rpartition('\x1b[K')[2].lstrip('\r') for line in sent.split('\n')]


def burn(stop):
    while not stop.is_set():
        for _ in range(100_000):
            pass


class Tables(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def test_every_mode_fits_a_hundred_columns_of_a_pipe(self):
        """Results on the standard output alone, tables and nothing else on the other one."""
        for name, arguments in MODES.items():
            with self.subTest(name):
                done = bench(*arguments, *QUICK, '--json', '-', cwd=self.folder)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertTrue(json.loads(done.stdout)['benchmarks'])
                self.assertEqual(list(self.folder.iterdir()), [])
                lines = done.stderr.splitlines()
                self.assertRegex(lines[0], '^stoa [0-9.]+ ')
                self.assertLessEqual(max(map(len, lines)), 100, max(lines, key=len))
                self.assertNotIn('\x1b', done.stderr)
                self.assertEqual([line for line in lines if line.endswith(' ')], [])

    def test_every_mode_fits_a_narrow_terminal_and_shows_progress(self):
        for name, arguments in MODES.items():
            with self.subTest(name):
                sent, code = on_terminal(60, *arguments, *QUICK, cwd=self.folder)
                self.assertEqual(code, 0, sent)
                longest = max(lines_left(sent), key=len)
                self.assertLessEqual(len(longest), 60, longest)
                # A bar, how far it is, how long it takes, what is done: cut where the terminal ends.
                shown = re.findall(r'\r([^\r\x1b]+)\x1b\[K', sent)
                self.assertRegex(shown[0], r'^[a-z, 0-9]+ \[[=> ]{24}\] +\d+ %, ([\d:]+|-:--) left, ')
                self.assertLess(max(map(len, shown)), 60)

    def test_layers_say_what_people_came_for(self):
        arguments = ['layers', '--filter', '^lenet c2 backward data', *QUICK]
        plain, wide, narrow = bench(*arguments), bench(*arguments, '--wide'), on_terminal(60, *arguments)[0]
        row = r'\nlenet c2 +backward data' + r' +[\d.]+' * 3 + r' +\d+' + r' +[\d.]+' * 2 + r' +\d+'
        self.assertRegex(plain.stdout, row)
        self.assertRegex(wide.stdout, row + r'.* [\d.]+ +\d+ +\d+x\d+x\d+ +.*im2col')
        self.assertGreater(max(map(len, wide.stdout.splitlines())), 200)
        # The columns that stay are Stoa's rate and what it is times as fast as.
        self.assertRegex(narrow, r'\n(.*\x1b\[K)?lenet c2 +backward data' + r' +[\d.]+' * 3 + ' ')
        heading = re.search(r'\n +(.*)\n(.*\x1b\[K)?layer +pass +(.*)', plain.stdout)
        self.assertEqual(heading.group(1).split(), ['GFLOP/s'] * 3 + ['%', 'of', 'x', 'x', '+-'])
        self.assertEqual(heading.group(3).split(), ['naive', 'BLAS', 'Stoa', 'limit', 'naive', 'BLAS', '%'])

    def test_figures_of_a_row_are_those_of_the_file(self):
        path = self.folder / 'results.json'
        done = bench('layers', '--filter', '^lenet c2 forward', *QUICK, '--json', str(path))
        row, blas = [r for r in json.loads(path.read_text(encoding='utf-8'))['benchmarks'] if r.get('aggregate_name') == 'median']
        cells = re.search(r'\nlenet c2 +forward +(.*)', done.stdout).group(1).split()
        rate = row['flops_per_second']
        for cell, value in zip(cells, (1e-9 * rate / row['speedup_over_naive_best'], 1e-9 * blas['flops_per_second'], 1e-9 * rate,
                                       100 * row['share_of_fma_limit'], row['speedup_over_naive_best'], row['speedup_over_blas'],
                                       100 * row['spread'])):
            self.assertAlmostEqual(float(cell), value, delta=0.51 if '.' not in cell else 0.051)
        self.assertEqual('~' in cells, row['disturbed'] or blas['disturbed'])

    def test_disturbed_rows_are_in_no_mean(self):
        stop = multiprocessing.Event()
        others = [multiprocessing.Process(target=burn, args=(stop,), daemon=True) for _ in range(2 * os.cpu_count())]
        for other in others:
            other.start()
        try:
            path = self.folder / 'results.json'
            steady = ['--min-time', '0.05', '--repetitions', '4', '--no-naive', '--json', str(path)]
            for mode, rows in ((['layers', '--filter', '^lenet c2 forward'], 1), (['gemm', '--filter', '^square 16$', '--threads', '2'], 2)):
                done = bench(*mode, *steady[:5 if mode[0] == 'layers' else 4], *steady[5:])
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout, f'~ {rows} of {rows} rows (is|are) disturbed')
                self.assertIn('There are no means: every row was disturbed.', done.stdout)
                results = json.loads(path.read_text(encoding='utf-8'))
                self.assertTrue(all(row['disturbed'] for row in results['benchmarks'] if row['run_type'] == 'aggregate'))
                self.assertEqual(results['context'].get('layers', results['context'].get('ratios_to_blas', [])), [])
        finally:
            stop.set()
            for other in others:
                other.join()

    def test_every_mode_keeps_what_it_has_on_an_interruption(self):
        longer = {**MODES, 'layers': ['layers'], 'all algorithms': ['layers', '--all-algorithms'], 'gemm': ['gemm'], 'ops': ['ops'],
                  'train': ['train'], 'infer': ['infer'], 'latency': ['latency'], 'checkpoint': ['checkpoint'], 'scale': ['scale'],
                  'fit': ['fit', '--check']}
        for name, arguments in longer.items():
            with self.subTest(name):
                path = self.folder / 'results.json'
                path.write_text('{"earlier": 1}', encoding='utf-8')
                process = subprocess.Popen([BENCH, *arguments, '--min-time', '0.03', '--json', str(path)], cwd=self.folder,
                                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                timer = threading.Timer(1.5, process.send_signal, (signal.SIGINT,))
                timer.start()
                output, errors = process.communicate(timeout=120)
                timer.cancel()
                self.assertEqual(process.returncode, 130, errors + output)
                self.assertRegex(errors, r'^stoa-bench: interrupted[^\n]*\n$')
                results = json.loads(path.read_text(encoding='utf-8'))
                if 'earlier' not in results:  # a slow machine may not have finished a row
                    self.assertIs(results['context']['interrupted'], True)
                    self.assertTrue(results['benchmarks'])
                self.assertEqual(list(self.folder.iterdir()), [path])

    def test_accuracy_keeps_the_seeds_that_are_done(self):
        command = self.folder / 'train'
        command.write_text('#!/bin/sh\nfor word; do case $word in --out=*) out=${word#--out=};; esac; done\nmkdir -p "$out"\n'
                           'echo \'{"test_accuracy": 0.991}\' > "$out/metrics.jsonl"\necho \'{"seconds": 2}\' > "$out/timing.jsonl"\n'
                           'echo >> "$0.log"\nsleep 0.3\n', encoding='utf-8')
        command.chmod(0o755)
        path = self.folder / 'results.json'
        process = subprocess.Popen([BENCH, 'accuracy', 'lenet5', '--stoa', str(command), '--seeds', '500', '--json', str(path)],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        log = self.folder / 'train.log'
        while not log.exists() or log.stat().st_size < 3:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 130, errors)
        row = [r for r in json.loads(path.read_text(encoding='utf-8'))['benchmarks'] if r.get('aggregate_name') == 'median'][0]
        self.assertTrue(0 < row['repetitions'] < 500)
        self.assertIn(f'{row["repetitions"]} of {row["repetitions"]}', output)


if __name__ == '__main__':
    unittest.main()
