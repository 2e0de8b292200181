# SPDX-License-Identifier: MIT
"""Orders of axes, squares of pixels, products of transposed matrices and repeats, against loops over indices: cases
as ONNX's own tests have them, written here and run by what runs those.

test_moves.py TEST_TESTDATA
"""

import itertools
import math
import pathlib
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from build_onnx import model, node, port, tensor  # noqa: E402


def indices(shape):
    return itertools.product(*map(range, shape))


def transposed(numbers, shape, perm):
    """Numbers in the new order, and their new shape."""
    place = {at: number for at, number in zip(indices(shape), numbers)}
    new = [shape[axis] for axis in perm]
    back = [perm.index(axis) for axis in range(len(perm))]
    return [place[tuple(at[axis] for axis in back)] for at in indices(new)], new


def numbers_of(shape):
    return [float(i) for i in range(math.prod(shape))]


def through(shape, middle, perm, last):
    """Reshape, Transpose, Reshape."""
    out, _ = transposed(numbers_of(shape), middle, perm)
    nodes = [node('Reshape', ['x', 'm'], ['a']), node('Transpose', ['a'], ['b'], perm=perm), node('Reshape', ['b', 'l'], ['y'])]
    weights = [tensor('m', [len(middle)], middle, 7), tensor('l', [len(last)], last, 7)]
    return model(nodes, weights, [port('x', shape)], [port('y', last)]), shape, last, out


def windowed(shape, middle, perm, last):
    """The same of an image, which lies height, width, channels from its pool of one pixel on, and is one behind."""
    data, shape, last, out = through(shape, middle, perm, last)
    nodes = [
        node('MaxPool', ['x'], ['p'], kernel_shape=[1, 1]), node('Reshape', ['p', 'm'], ['a']), node('Transpose', ['a'], ['b'], perm=perm),
        node('Reshape', ['b', 'l'], ['c']), node('MaxPool', ['c'], ['y'], kernel_shape=[1, 1])]
    weights = [tensor('m', [len(middle)], middle, 7), tensor('l', [len(last)], last, 7)]
    return model(nodes, weights, [port('x', shape)], [port('y', last)]), shape, last, out


def product(shape, perm, first):
    """A value times itself transposed, which comes first or last."""
    numbers = numbers_of(shape)
    other, turned = transposed(numbers, shape, perm)
    a, b = (other, numbers) if first else (numbers, other)
    rows, inner = (turned if first else shape)[-2:]
    columns = (shape if first else turned)[-1]
    out = []
    for n, i, k in indices([math.prod(shape[:-2]), rows, columns]):
        out.append(sum(a[(n * rows + i) * inner + j] * b[(n * inner + j) * columns + k] for j in range(inner)))
    nodes = [node('Transpose', ['x'], ['t'], perm=perm), node('MatMul', ['t', 'x'] if first else ['x', 't'], ['y'])]
    last = shape[:-2] + [rows, columns]
    return model(nodes, [], [port('x', shape)], [port('y', last)]), shape, last, out


def tiled(shape, times):
    numbers = numbers_of(shape)
    place = {at: number for at, number in zip(indices(shape), numbers)}
    last = [size * n for size, n in zip(shape, times)]
    out = [place[tuple(i % size for i, size in zip(at, shape))] for at in indices(last)]
    nodes = [node('MaxPool', ['x'], ['p'], kernel_shape=[1, 1]), node('Tile', ['p', 't'], ['y'])]
    return model(nodes, [tensor('t', [len(times)], times, 7)], [port('x', shape)], [port('y', last)]), shape, last, out


def gemm():
    """A C that is more than a bias, each row of it another, so that the whole input is one sample."""
    x, w, c = numbers_of([3, 4]), [float(i % 5 - 2) for i in range(8)], [float(i * i) for i in range(6)]
    out = [0.5 * sum(x[i * 4 + j] * w[j * 2 + k] for j in range(4)) + 0.25 * c[i * 2 + k] for i, k in indices([3, 2])]
    nodes = [node('Gemm', ['x', 'w', 'c'], ['y'], alpha=0.5, beta=0.25)]
    return model(nodes, [tensor('w', [4, 2], w), tensor('c', [3, 2], c)], [port('x', [3, 4])], [port('y', [3, 2])]), [3, 4], [3, 2], out


def cases():
    for perm in itertools.permutations(range(1, 5)):
        yield 'four' + ''.join(map(str, perm)), through([2, 120], [2, 2, 3, 4, 5], [0, *perm], [2, 120])
    for perm in [(5, 4, 3, 2, 1), (2, 4, 1, 5, 3), (3, 1, 5, 2, 4), (1, 5, 2, 4, 3)]:
        yield 'five' + ''.join(map(str, perm)), through([1, 720], [1, 2, 3, 2, 3, 20], [0, *perm], [1, 720])
    for channels, block in [(3, 2), (1, 2), (2, 3)]:
        deep, wide = [2, channels * block * block, 3, 5], [2, channels, 3 * block, 5 * block]
        square = [2, channels, 3, block, 5, block]
        name = f'{channels}by{block}'
        yield 'crd' + name, windowed(deep, [2, channels, block, block, 3, 5], [0, 1, 4, 2, 5, 3], wide)
        yield 'dcr' + name, windowed(deep, [2, block, block, channels, 3, 5], [0, 3, 4, 1, 5, 2], wide)
        yield 'uncrd' + name, windowed(wide, square, [0, 1, 3, 5, 2, 4], deep)
        yield 'undcr' + name, windowed(wide, square, [0, 3, 5, 1, 2, 4], deep)
    yield 'oblong', windowed([1, 12, 3, 5], [1, 2, 2, 3, 3, 5], [0, 1, 4, 2, 5, 3], [1, 2, 6, 15])
    yield 'gemm', gemm()
    for first in (False, True):
        yield f'product{first:d}', product([2, 3, 4, 5], [0, 1, 3, 2], first)
    for times in ([1, 2, 1, 1], [1, 1, 3, 2], [1, 2, 2, 3]):
        yield 'tile' + ''.join(map(str, times)), tiled([2, 3, 2, 4], times)


def main():
    with tempfile.TemporaryDirectory() as name:
        data = pathlib.Path(name)
        names = []
        for case, (net, shape, last, out) in cases():
            folder = data / 'node' / f'test_{case}' / 'test_data_set_0'
            folder.mkdir(parents=True)
            (folder.parent / 'model.onnx').write_bytes(net)
            (folder / 'input_0.pb').write_bytes(tensor('x', shape, numbers_of(shape)))
            (folder / 'output_0.pb').write_bytes(tensor('y', last, out))
            names.append(f'node/test_{case} passes\n')
        (data / 'expected').write_text(''.join(names))
        return subprocess.run([sys.argv[1], data, data / 'expected']).returncode


if __name__ == '__main__':
    sys.exit(main())
