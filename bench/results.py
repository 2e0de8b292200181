#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tables of bench/RESULTS.md, made from what stoa-bench wrote.

results.py keep NAME FILE.json COMMAND   keep the medians of a file of stoa-bench as bench/results/NAME.json, with the command
results.py [--check]                     make the tables anew that stand between the marks `made: NAME` and `end`; with --check
                                         nothing is written, and a table that would change fails

A file of `layers` becomes a table of naive loops, the BLAS and Stoa, by group and pass, and one with --peer a table of ratios.
"""

import json
import math
import pathlib
import re
import sys
import textwrap

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE / 'RESULTS.md'
MARK = re.compile(r'^(<!-- made: (\w+) -->\n).*?(?=^<!-- end -->$)', re.MULTILINE | re.DOTALL)
CONTEXT = ('date', 'cpu_model', 'num_cpus', 'isa', 'threads', 'policy', 'tuning', 'tuning_sum', 'blas_version', 'blas_core',
           'compiler', 'commit', 'stoa_version', 'fma_flops_per_second', 'core_latency_before_ns', 'core_latency_after_ns', 'layers',
           'peer')
ROW = ('name', 'run_name', 'run_type', 'aggregate_name', 'real_time', 'cpu_time', 'time_unit', 'threads', 'flops',
       'flops_per_second', 'speedup_over_naive_best', 'blas_over_naive_best', 'speedup_over_blas',
       'ratio_to_peer_best', 'ratio_to_peer_plain', 'layer', 'pass', 'shape', 'algorithm', 'engine', 'verified')


def rounded(value):
    if isinstance(value, float) and math.isfinite(value):
        return float(f'{value:.5g}')
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list) else value


def keep(name, path, command):
    results = json.loads(pathlib.Path(path).read_text(encoding='utf-8'))
    context = {key: rounded(results['context'][key]) for key in CONTEXT if key in results['context']}
    rows = [{key: rounded(row[key]) for key in ROW if key in row} for row in results['benchmarks']
            if row.get('aggregate_name') == 'median']
    if not rows:
        sys.exit(f'{path}: found no medians, expected a file that stoa-bench wrote with --json')
    kept = {'command': command, 'context': context, 'benchmarks': rows}
    (HERE / 'results').mkdir(exist_ok=True)
    text = json.dumps({**kept, 'benchmarks': []}, indent=1)[:-4]
    text += '[\n  ' + ',\n  '.join(json.dumps(row) for row in rows) + '\n ]\n}\n'
    (HERE / 'results' / f'{name}.json').write_text(text, encoding='utf-8')


def table(heads, rows):
    lines = ['| ' + ' | '.join(heads) + ' |', '|---|' + '--:|' * (len(heads) - 1)]
    return '\n'.join(lines + ['| ' + ' | '.join(row) + ' |' for row in rows]) + '\n'


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def rate(flops):
    return f'{flops / 1e9:.3g}' if flops else '-'


def steps(results):
    rows = []
    for step in sorted(results['context']['layers'], key=lambda step: step['group'] == 'all'):
        over = step.get('speedup_over_blas') or {}
        lowest = f"{over['lowest']:.2f} ({over['lowest_row']})" if over.get('rows') else '-'
        naive, blas, engine = (step.get(f'{key}_flops_per_second') for key in ('naive', 'blas', 'engine'))
        rows.append((f"{step['group']}, {step['pass']}", rate(naive), rate(blas), rate(engine),
                     f"{over['geometric_mean']:.2f}" if over.get('rows') else '-', lowest))
    return table(('layers and pass', 'naive', 'im2col + BLAS', 'default', 'default / BLAS', 'lowest'), rows)


def peer(results):
    rows = []
    for line in results['context']['peer']['ratios']:
        if line['best'].get('rows'):
            best, plain = line['best'], line['plain']
            rows.append((line['rows_of'], str(best['rows']), f"{best['geometric_mean']:.2f}",
                         f"{best['lowest']:.2f} ({best['lowest_row']})",
                         f"{plain['geometric_mean']:.2f}" if plain.get('rows') else '-'))
    return table(('rows of', 'rows', 'best', 'lowest row', 'plain'), rows)


def made(name):
    path = HERE / 'results' / f'{name}.json'
    if not path.exists():
        sys.exit(f'{PAGE.name}: found the mark "made: {name}", expected a file {path.relative_to(HERE)}')
    results = json.loads(path.read_text(encoding='utf-8'))
    context = results['context']
    kind = peer if context.get('peer') else steps
    machine = (f"{context['cpu_model']}, {context['isa']}, {context['threads']} threads, table {context.get('tuning', 'unknown')}; "
               f"{context['blas_version'].split(' NO_')[0]}, core {context['blas_core']}; {context['compiler']}; "
               f"commit {context['commit'].removesuffix('-dirty')[:8]}, {context['date'][:10]}; the CPUs were "
               f"{context['core_latency_before_ns']:.0f} ns apart before and {context['core_latency_after_ns']:.0f} ns after.")
    return '\n\n'.join((f"```\n{results['command']}\n```", textwrap.fill(machine, 110), kind(results)))


def main(arguments):
    if arguments[:1] == ['keep'] and len(arguments) == 4:
        keep(*arguments[1:])
        return 0
    if arguments not in ([], ['--check']):
        print(__doc__, file=sys.stderr)
        return 2
    old = PAGE.read_text(encoding='utf-8')
    new, count = MARK.subn(lambda found: found[1] + '\n' + made(found[2]) + '\n', old)
    if count == 0:
        sys.exit(f'{PAGE.name}: found no mark "made: NAME", expected at least one')
    if arguments and new != old:
        sys.exit(f'{PAGE.name}: not what bench/results says; run bench/results.py')
    PAGE.write_text(new, encoding='utf-8')
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
