# SPDX-License-Identifier: MIT
"""`stoa import` as people use it, and what it says of files that are no good.

test_import.py STOA [FOLDER]: FOLDER gets the files as a corpus for the fuzzer.
"""

import json
import os
import pathlib
import resource
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from build_onnx import field, model, node, port, tensor  # noqa: E402

STOA = sys.argv[1]
IMAGE = port('x', ['n', 2, 4, 4])
CONV = node('Conv', ['x', 'c.weight', 'c.bias'], ['a'], '/c/Conv', kernel_shape=[3, 3], pads=[1, 1, 1, 1])
NUMBERS = [((7 * i) % 23 - 11) / 8 for i in range(54)]
WEIGHTS = [tensor('c.weight', [3, 2, 3, 3], NUMBERS), tensor('c.bias', [3], [0.5, -0.25, 1.0])]
DENSE = [tensor('f.weight', [2, 12], [((5 * i) % 17 - 8) / 4 for i in range(24)]), tensor('f.bias', [2], [0.125, -2.0])]
NODES = [
    CONV, node('Relu', ['a'], ['b']), node('MaxPool', ['b'], ['p'], kernel_shape=[2, 2], strides=[2, 2]),
    node('Flatten', ['p'], ['q']), node('Gemm', ['q', 'f.weight', 'f.bias'], ['y'], transB=1)]
Y = port('y', ['n', 2])
failures = []


# The shadow of AddressSanitizer takes terabytes of addresses, so its builds run without a limit.
SANITIZED = b'__asan_init' in pathlib.Path(STOA).read_bytes()


def run(*arguments):
    def bound():
        if not SANITIZED:
            resource.setrlimit(resource.RLIMIT_DATA, (1 << 29, 1 << 29))
    return subprocess.run([STOA, *map(str, arguments)], capture_output=True, text=True, preexec_fn=bound, timeout=60)


def expect(what, good):
    if not good:
        failures.append(what)
        print('FAILED:', what)


def read_safetensors(path):
    data = path.read_bytes()
    length = struct.unpack('<Q', data[:8])[0]
    header = json.loads(data[8:8 + length])
    meta = header.pop('__metadata__')
    body = data[8 + length:]
    return meta, {name: body[slice(*entry['data_offsets'])] for name, entry in header.items()}


def good(folder):
    path = folder / 'net.onnx'
    path.write_bytes(model(NODES, WEIGHTS + DENSE, [IMAGE], [Y], metadata=[('author', 'nobody')]))
    out = folder / 'net.safetensors'
    done = run('import', path, '--out', out)
    expect(f'import: {done.stderr}', done.returncode == 0 and '5 layers' in done.stdout)
    meta, tensors = read_safetensors(out)
    expect('weights are the file\'s to the bit', tensors.get('c.weight') == struct.pack('<54f', *NUMBERS))
    expect('names are those of the weights', set(tensors) == {'c.weight', 'c.bias', 'f.weight', 'f.bias'})
    facts = json.loads(meta['stoa'])['facts']
    expect('facts', facts.get('onnx.meta.author') == 'nobody' and facts.get('onnx.axes.x') == '2,3,1')
    expect('info reads it', run('info', out).returncode == 0)
    again = run('import', path, '--out', out)
    expect('does not replace a file', again.returncode == 2 and 'is there already' in again.stderr)
    told = run('import', path, '--out', out, '--force', '--json')
    expect('JSON', told.returncode == 0 and json.loads(told.stdout)['input'] == [4, 4, 2])


def external(folder):
    data = struct.pack('<54f', *NUMBERS)
    (folder / 'weights.bin').write_bytes(b'12345678' + data)
    (folder.parent / 'outside.bin').write_bytes(data)
    os.symlink(folder / 'weights.bin', folder / 'link.bin')
    os.mkfifo(folder / 'pipe.bin')
    cases = [
        ({'location': 'weights.bin', 'offset': '8', 'length': '216'}, None),
        ({'location': 'weights.bin', 'offset': '8'}, None),
        ({'location': '../outside.bin'}, 'expected the name of a file in its own folder'),
        ({'location': str(folder / 'weights.bin')}, 'expected the name of a file in its own folder'),
        ({'location': '..'}, 'expected the name of a file in its own folder'),
        ({'location': 'link.bin'}, 'a link, expected a file'),
        ({'location': 'pipe.bin'}, 'no regular file'),
        ({'location': 'none.bin'}, 'is not there'),
        ({'location': 'weights.bin', 'offset': '16'}, 'are not in the file'),
        ({'location': 'weights.bin', 'offset': '18446744073709551615'}, 'are not in the file'),
        ({'location': 'weights.bin', 'offset': '-8'}, "offset: found '-8'"),
        ({'location': 'weights.bin', 'length': '215'}, 'found a length of 215 bytes, expected 216'),
        ({'offset': '8'}, 'without a location'),
    ]
    for entries, sentence in cases:
        path = folder / 'external.onnx'
        path.write_bytes(model(NODES, [tensor('c.weight', [3, 2, 3, 3], [], external=entries), WEIGHTS[1]] + DENSE, [IMAGE], [Y]))
        done = run('import', path, '--out', folder / 'external.safetensors', '--force')
        expect(f'{entries}: {done.stderr}', (done.returncode == 0) if sentence is None else
               (done.returncode != 0 and sentence in done.stderr and done.stderr.count('\n') <= 2))
        if sentence is None:
            _, tensors = read_safetensors(folder / 'external.safetensors')
            expect('external weights to the bit', tensors['c.weight'] == data)


def hostile_cases():
    relu = node('Relu', ['a'], ['b'])
    claim = varint_claim()
    yield 'cycle', model([node('Relu', ['b'], ['a'], 'first'), node('Relu', ['a'], ['b'])], [], [IMAGE], [port('b', [1])]), "'first' reads 'b', which node 'b' makes later"
    yield 'missing', model([node('Relu', ['nothing'], ['b'], 'lost')], [], [IMAGE], [port('b', [1])]), "node 'lost' reads 'nothing', which nothing makes"
    yield 'no output', model([CONV, relu], WEIGHTS, [IMAGE], [port('z', [1])]), "nothing makes its output 'z'"
    yield 'twice', model([CONV, node('Relu', ['a'], ['a'], 'again')], WEIGHTS, [IMAGE], [port('a', [1])]), "makes 'a', a name that is taken already"
    yield 'weights twice', model([CONV], WEIGHTS + WEIGHTS, [IMAGE], [port('a', [1])]), 'twice among inputs and weights'
    yield 'negative', model([CONV], [tensor('c.weight', [3, -2, 3, 3], NUMBERS), WEIGHTS[1]], [IMAGE], [port('a', [1])]), 'found dimension -2'
    yield 'huge', model([CONV], [tensor('c.weight', [1 << 30, 1 << 30, 1 << 30, 3], NUMBERS), WEIGHTS[1]], [IMAGE], [port('a', [1])]), 'more numbers than can be held'
    yield 'short', model([CONV], [tensor('c.weight', [3, 2, 3, 4], NUMBERS), WEIGHTS[1]], [IMAGE], [port('a', [1])]), 'found 216 bytes, its shape asks for 288'
    yield 'bias', model([CONV], [WEIGHTS[0], tensor('c.bias', [4], [1.0] * 4)], [IMAGE], [port('a', [1])]), 'has 4 biases, expected 3'
    yield 'claim', claim, 'no ONNX model'
    yield 'constant', model([node('ConstantOfShape', ['s'], ['h']), node('Add', ['x', 'h'], ['y'])], [tensor('s', [3], [1000, 1000, 1000], 7)], [IMAGE], [Y]), 'more numbers than a file of this size accounts for'
    yield 'input', model([relu], [], [port('a', [1, 1 << 40])], [port('b', [1])]), "dimension 1 of its input 'a'"
    yield 'unknown size', model([relu], [], [port('a', ['n', 'm', 3])], [port('b', [1])]), "found 'm'"
    yield 'opset', model([relu], [], [port('a', [1, 2])], [port('b', [1])], opset=999), "found ONNX's opset 999"
    yield 'cut', model(NODES, WEIGHTS + DENSE, [IMAGE], [Y])[:-40], 'no ONNX model'
    yield 'empty', b'', 'expected an ONNX model'
    yield 'text', b'this is a text\n' * 10, 'no ONNX model'
    yield 'axis', model([node('Transpose', ['x'], ['y'], perm=[0, 1, 1, 2])], [], [IMAGE], [Y]), 'expected each axis once'
    yield 'window', model([node('MaxPool', ['x'], ['y'], kernel_shape=[9, 9])], [], [IMAGE], [Y]), 'does not fit the image'
    yield 'stride', model([node('MaxPool', ['x'], ['y'], kernel_shape=[2, 2], strides=[0, 1])], [], [IMAGE], [Y]), 'found 0, expected 1 or more'
    yield 'two', model([node('LSTM', ['x'], ['m'], 'one'), node('NonMaxSuppression', ['m'], ['y'], 'other')], [], [IMAGE], [Y]), "node 'other' (NonMaxSuppression)"


    abroad = field(7, 'my.own')
    yield 'domain', model([node('Twice', ['x'], ['y'], 'far') + abroad], [], [IMAGE], [Y]), "found the operators of 'my.own'"
    yield 'function', model([node('Twice', ['x'], ['y'], 'far') + abroad], [], [IMAGE], [Y]) + field(25, field(1, 'Twice') + field(10, 'my.own')), "it calls a function of 'my.own'"
    yield 'behind', model([node('LSTM', ['x'], ['m'], 'one'), node('Floor', ['m'], ['y'], 'other')], [], [IMAGE], [Y]), "node 'other' (Floor): it is computed for constants only"
    yield 'product', model([node('MatMul', ['x', 'x'], ['y'])], [], [port('x', ['n', 2, 3, 4])], [Y]), 'its inputs have 4 columns and 3 rows'
    yield 'repeats', model([node('Tile', ['x', 'r'], ['y'])], [tensor('r', [4], [2, 1, 1, 1], 7)], [IMAGE], [Y]), 'repeats axis 0, the batch'


def shapes(folder):
    """Sizes that a file leaves open."""
    path, out = folder / 'free.onnx', folder / 'free.safetensors'
    path.write_bytes(model([node('Relu', ['a'], ['b'])], [], [port('a', ['n', 'm', 3])], [port('b', [1])]))
    done = run('import', path, '--out', out, '--input-shape', 'a=2x7x3', '--json')
    expect(f'input shape: {done.stderr}', done.returncode == 0 and json.loads(done.stdout)['output'] == 21)
    for given, sentence in [
            ('a=2x7x4', "dimension 2 of its input 'a': found the size 4 for it, expected 3"),
            ('a=2x7', "its input 'a' has 3 axes, found 2 sizes for them"),
            ('b=2x7x3', "expected the name of an input, such as a"), ('a=2x0x3', "found 'a=2x0x3', expected"),
            ('a=', "found 'a=', expected"), ('a', "found 'a', expected"), ('=1x2', "found '=1x2', expected"),
            ('a=1x2x', "found 'a=1x2x', expected"), ('a=1x9999999999x3', 'expected the name of an input and its sizes')]:
        done = run('import', path, '--out', folder / 'none.safetensors', '--input-shape', given)
        expect(f'{given}: {done.stderr!r}', done.returncode == 2 and sentence in done.stderr and done.stderr.count('\n') == 1)
        expect(f'{given}: nothing is written', not (folder / 'none.safetensors').exists())


def varint_claim():
    """A graph that says it has 2 GB."""
    return field(1, 8) + b'\x3a\xff\xff\xff\xff\x07' + b'\x00' * 40


def hostile(folder):
    for name, data, sentence in hostile_cases():
        path = folder / 'bad.onnx'
        path.write_bytes(data)
        begin = time.monotonic()
        done = run('import', path, '--out', folder / 'bad.safetensors')
        seconds = time.monotonic() - begin
        expect(f'{name}: {done.stderr!r}', done.returncode in (1, 2) and sentence in done.stderr and seconds < 5)
        expect(f'{name}: nothing is written', not (folder / 'bad.safetensors').exists())
        expect(f'{name}: a line a node', done.stderr.count('\n') <= 3)


def corpus(folder):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'net.onnx').write_bytes(model(NODES, WEIGHTS + DENSE, [IMAGE], [Y], metadata=[('author', 'nobody')]))
    for name, data, _ in hostile_cases():
        (folder / (name.replace(' ', '-') + '.onnx')).write_bytes(data)


def main():
    if len(sys.argv) > 2:
        corpus(pathlib.Path(sys.argv[2]))
        return 0
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name) / 'models'
        folder.mkdir()
        good(folder)
        external(folder)
        hostile(folder)
        shapes(folder)
    print(f'{len(failures)} failures')
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
