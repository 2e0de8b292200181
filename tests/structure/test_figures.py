# SPDX-License-Identifier: MIT
"""Hold every figure of the pages to its source. The network that is printed and every accuracy of a recipe are the recipe's own,
whether a person wrote it or a kept measurement says it; the page of results has no figure beside its tables, which the test
`results` compares with what was measured; what the front page says of a minute and of an accuracy is so by those. And the
front page is held to its size. Run: test_figures.py SOURCE_ROOT
"""

import json
import pathlib
import re
import sys

MOST_BYTES = 9 * 1024  # of README.md: a page that is read before a decision, not a manual
REACHES = re.compile(r'^reaches = (([\d.]+) % .*)$', re.MULTILINE)
# A recipe's name and its accuracy in the tables of results, and wherever a sentence says both.
ROWS = (re.compile(r'^\| `([\w-]+)` \| \d+ \| ([\d.]+) % \|', re.MULTILINE),
        re.compile(r'^\| [A-E] \| `([\w-]+)` \|[^|]*\| ([\d.]+) \+-', re.MULTILINE))
CELLS = re.compile(r'^\| `([\w-]+)` \|(?:[^|\n]*\|)* ([\d.]+) % \(test, mean', re.MULTILINE)


# What a measurement is said in, and what of a page is not a sentence of its author.
FIGURE = re.compile(r'(?<![\w.-])\d[\d,.]*(?:\s|-)?(?:%|times\b|GFLOP/s|[unm]?s\b(?!\.e)|images/s|[KMG]iB|seconds?\b|minutes?\b|min\b)')
MADE = re.compile(r'^<!-- made: .*?^<!-- end -->$|^```.*?^```$', re.MULTILINE | re.DOTALL)
FRONT = re.compile(r'gets over ([\d.]+) % right')


def loose_figures(root):
    """Figures of the page of results that stand in no table that is made."""
    text = MADE.sub(lambda found: '\n' * found[0].count('\n'), (root / 'bench' / 'RESULTS.md').read_text(encoding='utf-8'))
    for number, line in enumerate(text.split('\n'), 1):
        for found in FIGURE.findall(line):
            yield f'bench/RESULTS.md:{number}: found "{found}", expected figures in tables that bench/results.py makes'


def front_page(root, reached):
    """The two figures of the front page's own sentences."""
    text = ' '.join((root / 'README.md').read_text(encoding='utf-8').split())
    said = FRONT.search(text)
    if not said or not float(said[1]) < float(reached['mnist-cnn']):
        yield f"README.md: says over {said and said[1]} % for mnist-cnn, its recipe {reached['mnist-cnn']}"
    kept = root / 'bench' / 'results' / 'quickstart.json'
    if kept.exists() and 'ends in about a minute' in text:
        seconds = json.loads(kept.read_text(encoding='utf-8'))['seconds']
        if seconds > 75:
            yield f'README.md: says about a minute for ./quickstart, bench/results/quickstart.json {seconds:.0f} s'


def printed(page, name):
    """The lines of the INI block behind the sentence that says it is all of the recipe, or None."""
    found = re.search(rf'This is all of `{name}` but its comments:\n\n```ini\n(.*?)\n```', page, re.DOTALL)
    return found and found.group(1).split('\n')


def without_comments(recipe):
    lines = [line for line in recipe.split('\n') if not line.startswith('#')]
    return '\n'.join(lines).strip('\n').split('\n')


def pages(root):
    for path in sorted(root.rglob('*.md')):
        if not path.relative_to(root).parts[0].startswith(('build', '.', 'subprojects', 'runs')):
            yield path.relative_to(root), path.read_text(encoding='utf-8')


def complaints(root):
    recipes = {path.stem: path.read_text(encoding='utf-8') for path in (root / 'data' / 'recipes').glob('*.ini')}
    reached = {name: REACHES.search(text)[2] for name, text in recipes.items()}
    page = (root / 'data' / 'recipes' / 'README.md').read_text(encoding='utf-8')
    if printed(page, 'lenet5') != without_comments(recipes['lenet5']):
        yield 'data/recipes/README.md: lenet5 is not data/recipes/lenet5.ini without its comments'
    size = (root / 'README.md').stat().st_size
    if size > MOST_BYTES:
        yield f'README.md: found {size} bytes, expected at most {MOST_BYTES}'
    found = [(str(path), *pair) for path, text in pages(root) for row in (*ROWS, CELLS) for pair in row.findall(text)]
    for path in ('README.md', 'bench/RESULTS.md', 'data/recipes/README.md'):
        if path not in (place for place, _, _ in found):
            yield f'{path}: found no accuracy of a recipe, expected a row like those that this test knows'
    yield from loose_figures(root)
    yield from front_page(root, reached)
    for path, name, accuracy in found:
        if reached.get(name) != accuracy:
            yield f'{path}: says {accuracy} % for {name}, its recipe {reached.get(name, "does not ship")}'


def main():
    found = list(complaints(pathlib.Path(sys.argv[1])))
    print('\n'.join(found) or 'the pages say what the recipes say')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
