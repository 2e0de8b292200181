# SPDX-License-Identifier: MIT
"""Every source file says its licence on its first line, or behind the line that names its interpreter.

Run: test_licence.py SOURCE_ROOT
"""

import pathlib
import sys

WORDS = 'SPDX-License-Identifier: MIT'
FOLDERS = ('.ci', 'bench', 'data', 'include', 'kernels', 'src', 'tests')
KINDS = {'.c', '.cpp', '.h', '.py', '.sh'}


def sources(root):
    """Files of the tree that are programs; what a build or a tool leaves there is none."""
    yield root / 'meson.build'
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob('*')):
            if path.is_file() and (path.suffix in KINDS or path.name == 'meson.build') and '__pycache__' not in path.parts:
                yield path


def says_licence(path):
    lines = path.read_text(encoding='utf-8').split('\n', 2)
    line = lines[1] if lines[0].startswith('#!') and len(lines) > 1 else lines[0]
    return line in (f'/* {WORDS} */', f'# {WORDS}')


def main(root):
    files = list(sources(pathlib.Path(root)))
    wrong = [path for path in files if not says_licence(path)]
    for path in wrong:
        print(f'{path}: expected "{WORDS}" on its first line')
    print(f'{len(files)} files, {len(wrong)} without their licence')
    return 1 if wrong or len(files) < 300 else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
