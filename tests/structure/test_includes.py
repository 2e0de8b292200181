# SPDX-License-Identifier: MIT
"""Check every include line against the floors of the house.

A file includes its own floor, lower floors and public headers. Includes are written "floor/file.h". Operators never
include each other, the command and src/report know public headers only, and cblas belongs to src/blas alone.
Run: test_includes.py SOURCE_ROOT
"""

import pathlib
import re
import sys

FLOORS = {
    'base': 0, 'kernels': 1, 'blas': 2, 'core': 3, 'product': 4, 'conv': 5, 'ops': 6, 'model': 7, 'data': 7,
    'train': 8, 'onnx': 9, 'recipe': 9, 'ccode': 9, 'report': 9, 'cli': 10, 'package': 10,
}
GENERATED = {'core/tuning_files.h', 'onnx/onnx.pb-c.h', 'ops/ops_list.h', 'train/train_list.h'}
# Headers that operators share; each other header or source in ops belongs to one operator.
OPS_SHARED = {'ops/op.h', 'ops/axis.h', 'ops/block_sums.h', 'ops/class_loss.h', 'ops/combine.h', 'ops/conv_layer.h',
              'ops/depth_space.h', 'ops/map.h', 'ops/operand.h', 'ops/row_loss.h', 'ops/unary.h', 'ops/window.h', 'ops/pool.h', 'ops/ops_list.h'}
ONLY_IN = {'cblas.h': 'blas', 'omp.h': None, 'dlfcn.h': 'blas', 'inih': 'recipe', 'ini.h': 'recipe', 'png.h': 'data',
           'zlib.h': 'data'}
# Drawing code may write pictures, and reads no data; the file of a training's state has a checksum.
ALSO_IN = {'png.h': 'report', 'zlib.h': 'model'}
# What the library's public headers may take from the system: the C library.
LIBC = {'stdbool.h', 'stddef.h', 'stdint.h'}
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.MULTILINE)


def floor_of(root, path):
    parts = path.relative_to(root).parts
    return parts[1] if parts[0] == 'src' else parts[0]


def check_quoted(root, path, floor, name):
    """The complaint about `#include "name"` in a file of a floor, or None."""
    target = name.split('/')[0]
    if '/' not in name or target not in FLOORS:
        return 'expected "floor/file.h"'
    if name not in GENERATED and not (root / 'src' / name).is_file() and not (root / name).is_file():
        return 'no such file'
    if floor == 'cli' and target not in ('cli', 'report'):
        return 'the command knows public headers only, and what draws'
    if floor == 'report' and target != 'report':
        return 'what draws knows public headers only'
    if target != floor and FLOORS[target] >= FLOORS[floor]:
        return f'floor {floor} ({FLOORS[floor]}) may not know floor {target} ({FLOORS[target]})'
    own = f'{floor}/{path.stem}.h'
    if floor == 'ops' and target == 'ops' and name not in OPS_SHARED and name != own and path.name != 'stateless.c':
        if not path.stem.startswith('stateless'):
            return 'operators never include each other'
    return None


def check_angled(floor, name):
    if name.startswith('stoa/'):
        return None
    owner = ONLY_IN.get(name, floor)
    return None if floor in (owner, ALSO_IN.get(name)) else f'only {owner or "nobody"} may know it'


def check_public(name, quote):
    if quote == '<':
        return None if name in LIBC else 'public headers take only ' + ', '.join(sorted(LIBC))
    return None if '/' not in name else 'public headers name each other without a folder'


def main(root):
    root = pathlib.Path(root)
    sources = [p for folder in ('src', 'kernels') for p in sorted((root / folder).rglob('*.[ch]'))]
    headers = sorted((root / 'include' / 'stoa').glob('*.h'))
    complaints = []
    lines = 0
    for path in sources + headers:
        for quote, name in INCLUDE.findall(path.read_text(encoding='utf-8')):
            lines += 1
            if path in headers:
                complaint = check_public(name, quote)
            elif quote == '"':
                complaint = check_quoted(root, path, floor_of(root, path), name)
            else:
                complaint = check_angled(floor_of(root, path), name)
            if complaint:
                complaints.append(f'{path.relative_to(root)}: {name}: {complaint}')
    print('\n'.join(complaints))
    print(f'{lines} include lines of {len(sources) + len(headers)} files, {len(complaints)} against the rules')
    return 1 if complaints or lines == 0 else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))
