# SPDX-License-Identifier: MIT
"""The page of `stoa-bench report` in Chromium: it asks for nothing, says nothing, and is read in both themes and on a telephone.

Run by meson with STOA_BENCH; skipped (exit 77) where there is no Chromium. With STOA_SCREENSHOTS=FOLDER pictures are left there.
Python's standard library only."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'report'))
from browser import Browser, find  # noqa: E402
from test_browser import BEYOND, CONTRAST  # noqa: E402

BENCH = os.environ['STOA_BENCH']
LAYERS = [f'{network} {layer}' for network in ('lenet', 'alexnet', 'resnet 3x3', 'a network of a longer name') for layer in ('c1', 'c2', 'c3')]
PASSES = ('forward', 'backward data', 'backward weights')


def results(rate, policy, other=None, naive=None):
    """A file of layers; `other` is how fast another engine is beside them, `naive` how much slower naive loops are."""
    rows = []
    for i, layer in enumerate(LAYERS):
        for one in PASSES:
            for name, speed in (('layers', rate), ('oneDNN best', other)):
                flops = 1e9 * (speed or 0) * (1 + i % 5)
                row = {'run_name': f'{name}/{layer}/{one}', 'run_type': 'aggregate', 'aggregate_name': 'median', 'pass': one,
                       'time_unit': 's', 'real_time': 1e9 / flops if flops else 0, 'flops_per_second': flops, 'flops': 1e9,
                       'bytes': 1e9 / (2 + 7 * i)}
                if naive and name == 'layers':
                    row.update({f'speedup_over_naive_{kind}': naive / factor for kind, factor in (('o2', 0.5), ('o3', 1), ('best', 3))})
                if name != 'layers':
                    row['engine'] = 'oneDNN 9'
                rows += [row] if speed else []
    context = {'cpu_model': 'a CPU', 'threads': 2, 'policy': policy, 'blas_name': 'OpenBLAS', 'fma_flops_per_second': 6e11,
               'memory_bytes_per_second': 8e10, 'compiler': 'gcc 12', 'commit': 'abc', 'date': '2026-01-01T00:00:00+0000'}
    return {'context': context, 'benchmarks': rows}


class InBrowser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.browser = Browser(find())
        cls.folder = tempfile.TemporaryDirectory()
        files = {'stoa': results(100, 'default', naive=40), 'blas': results(80, 'blas'), 'onednn': results(95, 'default', other=70)}
        for name, content in files.items():
            (pathlib.Path(cls.folder.name) / f'{name}.json').write_text(json.dumps(content), encoding='utf-8')
        cls.page = f'{cls.folder.name}/page.html'
        subprocess.run([BENCH, 'report', *(f'{cls.folder.name}/{name}.json' for name in files), '--out', cls.page],
                       check=True, stdout=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        cls.browser.close()
        cls.folder.cleanup()

    def open(self, width, theme):
        self.browser.theme(theme)
        self.browser.size(width)
        self.browser.open(self.page)
        self.assertEqual(self.browser.requests(), [f'file://{self.page}'])
        self.assertEqual(self.browser.complaints(), [])
        pictures = os.environ.get('STOA_SCREENSHOTS') or self.folder.name
        self.browser.screenshot(f'{pictures}/bench-{theme}-{width}.png')

    def test_what_is_read_first(self):
        self.open(1280, 'light')
        numbers = self.browser.evaluate("[...document.querySelectorAll('.big li')].map((e) => e.textContent)")
        self.assertEqual(numbers, ['80.0× naive -O2', '40.0× naive -O3', '13.3× naive -O3, best order', '1.25× im2col + OpenBLAS',
                                   '1.36× oneDNN best'])
        # Numbers and the chart of means stand above the fold.
        places = self.browser.evaluate("[document.querySelector('.big'), document.querySelector('figure svg .s1')]"
                                       ".map((e) => e.getBoundingClientRect().bottom)")
        self.assertTrue(all(0 < place < 800 for place in places), places)
        # 1 to 5 times 100 GFLOP/s over the layers: 28800 ** (1 / 12) = 2.353 times.
        bars = self.browser.evaluate("[...document.querySelectorAll('figure')[0].querySelectorAll('rect > title')].map((e) => e.textContent)")
        self.assertEqual(bars[:6], ['naive -O2 2.94', 'naive -O3 5.88', 'naive -O3, best order 17.6', 'im2col + OpenBLAS 188', 'Stoa 235',
                                    'oneDNN best 165'])

    def test_themes_and_widths(self):
        ink = {}
        for theme in ('light', 'dark'):
            for width in (1280, 400):
                self.open(width, theme)
                found = self.browser.evaluate(CONTRAST)
                self.assertGreater(found['count'], 300)
                self.assertEqual(found['faults'], [])
                self.assertEqual(self.browser.evaluate(BEYOND), [])
                self.assertLessEqual(self.browser.evaluate("document.documentElement.scrollWidth"), width)
                smallest = self.browser.evaluate("Math.min(...[...document.querySelectorAll('svg text')].map("
                                                 "(e) => e.getBoundingClientRect().height))")
                self.assertGreater(smallest, 9)
            ink[theme] = self.browser.evaluate("getComputedStyle(document.querySelector('svg .s1')).fill")
        self.assertNotEqual(ink['light'], ink['dark'])

    def test_every_figure_has_its_numbers(self):
        self.open(1280, 'light')
        found = self.browser.evaluate("[...document.querySelectorAll('figure')].map((f) => [f.querySelector('svg title').textContent,"
                                      "f.querySelectorAll('details td').length, f.querySelector('svg').getBoundingClientRect().height])")
        self.assertGreaterEqual(len(found), 7)
        for title, cells, height in found:
            self.assertGreater(cells, 4, title)
            self.assertGreater(height, 100, title)


if __name__ == '__main__':
    if not find():
        print('no Chromium')
        sys.exit(77)
    unittest.main()
