# SPDX-License-Identifier: MIT
"""Drawings of every kind, parsed: well-formed, named for who cannot see them, inside their frames, their numbers as text.

Run: test_drawings.py GALLERY
"""

import base64
import math
import pathlib
import re
import struct
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree
import zlib

SVG = '{http://www.w3.org/2000/svg}'
KINDS = ['lines', 'bars', 'ratios', 'roofline', 'matrix', 'tiles', 'blocks']
HOSTILE = '<i>"&\'\ufffd\ufffd[31m\ufffd\ufffd]]>--><!-- €'


def png_pixels(data):
    """Width, height, channels and bytes of a PNG without interlacing."""
    assert data[:8] == b'\x89PNG\r\n\x1a\n', data[:8]
    at, packed, head = 8, b'', None
    while at < len(data):
        length, kind = struct.unpack('>I4s', data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        head = struct.unpack('>IIBBBBB', body) if kind == b'IHDR' else head
        packed += body if kind == b'IDAT' else b''
        at += 12 + length
    width, height, depth, colour = head[:4]
    channels = {0: 1, 2: 3}[colour]
    assert depth == 8 and head[6] == 0
    raw, step = zlib.decompress(packed), width * channels
    rows, before = [], bytes(step)
    for row in range(height):
        kind, line = raw[row * (step + 1)], bytearray(raw[row * (step + 1) + 1:(row + 1) * (step + 1)])
        for i in range(step):
            left = line[i - channels] if i >= channels else 0
            corner = before[i - channels] if i >= channels else 0
            guess = left + before[i] - corner
            paeth = min((left, before[i], corner), key=lambda value, guess=guess: abs(guess - value))
            line[i] = (line[i] + (0, left, before[i], (left + before[i]) // 2, paeth)[kind]) & 255
        rows.append(bytes(line))
        before = bytes(line)
    return width, height, channels, b''.join(rows)


class Drawings(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        subprocess.run([GALLERY, cls.folder.name], check=True)
        cls.roots = {kind: xml.etree.ElementTree.parse(pathlib.Path(cls.folder.name) / f'{kind}.svg').getroot()
                     for kind in KINDS}
        cls.page = (pathlib.Path(cls.folder.name) / 'page.html').read_text(encoding='utf-8')

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_names_for_who_cannot_see(self):
        for kind, root in self.roots.items():
            title, about = root.find(f'{SVG}title'), root.find(f'{SVG}desc')
            self.assertEqual((root.get('role'), root.get('aria-labelledby')), ('img', f'{kind}-title {kind}-about'))
            self.assertEqual((title.get('id'), about.get('id')), (f'{kind}-title', f'{kind}-about'))
            self.assertTrue(title.text.strip() and about.text.strip(), kind)
            self.assertNotRegex(about.text, 'nan|inf|null')
        self.assertEqual(self.roots['lines'].find(f'{SVG}title').text, f'Loss of {HOSTILE}')
        self.assertEqual(self.roots['bars'].find(f'{SVG}desc').text, HOSTILE)
        self.assertIn('largest beside it: 12', self.roots['matrix'].find(f'{SVG}desc').text)
        self.assertIn(f'{HOSTILE} as dog', self.roots['matrix'].find(f'{SVG}desc').text)

    def test_inside_the_frame(self):
        for kind, root in self.roots.items():
            left, top, width, height = map(float, root.get('viewBox').split())
            self.assertEqual((left, top), (0, 0))
            self.assertTrue(100 <= width <= 1000 and 50 <= height <= 2000, kind)
            for element in root.iter():
                for x, y in (('x', 'y'), ('cx', 'cy')):
                    if element.get(x) is not None and 'transform' not in element.attrib:
                        self.assertTrue(-1 <= float(element.get(x)) <= width + 1, (kind, element.attrib))
                        self.assertTrue(-1 <= float(element.get(y)) <= height + 1, (kind, element.attrib))
                for key in ('width', 'height', 'r'):
                    self.assertTrue(math.isfinite(float(element.get(key, 0))) and float(element.get(key, 0)) >= 0)
                if element.get('d'):
                    self.assertRegex(element.get('d'), r'^[MLHVZhvlz0-9. -]+$')

    def test_texts_have_room(self):
        for kind, root in self.roots.items():
            width = float(root.get('viewBox').split()[2])
            for text in root.iter(f'{SVG}text'):
                # Helvetica's letters are about half as wide as high on average; what does not fit is cut.
                words, names = text.text or '', text.get('class', '').split()
                least = 0.42 * (11 if 'v' in names or 'w' in names else 13) * len(words)
                x = float(text.get('x'))
                begin = x - least if 'e' in names else x - least / 2 if 'm' in names else x
                if 'transform' not in text.attrib:
                    self.assertTrue(begin >= -2 and begin + least <= width + 2, (kind, words, begin, least))
                cut = text.find(f'{SVG}title')
                self.assertEqual(words.endswith('…'), cut is not None, (kind, words))
                if cut is not None:
                    self.assertTrue(cut.text.startswith(words[:-1]))
        wholes = [cut.text for cut in self.roots['lines'].iterfind(f'{SVG}text/{SVG}title')]
        self.assertEqual([text for text in wholes if text.startswith('a name that is')],
                         ['a name that is a good deal longer than the drawing is wide, so that it has to be cut somewhere'])

    def test_one_drawing_for_both_themes(self):
        for kind, root in self.roots.items():
            style = root.find(f'{SVG}style').text
            self.assertIn('prefers-color-scheme:dark', style)
            drawn = ''.join(xml.etree.ElementTree.tostring(child, encoding='unicode') for child in root
                            if child.tag != f'{SVG}style')
            self.assertNotRegex(drawn, r'(fill|stroke)="#|rgb\(', kind)
            used = set(re.findall(r'class="(?:[a-z]+ )?(s\d)', drawn))
            self.assertEqual([name for name in used if f'.{name}{{' not in style], [])

    def test_colours_stand_out(self):
        """At least 3 to 1 from the background (WCAG 2.1, 1.4.11), texts 4.5 to 1, in both themes."""
        style = self.roots['lines'].find(f'{SVG}style').text

        def light(colour):
            digits = colour * 2 if len(colour) == 3 else colour
            digits = ''.join(c * 2 for c in colour) if len(colour) == 3 else digits
            parts = [int(digits[i:i + 2], 16) / 255 for i in (0, 2, 4)]
            linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
            return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

        themes = re.findall(r'color-scheme:\w+;([^}]*)', style)
        self.assertEqual(len(themes), 3)
        for theme in themes:
            colours = dict(re.findall(r'--(\w+):#([0-9a-f]+)', theme))
            for back in ('bg', 'panel'):
                for name, least in [(f's{i}', 3) for i in range(1, 9)] + [('ink', 4.5), ('dim', 4.5), ('heat', 3), ('wrong', 3)]:
                    low, high = sorted((light(colours[name]), light(colours[back])))
                    self.assertGreaterEqual((high + 0.05) / (low + 0.05), least, (name, back))

    def test_bars_are_as_long_as_their_numbers(self):
        root = self.roots['bars']
        bars = [rect for rect in root.iter(f'{SVG}rect') if rect.find(f'{SVG}title') is not None]
        lengths = {}
        for rect in bars:
            number = float(rect.find(f'{SVG}title').text.rsplit(' ', 1)[1])
            lengths[number] = float(rect.get('width'))
        self.assertEqual(sorted(lengths), [0.25, 1, 1.5, 2.5, 4, 30, 71])
        for number in (30, 4):
            self.assertAlmostEqual(lengths[number] / lengths[71], number / 71, delta=0.01)
        left = [float(rect.get('x')) for rect in self.roots['ratios'].iter(f'{SVG}rect')
                if rect.find(f'{SVG}title') is not None]
        base = max(left)
        self.assertEqual(sum(x < base - 1 for x in left), 1)  # only 0.25 lies below 1

    def test_pictures(self):
        images = [image.get('href').split(',', 1) for image in self.roots['tiles'].iter(f'{SVG}image')]
        self.assertEqual([head for head, _ in images], ['data:image/png;base64'] * 3)
        pixels = [png_pixels(base64.b64decode(data, validate=True)) for _, data in images]
        self.assertEqual(pixels, [(3, 2, 1, bytes([0, 255, 128, 64, 32, 16])), (2, 1, 3, bytes([255, 0, 0, 0, 255, 0])),
                                  (1, 6, 1, bytes([0, 255, 128, 64, 32, 16]))])

    def test_page(self):
        body = self.page.split('</head>', 1)[1].rsplit('</html>', 1)[0]
        root = xml.etree.ElementTree.fromstring(body)
        self.assertNotIn('<script', self.page)
        self.assertEqual(re.findall(r'(?:src|href)="(?!data:|#)', self.page), [])
        figures = list(root.iter('figure'))
        self.assertEqual([figure.get('id') for figure in figures], [f'{kind}-figure' for kind in KINDS])
        for figure in figures:
            self.assertIsNotNone(figure.find(f'{SVG}svg'))
            table = figure.find('details').find('.//table')
            self.assertIsNotNone(table.find('caption'))
            widths = {len(list(row)) for row in table.iter('tr')}
            self.assertEqual(len(widths), 1, figure.get('id'))
        ids = [element.get('id') for element in root.iter() if element.get('id')]
        self.assertEqual(len(ids), len(set(ids)))
        cells = [''.join(cell.itertext()) for cell in figures[1].iter('td')]
        self.assertEqual([number for number in ('1.500', '30', '2.500', '71', '0.2500', '1', '4') if number not in cells], [])
        self.assertEqual(self.page.count('<i>'), 0)
        for scroll in (element for element in root.iter('div') if element.get('class') == 'scroll'):
            self.assertEqual((scroll.get('tabindex'), scroll.get('role')), ('0', 'region'))
            self.assertTrue(scroll.get('aria-label'))


if __name__ == '__main__':
    GALLERY = sys.argv.pop()
    unittest.main()
