#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The tables of bench/RESULTS.md, made from what was measured.

results.py [--check]                         make the tables anew that stand between the marks `made: NAME` and `end`; with --check
                                             nothing is written, and a table that would change fails
results.py keep NAME FILE.json... COMMAND    keep what the tables need of the files, parts of one measurement by the same build, as
                                             bench/results/NAME.json, with the command
results.py measure [--bench PATH] [--python PATH] [--data PATH] [--list] [NAME...]
                                             run what a table is made of, or all of them, keep it and make the tables. --bench is a
                                             stoa-bench with `stoa` beside it as installed, --python one that has the peers' packages,
                                             --data the folder of MNIST

Every table says its command and its machine, and no other text of the page has a measured figure: the test `figures` sees to it.
"""

import argparse
import json
import pathlib
import platform
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import results_tables as tables  # noqa: E402

PAGE, KEPT = HERE / 'RESULTS.md', HERE / 'results'
MARK = re.compile(r'^(<!-- made: ([\w-]+) -->\n).*?(?=^<!-- end -->$)', re.MULTILINE | re.DOTALL)

STEPS = ('^(lenet c[23]|vgg-mnist c[245]|alexnet c[135]|resnet 7x7 c1|resnet 3x3 [24]x|resnet 3x3/2 4a|resnet 1x1 (a|3in)|'
         'mobilenet (pw|dw) 5|mlp f1|dense 1024x4096b64)')
# The commands of the tables, as people type them.
COMMANDS = {
    'quickstart': './quickstart',
    'accuracy': 'stoa-bench accuracy mnist-cnn lenet5 mlp --seeds 5',
    'accuracy-99': 'stoa-bench accuracy mnist-99 --seeds 10',
    'accuracy-best': 'stoa-bench accuracy mnist-best --seeds 5 --threads 1',
    'train': 'stoa-bench train lenet5 vgg-mnist mlp --peer pytorch --repetitions 5',
    'train-99': 'stoa-bench train mnist-99 --peer pytorch --repetitions 5',
    'latency': 'stoa-bench latency lenet5 vgg-mnist 4-8-2 --peer onnxruntime',
    'numpy': 'bench/peers/numpy_mlp.py',
    'steps': f"stoa-bench layers --steps --filter '{STEPS}' --min-time 0.01 --repetitions 3",
    'layers': "stoa-bench layers --no-naive --filter 'lenet c|vgg-mnist|alexnet|resnet|mobilenet' --min-time 0.01 --repetitions 3",
    'onednn': 'stoa-bench layers --peer onednn',
    'xnnpack': 'stoa-bench layers --peer xnnpack',
    'seeds': 'stoa-bench seeds',
}
# Pictures of bench/pictures, and which of the drawings of a measurement they are.
PICTURES = {'steps': {'ways': 'steps-forward'}, 'layers': {'layers-gflops': 'gflops', 'layers-roofline': 'roofline'}}


# ---- keeping ----


def context_of(files, every):
    """What all parts have in common, from the last of them."""
    for name in ('cpu_model', 'isa', 'threads', 'policy', 'blas_version', 'blas_core', 'commit'):
        found = {str(results['context'].get(name)) for results in every}
        if len(found) > 1:
            sys.exit(f"{', '.join(map(str, files))}: found {name} of {' and '.join(sorted(found))}, expected parts of one measurement")
    return every[-1]['context']


def keep(name, files, command):
    every = [json.loads(pathlib.Path(path).read_text(encoding='utf-8')) for path in files]
    context = context_of(files, every)
    kept = {'command': command, 'context': {key: tables.rounded(context[key]) for key in tables.CONTEXT if key in context}}
    kept['context'] |= {'peer': {key: context['peer'][key] for key in ('name', 'version')}} if 'peer' in context else {}
    kept |= {key: tables.rounded(every[-1][key]) for key in ('stoa', 'numpy', 'seconds', 'training_seconds') if key in every[-1]}
    rows = {row['name']: row for results in every for row in tables.wanted(results.get('benchmarks', []))}
    if not rows and not {'stoa', 'seconds'} & set(kept):
        sys.exit(f"{', '.join(map(str, files))}: found no results, expected files that stoa-bench wrote with --json")
    KEPT.mkdir(exist_ok=True)
    text = json.dumps({**kept, 'benchmarks': []}, indent=1)[:-4]
    text += '[\n  ' + ',\n  '.join(map(json.dumps, rows.values())) + '\n ]\n}\n'
    (KEPT / f'{name}.json').write_text(text, encoding='utf-8')


# ---- measuring ----


def about_machine():
    """For what is measured without stoa-bench."""
    model = next((line.split(':', 1)[1].strip() for line in open('/proc/cpuinfo', encoding='utf-8') if line.startswith('model name')),
                 platform.machine())
    commit = subprocess.run(['git', 'rev-parse', '--short=12', 'HEAD'], cwd=HERE, capture_output=True, text=True, check=False)
    return {'cpu_model': model, 'commit': commit.stdout.strip() or 'unknown', 'date': time.strftime('%Y-%m-%d')}


def measure_quickstart(file, data):
    """On a fresh clone with MNIST there and no compiler cache: the whole, and what training says of itself."""
    with tempfile.TemporaryDirectory() as folder:
        clone = pathlib.Path(folder, 'stoa')
        subprocess.run(['git', 'clone', '--quiet', HERE.parent, clone], check=True)
        if data:
            shutil.copytree(data, clone / 'data' / 'mnist', dirs_exist_ok=True)
        environment = {'CCACHE_DISABLE': '1'}
        start = time.monotonic()
        done = subprocess.run(['env', *(f'{key}={value}' for key, value in environment.items()), './quickstart'], cwd=clone,
                              stdout=subprocess.PIPE, text=True, check=False)
        seconds = time.monotonic() - start
        timing = [json.loads(line)['seconds'] for path in clone.glob('runs/*/timing.jsonl') for line in open(path, encoding='utf-8')]
    if done.returncode != 0:
        return done.returncode
    file.write_text(json.dumps({'context': about_machine(), 'seconds': seconds, 'training_seconds': sum(timing)}), encoding='utf-8')
    return 0


def measure_one(name, file, options):
    program, *arguments = shlex.split(COMMANDS[name])
    if name == 'quickstart':
        return measure_quickstart(file, options.data)
    if program == 'stoa-bench':
        command = [options.bench, *arguments]
        command += ['--python', options.python] if 'pytorch' in arguments or 'onnxruntime' in arguments else []
        command += ['--data', options.data] if options.data and arguments[0] in ('accuracy', 'seeds') else []
    else:
        command = [options.python, str(HERE.parent / program), *arguments, '--bench', options.bench]
    return subprocess.run([*command, '--json', str(file)], check=False).returncode


def draw(name, file, bench):
    """The pictures that belong to a measurement."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([bench, 'plot', str(file), '--out', folder], stdout=subprocess.DEVNULL, check=True)
        for picture, drawing in PICTURES.get(name, {}).items():
            shutil.copyfile(f'{folder}/{file.stem}-{drawing}.svg', HERE / 'pictures' / f'{picture}.svg')


def measure(arguments):
    parser = argparse.ArgumentParser(prog='results.py measure')
    parser.add_argument('--bench', default=str(HERE.parent / 'build' / 'bench' / 'stoa-bench'))
    parser.add_argument('--python', default=sys.executable)
    parser.add_argument('--data')
    parser.add_argument('--list', action='store_true')
    parser.add_argument('name', nargs='*')
    options = parser.parse_args(arguments)
    unknown = [name for name in options.name if name not in COMMANDS]
    if unknown:
        parser.error(f"found {unknown[0]}, expected some of {', '.join(COMMANDS)}")
    failed = []
    for name in options.name or COMMANDS:
        print(f'{name:<14}{COMMANDS[name]}', flush=True)
        if options.list:
            continue
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder, f'{name}.json')
            if measure_one(name, file, options) != 0 or not file.exists():
                failed.append(name)
                continue
            keep(name, [file], COMMANDS[name])
            if name in PICTURES:
                draw(name, file, options.bench)
            make(False)
    if failed:
        print(f"not measured: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


# ---- the page ----


def about(context):
    """The machine and the build of a measurement, as a sentence."""
    words = [', '.join(str(part) for part in (context['cpu_model'], context.get('isa'), 'threads' in context and
                                              f"{context['threads']} threads", 'tuning' in context and f"table {context['tuning']}")
                       if part)]
    if 'blas_version' in context:
        words += [f"{context['blas_version'].split(' NO_')[0]}, core {context['blas_core']}", context['compiler']]
    words.append(f"commit {context['commit'].removesuffix('-dirty')[:8]}, {context['date'][:10]}")
    if 'core_latency_after_ns' in context:
        words.append(f"the CPUs were {context['core_latency_before_ns']:.0f} ns apart before and "
                     f"{context['core_latency_after_ns']:.0f} ns after")
    return '; '.join(words) + '.'


def made(name):
    path = KEPT / f'{name}.json'
    if not path.exists() and name in COMMANDS:
        return f'Not measured yet: `bench/results.py measure {name}` runs this and makes the table.\n\n```\n{COMMANDS[name]}\n```\n'
    if not path.exists():
        sys.exit(f'{PAGE.name}: found the mark "made: {name}", expected a file {path.relative_to(HERE)}')
    results = json.loads(path.read_text(encoding='utf-8'))
    table = textwrap.fill(about(results['context']), 110)
    return '\n\n'.join((f"```\n{results['command']}\n```", table, tables.table_of(results)))


def make(checks):
    old = PAGE.read_text(encoding='utf-8')
    new, count = MARK.subn(lambda found: found[1] + '\n' + made(found[2]) + '\n', old)
    if count == 0:
        sys.exit(f'{PAGE.name}: found no mark "made: NAME", expected at least one')
    if checks and new != old:
        sys.exit(f'{PAGE.name}: not what bench/results says; run bench/results.py')
    if new != old:
        PAGE.write_text(new, encoding='utf-8')


def main(arguments):
    if arguments[:1] == ['keep'] and len(arguments) >= 4:
        keep(arguments[1], arguments[2:-1], arguments[-1])
        return 0
    if arguments[:1] == ['measure']:
        return measure(arguments[1:])
    if arguments not in ([], ['--check']):
        print(__doc__, file=sys.stderr)
        return 2
    make(bool(arguments))
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
