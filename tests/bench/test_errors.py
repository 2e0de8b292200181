# SPDX-License-Identifier: MIT
"""The error of every convolution algorithm over the layer list: within its bound, and as documented in src/conv/README.md.

test_errors.py [--filter REGEX | --table]: all layers, those that the expression finds, or the README's table printed."""

import json
import os
import re
import subprocess
import sys
import tempfile

BENCH = os.environ['STOA_BENCH']
README = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'src', 'conv', 'README.md')
PASSES = ('forward', 'backward data', 'backward weights')
BOUNDS = {'winograd2': 2e-6, 'winograd4': 2e-6, 'winograd6': 4e-6}


def largest_errors(arguments):
    """{algorithm: {pass: (largest error, bound, layers)}}"""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'results.json')
        subprocess.run([BENCH, 'layers', '--all-algorithms', '--no-naive', '--repetitions', '1', '--min-time', '0.000001',
                        '--json', path, *arguments], check=True, stdout=subprocess.DEVNULL)
        with open(path, encoding='utf-8') as file:
            rows = json.load(file)['benchmarks']
    errors = {}
    for row in rows:
        if row.get('run_type') == 'iteration' and row['repetition_index'] == 0:
            passes = errors.setdefault(row['algorithm_name'], {})
            error, bound, count = passes.get(row['pass'], (0, row['error_bound'], 0))
            passes[row['pass']] = (max(error, row['error']), bound, count + 1)
    return errors


def documented():
    """{algorithm: [error or None of each pass]} from the README's table."""
    with open(README, encoding='utf-8') as file:
        lines = re.findall(r'^\| `(\w+)` \| (\S+) \| (\S+) \| (\S+) \|$', file.read(), re.MULTILINE)
    return {name: [None if text == '-' else float(text) for text in texts] for name, *texts in lines}


def main(arguments):
    errors = largest_errors(arguments if arguments[:1] == ['--filter'] else [])
    if arguments == ['--table']:
        for name, passes in errors.items():
            print(f'| `{name}` |', ' | '.join(f'{passes[p][0]:.0e}' if p in passes else '-' for p in PASSES), '|')
        return 0
    table = documented()
    wrong = 0
    for name, passes in errors.items():
        for number, which in enumerate(PASSES):
            if which not in passes:
                continue
            error, bound, layers = passes[which]
            expected = BOUNDS.get(name, 1e-6)
            written = table.get(name, [None] * len(PASSES))[number]
            # Other instruction sets and BLAS cores add in another order.
            fits = error <= bound == expected and written is not None and error <= 3 * written
            print(f'{"" if fits else "WRONG "}{name} {which}: {error:.1e} in {layers} layers, bound {bound:.0e}, README {written}')
            wrong += not fits
    if wrong:
        print('The README has a table of these: test_errors.py --table writes one.')
    return 1 if wrong or len(errors) < 3 else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
