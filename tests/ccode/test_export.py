# SPDX-License-Identifier: MIT
"""Compile networks that are exported as C, run them, and hold their outputs against the engine's.

Every example of every operator, and networks that are lowered, in one program, without a warning and with outputs within
1e-5 of the largest; as C99 and as C++, by gcc and clang where they are there; for aarch64 and 32-bit ARM where a compiler
and an emulator are.
Run: test_export.py WRITE_EXAMPLES CC
"""

import array
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

WARNINGS = ['-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-pedantic', '-Werror']
TOLERANCE = 1e-5

MAIN = '''
#include <stdio.h>
#include <stdlib.h>
static int run_all(const char *name, int inputs, int outputs, int samples, int (*run)(const float *, float *)) {
    char path[512];
    float *input = (float *)calloc((size_t)(inputs * samples), sizeof(float));
    float *output = (float *)calloc((size_t)(outputs * samples), sizeof(float));
    FILE *file;
    (void)snprintf(path, sizeof path, "%s.in", name);
    file = fopen(path, "rb");
    if (!input || !output || !file || fread(input, sizeof(float), (size_t)(inputs * samples), file) == 0) {
        return 1;
    }
    (void)fclose(file);
    for (int i = 0; i < samples; i++) {
        if (run(input + i * inputs, output + i * outputs) != 0) {
            return 1;
        }
    }
    (void)snprintf(path, sizeof path, "%s.got", name);
    file = fopen(path, "wb");
    if (!file || fwrite(output, sizeof(float), (size_t)(outputs * samples), file) == 0) {
        return 1;
    }
    (void)fclose(file);
    free(input);
    free(output);
    return 0;
}
static void *read_file(const char *path, size_t *bytes) {
    FILE *file = fopen(path, "rb");
    char *data = (char *)malloc(1 << 24);
    *bytes = file && data ? fread(data, 1, 1 << 24, file) : 0;
    if (file) {
        (void)fclose(file);
    }
    return data;
}
'''


def wrapper(name, inputs, outputs):
    """A run whose inputs lie one behind the other, and its outputs."""
    call = 'input, output'
    if len(inputs) + len(outputs) > 2:
        ports = [', '.join(f'{port} + {sum(sizes[:i])}' for i in range(len(sizes)))
                 for port, sizes in (('input', inputs), ('output', outputs))]
        call = 'inputs, outputs'
        call = f'const float *inputs[] = {{{ports[0]}}}; float *outputs[] = {{{ports[1]}}}; return {name}_run({call});'
    else:
        call = f'return {name}_run({call});'
    return f'static int {name}_all(const float *input, float *output) {{ {call} }}'


def write_program(folder, networks):
    """All networks and a main() as one translation unit."""
    lines = [f'#include "{net[0]}.c"' for net in networks] + [wrapper(*net[:3]) for net in networks] + [MAIN, 'int main(void) {', '    size_t bytes = 0;',
                                                              '    static float room[100000];', '    void *data;']
    for name, inputs, outputs, samples, *kind in networks:
        if kind:
            lines.append(f'    data = read_file("{name}.weights", &bytes);')
            lines.append(f'    if ({name}_all(room, room) != 1 || {name}_init(NULL, 0) != 1 || {name}_init(data, 4) != 2 ||')
            lines.append(f'        {name}_init(data, bytes) != 0) {{')
            lines += [f'        (void)printf("{name}: weights\\n");', '        return 1;', '    }']
        lines.append(f'    if (run_all("{name}", {sum(inputs)}, {sum(outputs)}, {samples}, {name}_all) != 0) {{')
        lines += [f'        (void)printf("{name}: failed\\n");', '        return 1;', '    }']
    lines += ['    return 0;', '}']
    (folder / 'all.c').write_text('\n'.join(lines) + '\n')


def sizes(text):
    return [int(size) for size in text.split('+')]


def floats(path):
    numbers = array.array('f')
    numbers.frombytes(path.read_bytes())
    return numbers


def compare(folder, networks, what):
    """Hold the outputs against the engine's; the largest error, relative to the largest output."""
    worst = 0.0
    for name, *_ in networks:
        got, wanted = floats(folder / f'{name}.got'), floats(folder / f'{name}.out')
        assert len(got) == len(wanted), f'{what}: {name}: found {len(got)} numbers, expected {len(wanted)}'
        largest = max(abs(x) for x in wanted)
        error = max(abs(a - b) for a, b in zip(got, wanted))
        assert error <= TOLERANCE * largest, f'{what}: {name}: found an error of {error}, the largest output is {largest}'
        worst = max(worst, error / largest if largest else 0)
        (folder / f'{name}.got').unlink()
    return worst


def compilers(cc):
    """What to compile and run with: a name, the command, what runs the program."""
    yield 'C99', [*cc, '-std=c99', '-O1'], []
    for name, command, standard, runner in [
            ('gcc -O3', 'gcc', ['-std=c99', '-O3', '-march=native'], None), ('clang', 'clang', ['-std=c99', '-O2'], None),
            ('C++', 'g++', ['-std=c++11', '-O1', '-x', 'c++'], None),
            ('aarch64', 'aarch64-linux-gnu-gcc', ['-std=c99', '-O1', '-static'], 'qemu-aarch64'),
            ('arm, 32 bits', 'arm-linux-gnueabihf-gcc', ['-std=c99', '-O1', '-static'], 'qemu-arm')]:
        if shutil.which(command) and (not runner or shutil.which(runner)):
            yield name, [command, *standard], [runner] if runner else []


def main():
    writer, cc = sys.argv[1], sys.argv[2:]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        listed = subprocess.run([writer, name], check=True, capture_output=True, text=True).stdout
        networks = [(n, sizes(i), sizes(o), int(s), *kind) for n, i, o, s, *kind in
                    (line.split() for line in listed.splitlines())]
        assert len(networks) > 80, f'found {len(networks)} networks, expected more'
        write_program(folder, networks)
        wanted = os.environ.get('STOA_TEST_COMPILERS', 'C99,C++').split(',')
        for what, command, runner in compilers(cc):
            if what not in wanted and wanted != ['all']:
                continue
            subprocess.run([*command, *WARNINGS, 'all.c', '-o', 'all', '-lm'], cwd=folder, check=True)
            done = subprocess.run([*runner, './all'], cwd=folder, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f'{what}: {done.stdout}{done.stderr}'
            print(f'{what}: {len(networks)} networks, largest error {compare(folder, networks, what):.2e}')


if __name__ == '__main__':
    main()
