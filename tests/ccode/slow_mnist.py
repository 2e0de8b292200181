# SPDX-License-Identifier: MIT
"""Recipes of MNIST, trained for an epoch and exported as C: the engine's class on all 10 000 test images, and its outputs
within 1e-5 of the largest.

Needs data/mnist (data/fetch-mnist); skipped (exit 77) without. Run: slow_mnist.py STOA COMPARE SOURCE_ROOT CC
"""

import pathlib
import subprocess
import sys
import tempfile

RECIPES = 'lenet5', 'vgg-mnist', 'mnist-best'


def main():
    stoa, compare, root, *cc = sys.argv[1:]
    mnist = pathlib.Path(root) / 'data' / 'mnist'
    images = sorted(mnist.glob('t10k-images-idx3-ubyte*'))
    if not images:
        print('no data/mnist')
        sys.exit(77)
    with tempfile.TemporaryDirectory() as folder:
        for recipe in RECIPES:
            name = recipe.replace('-', '_')
            run, source, library = (str(pathlib.Path(folder) / end) for end in (recipe, f'{name}.c', f'{name}.so'))
            subprocess.run([stoa, 'train', recipe, '--epochs', '1', '--quiet', '--out', run], check=True, cwd=root)
            subprocess.run([stoa, 'export', run, '--c', source], check=True)
            subprocess.run([*cc, '-std=c99', '-O3', '-fPIC', '-shared', source, '-o', library, '-lm'], check=True)
            done = subprocess.run([compare, f'{run}/model.safetensors', library, name, str(images[0])], capture_output=True,
                                  text=True, check=False)
            print(done.stdout, done.stderr)
            assert done.returncode == 0 and ': 10000 samples, 0 with another class' in done.stdout, done.returncode


if __name__ == '__main__':
    main()
