# SPDX-License-Identifier: MIT
"""Hold the README to the recipes that ship: the network it prints and the accuracies it names are theirs.

Run: test_readme.py SOURCE_ROOT
"""

import pathlib
import re
import sys

# A recipe's name and its accuracy, in the table of results and in that of the five systems.
ROWS = (re.compile(r'^\| `([\w-]+)`, test accuracy[^|]*\| mean ([\d.]+) %', re.MULTILINE),
        re.compile(r'^\| [A-E] \| `([\w-]+)` \|[^|]*\| ([\d.]+) \+-', re.MULTILINE))
REACHES = re.compile(r'^reaches = ([\d.]+) % \(test, mean of', re.MULTILINE)


def printed(readme, name):
    """The lines of the INI block behind the sentence that says it is all of the recipe, or None."""
    found = re.search(r'This is all of `%s` but its comments:\n\n```ini\n(.*?)\n```' % name, readme, re.DOTALL)
    return found and found.group(1).split('\n')


def without_comments(recipe):
    lines = [line for line in recipe.split('\n') if not line.startswith('#')]
    return '\n'.join(lines).strip('\n').split('\n')


def complaints(root):
    readme = (root / 'README.md').read_text(encoding='utf-8')
    recipes = {path.stem: path.read_text(encoding='utf-8') for path in (root / 'data' / 'recipes').glob('*.ini')}
    if printed(readme, 'lenet5') != without_comments(recipes['lenet5']):
        yield "README's lenet5 is not data/recipes/lenet5.ini without its comments"
    for row in ROWS:
        if not row.search(readme):
            yield f'README has no row of a test accuracy like {row.pattern}'
    for name, accuracy in (pair for row in ROWS for pair in row.findall(readme)):
        reached = REACHES.search(recipes[name])
        if not reached or reached.group(1) != accuracy:
            yield f'README says {accuracy} % for {name}, its recipe {reached.group(1) if reached else "nothing"}'


def main():
    found = list(complaints(pathlib.Path(sys.argv[1])))
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main())
