# SPDX-License-Identifier: MIT
"""Hold the pages to the recipes that ship: the network that is printed and every accuracy of a recipe are the recipe's own. And
hold the front page to its size. Run: test_figures.py SOURCE_ROOT
"""

import pathlib
import re
import sys

MOST_BYTES = 9 * 1024  # of README.md: a page that is read before a decision, not a manual
REACHES = re.compile(r'^reaches = (([\d.]+) % .*)$', re.MULTILINE)
# A recipe's name and its accuracy in the tables of results, and wherever a sentence says both.
ROWS = (re.compile(r'^\| `([\w-]+)`, test accuracy[^|]*\| mean ([\d.]+) %', re.MULTILINE),
        re.compile(r'^\| [A-E] \| `([\w-]+)` \|[^|]*\| ([\d.]+) \+-', re.MULTILINE))
CELLS = re.compile(r'^\| `([\w-]+)` \|(?:[^|\n]*\|)* ([\d.]+) % \(test, mean', re.MULTILINE)


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
    for path, name, accuracy in found:
        if reached.get(name) != accuracy:
            yield f'{path}: says {accuracy} % for {name}, its recipe {reached.get(name, "does not ship")}'


def main():
    found = list(complaints(pathlib.Path(sys.argv[1])))
    print('\n'.join(found) or 'the pages say what the recipes say')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
