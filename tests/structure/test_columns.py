# SPDX-License-Identifier: MIT
"""No line of the tree's sources is longer than 110 columns, so that two stand side by side and a page shows one whole.

Run: test_columns.py SOURCE_ROOT. C and headers, the build's files, recipes and lists; of pages what is no table, block or link.
"""

import pathlib
import re
import sys

MOST = 110
SUFFIXES = {'.c', '.h', '.cpp', '.ini', '.list', '.tuning', '.md'}
TOPS = ('bench', 'data', 'include', 'kernels', 'src', 'tests')


def prose(text):
    """A page with empty lines for its tables and blocks, and for lines that are one link or word and cannot be cut."""
    blocks = re.sub(r'^```.*?^```$', lambda found: '\n' * found[0].count('\n'), text, flags=re.MULTILINE | re.DOTALL)
    return re.sub(r'^(\|.*|<!--.*-->|\S+)$', '', blocks, flags=re.MULTILINE)


def main(root):
    paths = [path for path in sorted(root.iterdir()) if path.is_file() and path.name != 'CHANGELOG.md']
    paths += [path for top in TOPS for path in sorted((root / top).rglob('*'))]
    found, count = [], 0
    for path in paths:
        if path.suffix in SUFFIXES and path.is_file() and 'mnist' not in path.parts:
            text = path.read_text(encoding='utf-8')
            count += 1
            for number, line in enumerate((prose(text) if path.suffix == '.md' else text).split('\n'), 1):
                if len(line) > MOST:
                    found.append(f'{path.relative_to(root)}:{number}: found {len(line)} columns, expected at most {MOST}')
    print('\n'.join(found) or f'{count} files within {MOST} columns')
    return bool(found) or count == 0


sys.exit(main(pathlib.Path(sys.argv[1])))
