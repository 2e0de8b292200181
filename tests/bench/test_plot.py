# SPDX-License-Identifier: MIT
"""stoa-bench plot and report: drawings that parse and show what the results say, a page that asks for nothing, refusals.

Run: STOA_BENCH=build/bench/stoa-bench test_plot.py
"""

import html.parser
import json
import os
import pathlib
import re
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

BENCH = os.environ['STOA_BENCH']
QUICK = ['--min-time', '0.001', '--repetitions', '2']
SVG = '{http://www.w3.org/2000/svg}'


def bench(*arguments):
    return subprocess.run([BENCH, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=200, check=False)


def median(name, milliseconds, **keys):
    return {'run_name': name, 'run_type': 'aggregate', 'aggregate_name': 'median', 'time_unit': 'ms',
            'real_time': milliseconds, **keys}


class Page(html.parser.HTMLParser):
    """The texts of a page by the element they stand in, and every attribute; elements have to close in order."""

    VOID = {'meta', 'link', 'br'}

    def __init__(self, text):
        super().__init__()
        self.open, self.texts, self.attributes = [], [], []
        self.feed(text)
        self.close()
        if self.open:
            raise ValueError(f'{self.open} are not closed')

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, *pair) for pair in attrs]

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise ValueError(f'</{tag}> closes another element')

    def handle_data(self, data):
        if data.strip():
            self.texts.append((self.open[-1] if self.open else '', data.strip()))


class Plots(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.out = self.folder / 'pictures'

    def measured(self, file, *arguments):
        path = self.folder / file
        done = bench(*arguments, *QUICK, '--json', str(path))
        self.assertEqual(done.returncode, 0, done.stderr + done.stdout)
        return str(path)

    def results(self, name, rows, **context):
        path = self.folder / name
        path.write_text(json.dumps({'context': context, 'benchmarks': rows}), encoding='utf-8')
        return str(path)

    def refused(self, *arguments):
        done = bench(*arguments)
        self.assertEqual(done.returncode, 2, done.stderr + done.stdout)
        self.assertEqual(done.stderr.count('\n'), 1, done.stderr)
        self.assertTrue(done.stderr.startswith('stoa-bench: '), done.stderr)
        return done.stderr

    def plot(self, *files):
        """The drawings of files by name: the texts in each."""
        done = bench('plot', *files, '--out', str(self.out))
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        drawn = {}
        for path in self.out.iterdir():
            self.assertEqual(path.suffix, '.svg')
            self.assertIn(f'{path}\n', done.stdout)
            root = xml.etree.ElementTree.parse(path).getroot()
            self.assertEqual((root.tag, root.get('role')), (f'{SVG}svg', 'img'))
            self.assertTrue(all(root.find(SVG + tag).text.strip() for tag in ('title', 'desc')), path)
            self.assertIn('prefers-color-scheme:dark', root.find(f'{SVG}style').text)
            drawn[path.stem] = [''.join(text.itertext()) for text in root.iter(f'{SVG}text')]
        return drawn

    # ---- plot ----

    def test_layers_and_comparison(self):
        files = [self.measured(file, 'layers', '--no-naive', '--filter', '^lenet (c2|f6)') for file in ('old.json', 'new.json')]
        drawn = self.plot(*files)
        pictures = ['roofline', 'gflops', 'over-im2col-+-OpenBLAS'] + [f'beside-{one}' for one in ('forward', 'backward-data', 'backward-weights')]
        self.assertEqual(set(drawn), {f'{file}-{one}' for file in ('old', 'new') for one in pictures} | {'new-over-old'})
        self.assertIn('lenet c2', drawn['old-roofline'])

    def test_other_modes(self):
        ops = self.measured('ops.json', 'ops', '--filter', 'relu.*/cache')
        infer = self.measured('infer.json', 'infer', 'mlp', '--batch', '2')
        self.assertEqual(set(self.plot(ops)), {'ops-bandwidth'})
        self.out = self.folder / 'others'
        self.assertEqual(set(self.plot(infer)), {'infer-images', 'infer-shares'})

    def beside(self):
        rows = []
        for layer, ours, theirs in (('a', 2.0, 3.0), ('b', 4.0, 2.0), ('3x3/2', 1.0, 7.0)):
            for name, time in ((f'layers/{layer}', ours), (f'oneDNN best/{layer}', theirs), (f'oneDNN plain/{layer}', 9)):
                keys = {'engine': 'oneDNN 9'} if 'oneDNN' in name else {}
                rows.append(median(f'{name}/forward', time, flops_per_second=1e9 * time, **{'pass': 'forward'}, **keys))
        return rows

    def test_other_engines_stay_apart(self):
        rows = self.beside()
        drawn = self.plot(self.results('beside.json', rows))
        self.assertEqual(set(drawn), {'beside-gflops', 'beside-beside-forward', 'beside-over-oneDNN-best', 'beside-over-oneDNN-plain'})
        # Each engine's numbers stand under its own name.
        together = drawn['beside-beside-forward']
        self.assertEqual([text for text in ('oneDNN best', 'oneDNN plain', 'Stoa', '2.00', '3.00', '7.00', '9.00') if text not in together], [])
        bars = drawn['beside-gflops']
        self.assertEqual([number for number in ('2.00', '4.00', '1.00') if number not in bars], [])
        self.assertEqual([number for number in ('3.00', '7.00', '9.00') if number in bars], [])
        ratios = drawn['beside-over-oneDNN-best']
        self.assertEqual([number for number in ('1.50', '0.500', '7.00') if number not in ratios], [])
        self.assertIn('beside over oneDNN-best: 1.738 times as fast', ' '.join(ratios))
        # Results of another engine alone are nothing to draw.
        alone = self.results('alone.json', [row for row in rows if 'engine' in row])
        for mode in ('plot', 'report'):
            self.assertIn('no result to draw', self.refused(mode, alone, '--out', str(self.folder / mode)))

    def test_steps(self):
        rows = []
        for layer, rate, blas in (('lenet c2', 64, 16), ('3x3/2', 400, 100), ('dw 1', 30, None)):
            name = f'{layer}/backward data'
            rows.append(median(f'layers/{name}', 1, flops_per_second=1e9 * rate, speedup_over_naive_best=rate / 4,
                               **{'pass': 'backward data'}))
            if blas:
                rows.append(median(f'im2col + OpenBLAS/{name}', 1, flops_per_second=1e9 * blas, engine='OpenBLAS 9',
                                   **{'pass': 'backward data'}))
        drawn = self.plot(self.results('some.json', rows))
        self.assertEqual(set(drawn), {'some-gflops', 'some-steps-backward-data', 'some-over-im2col-+-OpenBLAS'})
        texts = drawn['some-steps-backward-data']
        # Means over the two that have all steps: 4, 40, 160; and each row's own.
        for text in ('naive -O3, best order', 'im2col + OpenBLAS', 'Stoa', 'geometric mean', 'lenet c2', '3x3/2', 'dw 1', '40.0', '160',
                     '64.0', '16.0', '400', '100', '30.0'):
            self.assertIn(text, texts)
        self.assertEqual(texts.count('4.00'), 4)
        # On a page the BLAS stands between naive loops and the engine.
        page = self.report(self.results('page.json', rows))[1]
        big = re.search('<ul class="big">.*?</ul>', page, re.DOTALL).group()
        self.assertEqual(re.findall(r'<b>([\d.]+)&#215;</b> ([^<]*)</li>', big),
                         [('40.0', 'naive -O3, best order'), ('4.00', 'im2col + OpenBLAS')])
        self.assertNotIn('what each step brings', page)

    def test_foreign_results_with_awkward_names(self):
        names = [f"it's \"{i}\" $(touch pwned) <b>&amp; ]]> \\n\t\x01\x7f#é" for i in range(3)]
        rows = [{'name': name, 'real_time': 5.0 + i, 'time_unit': 'us'} for i, name in enumerate(names)]
        drawn = self.plot(self.results("fo'rei\"gn <.json", rows))
        self.assertEqual(set(drawn), {"fo'rei\"gn <-times"})
        labels = [name.replace('\x01', '\ufffd').replace('\x7f', '\ufffd') for name in names]
        self.assertEqual([label for label in labels if label not in drawn["fo'rei\"gn <-times"]], [])

    def test_files_without_common_results(self):
        one = self.results('one.json', [{'name': 'a/b', 'real_time': 1.0, 'time_unit': 'ns'}])
        other = self.results('other.json', [{'name': 'a/c', 'real_time': 1.0, 'time_unit': 'ns'}])
        self.assertIn('no result in common', bench('plot', one, other, '--out', str(self.out)).stdout)
        self.assertEqual(set(self.plot(one, other)), {'one-times', 'other-times'})

    def test_more_series_than_colours(self):
        rows = [{'name': f'a/b/{i}', 'real_time': 1.0 + i, 'time_unit': 'ms'} for i in range(12)]
        drawn = self.plot(self.results('many.json', rows))['many-times']
        self.assertEqual([f'b/{i}' for i in range(12) if f'b/{i}' not in drawn], [])

    def test_refuses(self):
        good = self.results('good.json', [{'name': 'a/b', 'real_time': 1.0, 'time_unit': 'ns'}])
        for mode in ('plot', 'report'):
            self.assertIn('file missing', self.refused(mode))
            self.assertIn('nosuch.json', self.refused(mode, str(self.folder / 'nosuch.json')))
            for name, text in (('cut.json', '{"benchmarks": ['), ('empty.json', ''), ('list.json', '[]'),
                               ('none.json', '{"benchmarks": []}'), ('wrong.json', '{"benchmarks": {"a": 1}}'),
                               ('odd.json', '{"benchmarks": [1, null, {"name": 3}, {"name": "x", "real_time": "y"}]}')):
                path = self.folder / name
                path.write_text(text, encoding='utf-8')
                self.assertIn(name, self.refused(mode, str(path)))
            self.refused(mode, good, '--threads', '2')
        for name, text, word in (('deep.json', '[' * 100_000, 'nested deeper'),
                                 ('many.json', '[' + '[],' * 1_100_000 + '[]]', 'keys and values')):
            path = self.folder / name
            path.write_text(text, encoding='utf-8')
            self.assertIn(word, self.refused('plot', str(path)))
        self.assertIn('no folder', self.refused('plot', good, '--out', good))
        self.assertIn('--out: cannot write', self.refused('report', good, '--out', str(self.folder)))
        self.assertIn('--out: cannot write', self.refused('report', good, '--out', str(self.folder / 'no' / 'page.html')))

    # ---- report ----

    def report(self, *files):
        path = self.folder / 'page.html'
        done = bench('report', *files, '--out', str(path))
        self.assertEqual((done.returncode, done.stderr, done.stdout), (0, '', f'{path}\n'))
        text = path.read_text(encoding='utf-8')
        page = Page(text)
        for tag, name, value in page.attributes:
            if name in ('src', 'href', 'data', 'action') or (tag == 'link' and name == 'rel'):
                self.assertTrue(value in ('icon', 'data:,') or value.startswith(('#', 'data:')), (tag, name, value))
        self.assertNotIn('url(', text)
        self.assertNotIn('<script', text)
        return page, text

    def layers(self, rate, naive=None):
        return [median(f'layers/lenet {name}/{one}', 10 / rate, flops_per_second=rate * 1e9 * (1 + i), **{'pass': one},
                       **({'speedup_over_naive_o3': naive} if naive else {}))
                for one in ('forward', 'backward weights') for i, name in enumerate(('c1', 'c2'))]

    def test_sides(self):
        default = self.results('default.json', self.layers(60, naive=30), policy='default', threads=2, cpu_model='Some <CPU>')
        blas = self.results('blas.json', self.layers(40), policy='blas', blas_name='OpenBLAS')
        others = [{**row, 'run_name': row['run_name'].replace('layers', 'oneDNN best'), 'engine': 'oneDNN 9'}
                  for row in self.layers(10)]
        peer = self.results('peer.json', self.layers(30) + others, policy='default')
        page, text = self.report(default, blas, peer)
        # Over naive loops as measured; over the BLAS across files, 60 to 40; over oneDNN within its own file, 30 to 10.
        big = re.search('<ul class="big">.*?</ul>', text, re.DOTALL).group()
        self.assertEqual(re.findall(r'<b>([\d.]+)&#215;</b> ([^<]*)</li>', big),
                         [('30.0', 'naive -O3'), ('1.50', 'im2col + OpenBLAS'), ('3.00', 'oneDNN best')])
        self.assertIn('Stoa runs 4 passes of layers at 84.9 GFLOP/s (geometric mean)', text)
        titles = [data for tag, data in page.texts if tag == 'h3']
        for title in ('Geometric means', 'forward', 'backward weights', 'peer over oneDNN-best: 3.000 times as fast (geometric mean of 4)'):
            self.assertIn(title, titles)
        self.assertNotIn('backward data', titles)
        # Every number stands in a table too.
        cells = [data for tag, data in page.texts if tag == 'td']
        for number in ('60', '120', '40', '80', '10', '20', '2', '4'):
            self.assertIn(number, cells)
        self.assertIn(('td', 'Some <CPU>'), page.texts)

    def test_rows_that_one_side_lacks(self):
        default = self.results('default.json', self.layers(60) + [median('layers/x y/forward', 1, flops_per_second=1e9)],
                               policy='default')
        blas = self.results('blas.json', self.layers(40), policy='blas')
        text = self.report(default, blas)[1]
        self.assertIn('Stoa runs 4 passes', text)
        self.assertIn('>x y<', text)
        apart = self.results('apart.json', [median('layers/x z/forward', 1, flops_per_second=1e9)], policy='blas')
        self.assertIn('no means to compare', self.report(default, apart)[1])

    def test_two_runs_of_one_policy(self):
        old = self.results('old.json', self.layers(30), policy='default')
        new = self.results('new.json', self.layers(60), policy='default')
        text = self.report(old, new)[1]
        self.assertIn('<b>2.00&#215;</b> Stoa<', text)
        self.assertIn('new over old: 2.000 times as fast (geometric mean of 4)', text)

    def test_results_that_were_wrong_are_named(self):
        wrong = {'name': 'layers/q/forward', 'run_name': 'layers/q/forward', 'error_occurred': True, 'error_message': 'wrong'}
        text = self.report(self.results('some.json', self.layers(5) + [wrong]))[1]
        self.assertIn('some: 1 results were wrong and are left out.', text)

    def test_measured_files(self):
        files = [self.measured(f'{policy}.json', 'layers', '--filter', '^lenet f', '--policy', policy)
                 for policy in ('default', 'blas')]
        page, text = self.report(*files, self.measured('scale.json', 'scale', '--threads', '2', '--filter', 'lenet5'))
        # On a busy machine rows are disturbed and in no mean.
        self.assertRegex(text, 'Stoa runs [1-6] passes|there are no means to compare')
        self.assertIn(('h3', 'scale: speed-up over one thread'), page.texts)
        self.assertIn(('th', 'BLAS core'), page.texts)


if __name__ == '__main__':
    unittest.main()
