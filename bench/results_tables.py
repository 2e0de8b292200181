# SPDX-License-Identifier: MIT
"""Tables of Markdown from results of stoa-bench, one kind for each of its modes: what they need of a file, and how they look."""

import math
import statistics

CONTEXT = ('date', 'cpu_model', 'num_cpus', 'isa', 'threads', 'policy', 'tuning', 'tuning_sum', 'blas_version', 'blas_core',
           'compiler', 'commit', 'stoa_version', 'fma_flops_per_second', 'core_latency_before_ns', 'core_latency_after_ns')
ROW = ('name', 'run_name', 'run_type', 'aggregate_name', 'real_time', 'time_unit', 'threads', 'flops_per_second', 'disturbed',
       'speedup_over_naive_best', 'blas_over_naive_best', 'speedup_over_blas', 'share_of_fma_limit', 'share_of_sgemm_peak',
       'ratio_to_peer_best', 'ratio_to_peer_plain', 'layer', 'pass', 'shape', 'algorithm', 'engine', 'beside',  # layers
       'batch', 'items_per_second', 'ratio_to_peer', 'peer', 'peer_way', 'peer_items_per_second', 'resident_peak_bytes',
       'peer_resident_peak_bytes', 'plan_bytes', 'recipe',  # train
       'network', 'caches', 'ratio_to_stoa', 'p99_seconds',  # latency
       'target', 'share_at_target', 'test_accuracy', 'training_seconds',  # accuracy
       'system', 'verdict', 'splits', 'others_share', 'test_accuracy_percent', 'train_accuracy_percent', 'test_loss',
       'figure_test_accuracy_percent', 'figure_train_accuracy_percent', 'figure_test_loss', 'figure_items_per_second')  # seeds
PASSES = ('forward', 'backward data', 'backward weights')


def rounded(value):
    if isinstance(value, float) and math.isfinite(value):
        return float(f'{value:.5g}')
    if isinstance(value, dict):
        return {key: rounded(part) for key, part in value.items()}
    return [rounded(part) for part in value] if isinstance(value, list) else value


def wanted(rows):
    """Medians; of seeds, whose every run counts, the runs themselves."""
    found = []
    for row in rows:
        run = row['run_type'] == 'iteration' and row['run_name'].split('/')[0] in ('seeds', 'accuracy')
        if run or (row.get('aggregate_name') == 'median' and not row['run_name'].startswith(('seeds/', 'accuracy/'))):
            found.append({key: rounded(row[key]) for key in ROW if key in row})
            found[-1]['name'] += f"/{row['repetition_index']}" if run else ''
    return found


def table(heads, rows):
    lines = ['| ' + ' | '.join(heads) + ' |', '|---|' + '--:|' * (len(heads) - 1)]
    return '\n'.join(lines + ['| ' + ' | '.join(map(str, row)) + ' |' for row in rows]) + '\n'


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def said(value, form, unit=''):
    return f'{value:{form}}{unit}' if value is not None and math.isfinite(value) else '-'


def rate(flops):
    return said(flops / 1e9, '.3g') if flops else '-'


def grouped(values, key):
    """Lists by key, in the order in which the keys come."""
    groups = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return groups


def counted(rows):
    """Rows that nothing disturbed."""
    return [row for row in rows if not row.get('disturbed')]


def left_out(rows):
    count = sum(bool(row.get('disturbed')) for row in rows)
    return f'\nRows that something disturbed, {count} of {len(rows)}, are in no mean.\n' if count else ''


def group_of(row):
    """All but the last word of a layer's name."""
    return row['layer'].rsplit(' ', 1)[0]


def passes_of(rows):
    return [which for which in PASSES if any(row['pass'] == which for row in rows)]


def lowest(rows, key):
    least = min(rows, key=lambda row: row[key], default=None)
    return f"{least[key]:.2f} ({least['layer']})" if least else '-'


# ---- layers ----


def steps(rows):
    """Naive loops, the BLAS and Stoa, by group and pass: the naive rate is Stoa's over its speed-up."""
    own_rows = [row for row in rows if 'engine' not in row and 'beside' not in row]
    every, lines = counted(own_rows), []
    for group in [*grouped(every, group_of), None]:
        for which in passes_of(every):
            part = [row for row in every if row['pass'] == which and group in (None, group_of(row))]
            if part:
                over = [row for row in part if row.get('speedup_over_blas')]
                own = mean([row['flops_per_second'] for row in part])
                naive = mean([row['flops_per_second'] / row['speedup_over_naive_best'] for row in part])
                blas = mean([row['flops_per_second'] / row['speedup_over_blas'] for row in over])
                lines.append((f"{group or 'all'}, {which}", rate(naive), rate(blas) if over else '-', rate(own),
                              said(mean([row['speedup_over_blas'] for row in over]), '.2f'), lowest(over, 'speedup_over_blas')))
    return table(('layers and pass', 'naive', 'im2col + BLAS', 'default', 'default / BLAS', 'lowest'), lines) + left_out(own_rows)


def layers(rows):
    every = [row for row in rows if 'engine' not in row and 'beside' not in row]
    lines = []
    for group, part in grouped(every, group_of).items():
        cells = [group, max(sum(row['pass'] == which for row in part) for which in PASSES)]
        for which in PASSES:
            found = counted(row for row in part if row['pass'] == which)
            share = 100 * mean([row['share_of_fma_limit'] for row in found])
            cells.append(f"{rate(mean([row['flops_per_second'] for row in found]))} ({share:.0f} %)" if found else '-')
        lines.append(cells)
    return table(('layers', 'rows', *PASSES), lines) + left_out(every)


def peer(rows):
    """Means over the passes, and the row that is farthest behind."""
    best, plain = 'ratio_to_peer_best', 'ratio_to_peer_plain'
    every = [row for row in rows if best in row]
    kinds = [(which, [row for row in every if row['pass'] == which]) for which in passes_of(every)]
    kinds.append(('forward, 3x3 stride 1', [row for row in every if row['pass'] == 'forward' and ' r3x3 s1x1 ' in row['shape']]))
    kinds.append(('all', every))
    lines = []
    for name, part in kinds:
        part = counted(part)
        if part:
            lines.append((name, len(part), said(mean([row[best] for row in part]), '.2f'), lowest(part, best),
                          said(mean([row[plain] for row in part if plain in row]), '.2f')))
    return table(('rows of', 'rows', 'best', 'lowest row', 'plain'), lines) + left_out(every)


# ---- training, inference ----


def mebibytes(value):
    return said(value / 2**20, '.3g', ' MiB')


def train(rows):
    lines = []
    for row in rows:
        if 'ratio_to_peer' in row:
            lines.append((f"`{row['recipe']}`", int(row['batch']), said(row['items_per_second'], ',.0f'),
                          said(row['peer_items_per_second'], ',.0f'), said(row['ratio_to_peer'], '.2f'), mebibytes(row['plan_bytes']),
                          mebibytes(row['resident_peak_bytes']), mebibytes(row['peer_resident_peak_bytes']), row['peer_way']))
    name = next((row['peer'].split('+')[0] for row in rows if 'peer' in row), 'peer')
    return table(('recipe', 'batch', 'Stoa images/s', f'{name} images/s', 'ratio', 'plan', 'Stoa resident', f'{name} resident',
                  'its fastest way'), lines)


def latency(rows):
    lines = []
    for row in sorted((row for row in rows if 'caches' in row), key=lambda row: row['caches'] != 'warm'):
        lines.append((row['network'], 'Stoa' if row['engine'] == 'stoa' else row['engine'], row['caches'], row['threads'], said(row['real_time'] / 1e3, '.3g'),
                      said(1e6 * row['p99_seconds'], '.3g'), said(row['ratio_to_stoa'], '.2f') if row['engine'] != 'stoa' else '-'))
    return table(('network', 'engine', 'caches', 'threads', 'median us', '99th percentile us', 'to Stoa'), lines)


def numpy(results):
    lines = [('numpy ' + results['numpy']['version'], '-', said(results['numpy']['images_per_second'], ',.0f'), '-', '-')]
    for one in results['stoa']:
        lines.append(('Stoa', one['threads'], said(one['images_per_second'], ',.0f'), said(one['ratio'], '.2f'),
                      said(100 * one['memory_share'], '.0f', ' %')))
    return table(('engine', 'threads', 'images/s', 'to numpy', 'of the memory limit'), lines)


def quickstart(results):
    return f"The whole took {results['seconds']:.0f} s, of which training {results['training_seconds']:.0f} s.\n"


# ---- seeds ----


def accuracy(rows):
    lines = []
    for recipe, runs in grouped(rows, lambda row: row['recipe']).items():
        found = [100 * row['test_accuracy'] for row in runs]
        lines.append((f'`{recipe}`', len(runs), f'{statistics.mean(found):.2f} %',
                      said(statistics.stdev(found), '.3f') if len(found) > 1 else '-', f'{min(found):.2f} to {max(found):.2f} %',
                      f"{sum(row['test_accuracy'] >= row['target'] for row in runs)} of {len(runs)} have {100 * runs[0]['target']:.4g} %",
                      said(statistics.mean(row['training_seconds'] for row in runs), '.3g', ' s'),
                      said(statistics.mean(row['real_time'] for row in runs) / 1e9, '.3g', ' s')))
    return table(('recipe', 'seeds', 'mean', 'deviation', 'from', 'reach it', 'training', 'whole process'), lines)


def spread(values, form, unit):
    return f"{statistics.mean(values):{form}}{f' +- {statistics.stdev(values):{form}}' if len(values) > 1 else ''}{unit}"


def besides(runs):
    """What else has a figure, and it."""
    parts = []
    for key, name, form, unit in (('train_accuracy_percent', 'train', '.2f', ' %'), ('test_loss', 'loss', '.4f', '')):
        if 'figure_' + key in runs[0]:
            parts.append(f"{name} {spread([row[key] for row in runs], form, unit)} ({runs[0]['figure_' + key]:{form}}{unit})")
    if runs[0].get('splits'):
        parts.append(f"{sum(row['test_accuracy_percent'] >= 100 for row in runs)} of {len(runs)} at 100 %")
    return '; '.join(parts)


def seeds(rows):
    lines = []
    for (system, recipe), runs in grouped(rows, lambda row: (row['system'], row['recipe'])).items():
        star = '*' if any(row['others_share'] > 0.05 for row in runs) else ''
        lines.append((system, f'`{recipe}`', said(runs[0].get('figure_test_accuracy_percent'), '.2f', ' %'),
                      spread([row['test_accuracy_percent'] for row in runs], '.2f', ' %'), besides(runs), len(runs),
                      said(statistics.mean(row['real_time'] for row in runs) / 1e9, '.2g', star),
                      said(statistics.mean(row['items_per_second'] for row in runs), ',.0f', star), runs[0]['verdict']))
    return table(('system', 'recipe', 'figure', 'test accuracy', 'besides (the figure in brackets)', 'runs', 'seconds a run', 'images/s',
                  'verdict'), lines)


def table_of(results):
    """The table of a kept file, by what its rows have."""
    rows = results['benchmarks']
    if 'numpy' in results:
        return numpy(results)
    if 'seconds' in results:
        return quickstart(results)
    kinds = (('system', seeds), ('share_at_target', accuracy), ('caches', latency), ('ratio_to_peer', train),
             ('ratio_to_peer_best', peer), ('speedup_over_naive_best', steps), ('share_of_fma_limit', layers))
    for key, kind in kinds:
        if any(key in row for row in rows):
            return kind(rows)
    raise SystemExit(f"found results of no kind that there is a table for, of {results['command']}")
