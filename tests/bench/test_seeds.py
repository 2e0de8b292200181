# SPDX-License-Identifier: MIT
"""stoa-bench seeds: rows of a list trained and judged, the table and the JSON, interruptions, refusals.

Run: STOA_BENCH=build/bench/stoa-bench test_seeds.py
"""

import json
import math
import os
import pathlib
import pty
import re
import signal
import statistics
import subprocess
import tempfile
import time
import unittest

BENCH = os.environ['STOA_BENCH']
RECIPES = pathlib.Path(__file__).resolve().parents[2] / 'data' / 'recipes'
RECIPE = """[model]
input = 1x1x4
l1 = linear units=8
r1 = relu
l2 = linear units=3
[data]
set = {set}
classes = 3
normalize = measured
[train]
epochs = {epochs}
batch = 8
lr = {lr}
seed = 99
{more}
"""


class Seeds(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out, self.json, self.list = (self.folder / name for name in ('table.md', 'results.json', 'rows.list'))
        self.recipe('quick')

    def recipe(self, name, set='iris', epochs=20, lr='1e-2', more=''):
        text = RECIPE.format(set=set, epochs=epochs, lr=lr, more=more)
        (self.folder / f'{name}.ini').write_text(text, encoding='utf-8')

    def command(self, rows, *arguments):
        self.list.write_text('# rows\n\n' + rows, encoding='utf-8')
        return [BENCH, 'seeds', '--rows', str(self.list), '--out', str(self.out), *arguments]

    def bench(self, rows, *arguments, code=0):
        done = subprocess.run(self.command(rows, *arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, cwd=self.folder, text=True, timeout=200, check=False)
        self.assertEqual(done.returncode, code, done.stderr + done.stdout)
        return done

    def bench_json(self, rows, *arguments, code=0):
        """With results to look at, for which the limits of the machine are measured: half a second."""
        return self.bench(rows, '--json', str(self.json), *arguments, code=code)

    def results(self):
        """The rows of the JSON by name: those of the runs, and the mean."""
        runs, means = {}, {}
        for row in json.loads(self.json.read_text(encoding='utf-8'))['benchmarks']:
            if row['run_type'] == 'iteration':
                runs.setdefault(row['run_name'], []).append(row)
            elif row['aggregate_name'] == 'mean':
                means[row['run_name']] = row
        return runs, means

    def table(self):
        """Cells of the Markdown table by recipe."""
        lines = [line.strip('| ').split(' | ') for line in self.out.read_text(encoding='utf-8').split('\n') if line.startswith('| ')]
        self.assertEqual(len({len(line) for line in lines}), 1)
        return {line[1]: dict(zip(lines[0], line)) for line in lines[1:]}

    def test_rows_are_trained_and_judged(self):
        self.recipe('still', lr='1e-9')
        done = self.bench_json('X ./quick.ini  test >= 90  train >= 80 loss 0.25 rate > 1  splits 6 single # six\n'
                               'Y ./still.ini test > 90 seeds 3\n', '--threads', '2', code=1)
        runs, means = self.results()
        self.assertEqual(set(means), {'seeds/X/quick', 'seeds/Y/still'})
        quick, still = means['seeds/X/quick'], means['seeds/Y/still']
        self.assertEqual((quick['passed'], quick['verdict'], still['passed'], still['verdict']), (True, 'passes', False, 'FAILS'))
        self.assertEqual((len(runs['seeds/X/quick']), len(runs['seeds/Y/still'])), (6, 3))
        self.assertEqual((quick['threads'], still['threads']), (1, 2))
        for key in ('test_accuracy_percent', 'train_accuracy_percent', 'test_loss', 'items_per_second', 'real_time'):
            values = [run[key] for run in runs['seeds/X/quick']]
            self.assertAlmostEqual(quick[key] / statistics.mean(values), 1, places=6)
        values = [run['test_accuracy_percent'] for run in runs['seeds/X/quick']]
        self.assertEqual((quick['figure_test_accuracy_percent'], quick['figure_test_loss']), (90, 0.25))
        cells = self.table()
        self.assertEqual(cells['quick']['test accuracy'],
                         f'{statistics.mean(values):.2f} +- {statistics.stdev(values):.2f} %')
        self.assertRegex(cells['quick']['besides'],
                         rf'^{values.count(100)} of 6 at 100 %; train \S+ \+- \S+ % \(>= 80.00 %\); loss \S+ \+- \S+ \(0.2500\); '
                         r'images/s \(> 1\)$')
        self.assertEqual((cells['still']['figure'], cells['still']['verdict'], cells['still']['besides']), ('> 90.00 %', 'FAILS', ''))
        self.assertIn('1 of 2 rows pass', done.stdout)
        for line in done.stderr.splitlines():  # of the training that learns nothing
            self.assertIn('note: nothing is learned up to epoch', line)

    def test_results_do_not_depend_on_threads_and_differ_by_seed(self):
        found = []
        for threads in ('1', '3'):
            self.bench_json('X ./quick.ini test >= 50 seeds 5 single\nY ./quick.ini test >= 50 splits 5\n', '--threads', threads)
            found.append({name: [run['test_loss'] for run in runs] for name, runs in self.results()[0].items()})
        self.assertEqual(found[0], found[1])
        for losses in found[0].values():
            self.assertEqual(len(set(losses)), 5)
        # The same seeds on other splits.
        self.assertFalse(set(found[0]['seeds/X/quick']) & set(found[0]['seeds/Y/quick']))

    def test_two_standard_errors_are_allowed_to_seeds_only(self):
        self.recipe('early', epochs=3)
        self.bench_json('X ./early.ini test >= 0 seeds 8\n', '--seeds', '6')
        runs, _ = self.results()
        values = [run['test_accuracy_percent'] for run in runs['seeds/X/early']]
        self.assertEqual(len(values), 6)
        mean, error = statistics.mean(values), statistics.stdev(values) / math.sqrt(6)
        self.assertGreater(error, 0)
        for figure, verdict, code in ((mean - 0.01, 'passes', 0), (mean + 1.99 * error, 'within 2 s.e.', 0),
                                      (mean + 2.01 * error, 'FAILS', 1)):
            self.bench(f'X ./early.ini test >= {figure} seeds 6\n', code=code)
            self.assertEqual(self.table()['early']['verdict'], verdict)
        self.bench('X ./early.ini test >= 0 train >= 100 seeds 6\n', code=1)
        self.bench('X ./early.ini test >= 0 rate >= 1e12 seeds 2\n', code=1)
        self.bench('X ./early.ini test >= 0 train 100 rate 1e12 loss 0 seeds 2\n')
        self.bench_json('X ./early.ini test >= 0 splits 6\n')
        values = [run['test_accuracy_percent'] for run in self.results()[0]['seeds/X/early']]
        self.bench(f'X ./early.ini test >= {statistics.mean(values) + 0.01} splits 6\n', code=1)

    def test_one_run_and_equality(self):
        self.bench_json('X ./quick.ini test >= 0 seeds 1\n')
        value = self.results()[0]['seeds/X/quick'][0]['test_accuracy_percent']
        self.bench(f'X ./quick.ini test >= {value} seeds 1\n')
        self.assertEqual(self.table()['quick']['test accuracy'], f'{value:.2f} %')
        self.bench(f'X ./quick.ini test > {value} seeds 1\n', code=1)

    def test_a_run_that_breaks_off_spoils_its_row_only(self):
        self.recipe('wild', lr='1e3', more='optimizer = sgd')
        done = self.bench_json('X ./wild.ini test >= 0 seeds 2\nX ./quick.ini test >= 50 seeds 2\n', code=1)
        self.assertEqual({name: cells['verdict'] for name, cells in self.table().items()},
                         {'wild': 'BROKE OFF', 'quick': 'passes'})
        self.assertIn('epoch', done.stderr)
        self.assertTrue(self.results()[0]['seeds/X/wild'][0]['error_occurred'])

    def test_interrupted_runs_leave_the_rows_that_are_whole(self):
        self.recipe('endless', epochs=1000000)
        with subprocess.Popen(self.command('X ./quick.ini test >= 50 seeds 2\nX ./endless.ini test >= 0 seeds 2 single\n',
                                           '--json', str(self.json)),
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder, text=True) as process:
            while not (self.out.exists() and '| quick |' in self.out.read_text(encoding='utf-8')):
                self.assertIsNone(process.poll())
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=100)
        self.assertEqual(process.returncode, 130)
        self.assertIn('interrupted: 1 of 2 rows are whole', errors)
        self.assertEqual(list(self.table()), ['quick'])
        self.assertEqual(set(self.results()[1]), {'seeds/X/quick'})

    def test_a_terminal_shows_every_run(self):
        main, side = pty.openpty()
        process = subprocess.run(self.command('X ./quick.ini test >= 50 seeds 2\n'), stdout=subprocess.DEVNULL, stderr=side,
                                 cwd=self.folder, env={**os.environ, 'TERM': 'xterm'}, timeout=100, check=False)
        os.close(side)
        text = os.read(main, 65536).decode()
        os.close(main)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(re.findall(r'quick, seed (\d): \d+\.\d\d %, \d+\.\d s', text), ['1', '2'])

    def test_filter_and_list(self):
        rows = 'X ./quick.ini test >= 50 seeds 2\nY ./other.ini test >= 50 seeds 2\n'
        self.assertEqual(self.bench(rows, '--list').stdout, 'seeds/X/quick\nseeds/Y/other\n')
        self.bench(rows, '--filter', '/X/')  # other.ini does not exist, and is not looked for
        self.assertEqual(list(self.table()), ['quick'])

    def test_the_list_that_ships(self):
        done = subprocess.run([BENCH, 'seeds', '--list'], stdout=subprocess.PIPE, text=True, check=True)
        names = [line.split('/') for line in done.stdout.split('\n')[:-1]]
        self.assertEqual({system for _, system, _ in names}, set('ABCDE'))
        self.assertIn(['seeds', 'D', 'lenet5'], names)
        self.assertEqual(len(names), 21)
        for _, _, recipe in names:
            self.assertTrue((RECIPES / f'{recipe}.ini').is_file(), recipe)

    def refused(self, rows, *words, arguments=()):
        self.out.unlink(missing_ok=True)
        done = self.bench(rows, *arguments, code=2)
        self.assertEqual(done.stderr.count('\n'), 1, done.stderr)
        for word in ('stoa-bench: ', *words):
            self.assertIn(word, done.stderr)
        self.assertNotIn('verdict', done.stdout)
        self.assertFalse(self.out.exists())

    def test_refused_before_any_run(self):
        good = 'X ./quick.ini test >= 50 seeds 2\n'
        self.recipe('nowhere', set='no-such-set')
        self.recipe('mnist', set='mnist')
        self.refused(good + 'Y no-such-recipe test >= 50 seeds 2\n', 'no-such-recipe: no such recipe')
        self.refused(good + 'Y ./nowhere.ini test >= 50 seeds 2\n', 'no-such-set: no such data set')
        self.refused(good + 'Y ./mnist.ini test >= 50 seeds 2\n', '/nowhere', arguments=('--data', '/nowhere'))
        self.refused(good, "--filter: found 'nothing'", arguments=('--filter', 'nothing'))
        self.refused(good, '--seeds', arguments=('--seeds', '0'))
        self.refused('', 'rows.list: holds no row')
        self.out = self.folder / 'no' / 'folder.md'
        self.refused(good, '--out: ', 'no/folder.md')

    def test_lines_that_are_refused(self):
        begin = 'X ./quick.ini '
        for line, *words in (
                ('X', "found 'X', expected SYSTEM RECIPE"),
                (begin, 'expected test >= FIGURE'),
                (begin + 'test >= 50', 'seeds N or splits N'),
                (begin + 'seeds 3', 'expected test >= FIGURE'),
                (begin + 'test 50 seeds 3', 'expected test >= FIGURE'),
                (begin + 'test >= 50 seeds 3 splits 3', 'seeds N or splits N'),
                (begin + 'test >= 50 test >= 60 seeds 3', "'test' is given twice"),
                (begin + 'test >= 101 seeds 3', "test: found '101', expected >=, > or nothing and a number from 0 to 100"),
                (begin + 'test >= -1 seeds 3', "'-1'"),
                (begin + 'test >= nan seeds 3', "'nan'"),
                (begin + 'test >= 50,5 seeds 3', "'50,5'"),
                (begin + 'test >=50 seeds 3', "'>=50'"),
                (begin + 'test >=', "test: found ''"),
                (begin + 'test >= 50 loss >= 1 seeds 3', "loss: found '>=', expected a number from 0"),
                (begin + 'test >= 50 seeds 0', "seeds: found '0', expected a whole number from 1 to 1000"),
                (begin + 'test >= 50 seeds 1001', "'1001'"),
                (begin + 'test >= 50 splits', "splits: found ''"),
                (begin + 'test >= 50 seeds 3 double', "found 'double', expected test, train, loss"),
                (begin + 'x' * 2000, 'a line longer than'),
        ):
            self.refused('X ./quick.ini test >= 50 seeds 2\n' + line + '\n', 'rows.list:4: ', *words)


if __name__ == '__main__':
    unittest.main()
