# SPDX-License-Identifier: MIT
"""Compute a saved network's outputs in plain Python and hold them against what the engine printed.

Usage: recompute.py WRITER, a program that saves a network to its argument and prints a line of inputs (N, H, W, C) and a
line of outputs. The file is read by the few lines below, the layers are loops over lists in PyTorch's layouts: no line
of the engine, nothing but the standard library."""

import json
import math
import os
import struct
import subprocess
import sys
import tempfile

BATCH = 3


def read_safetensors(path):
    with open(path, "rb") as file:
        whole = file.read()
    (length,) = struct.unpack_from("<Q", whole)
    header = json.loads(whole[8 : 8 + length])
    layers = json.loads(header.pop("__metadata__")["stoa"])
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = list(struct.unpack_from("<%df" % ((end - begin) // 4), whole, 8 + length + begin))
    return layers, {k: header[k]["shape"] for k in tensors}, tensors


def conv2d(x, weight, shape, bias, stride=1, pad=0, groups=1):
    """x: [C][H][W]; weight: flat (K, C / groups, KH, KW)."""
    filters, depth, kh, kw = shape
    height, width = len(x[0]), len(x[0][0])
    out = []
    for k in range(filters):
        first = k // (filters // groups) * depth
        plane = []
        for top in range(-pad, height + pad - kh + 1, stride):
            row = []
            for left in range(-pad, width + pad - kw + 1, stride):
                total = bias[k] if bias else 0.0
                for c in range(depth):
                    for i in range(kh):
                        for j in range(kw):
                            if 0 <= top + i < height and 0 <= left + j < width:
                                w = weight[((k * depth + c) * kh + i) * kw + j]
                                total += w * x[first + c][top + i][left + j]
                row.append(total)
            plane.append(row)
        out.append(plane)
    return out


def each(x, function):
    return [[[function(c, v) for v in row] for row in plane] for c, plane in enumerate(x)]


def batchnorm(x, t):
    def normal(c, v):
        deviation = math.sqrt(t["b1.running_var"][c] + 1e-5)
        return (v - t["b1.running_mean"][c]) / deviation * t["b1.weight"][c] + t["b1.bias"][c]

    return each(x, normal)


def maxpool(x):
    """Windows of 2x2, one apart."""
    return [
        [[max(p[i][j], p[i][j + 1], p[i + 1][j], p[i + 1][j + 1]) for j in range(len(p[0]) - 1)] for i in range(len(p) - 1)]
        for p in x
    ]


def linear(x, weight, bias):
    return [b + sum(weight[k * len(x) + i] * v for i, v in enumerate(x)) for k, b in enumerate(bias)]


def compute(x, shapes, t):
    x = conv2d(x, t["c1.weight"], shapes["c1.weight"], t["c1.bias"], pad=1)
    x = each(batchnorm(x, t), lambda _, v: max(v, 0.0))
    x = maxpool(conv2d(x, t["c2.weight"], shapes["c2.weight"], None, stride=2, groups=2))
    flat = [v for plane in x for row in plane for v in row]
    return linear(flat, t["l1.weight"], t["l1.bias"])


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "net.safetensors")
        said = subprocess.run([sys.argv[1], path], check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        graph, shapes, tensors = read_safetensors(path)
    inputs, outputs = ([float(word) for word in line.split()] for line in said)
    height, width, channels = graph["input"]
    size = height * width * channels
    found = []
    for n in range(BATCH):
        image = inputs[n * size : (n + 1) * size]
        planes = [[[image[(h * width + w) * channels + c] for w in range(width)] for h in range(height)] for c in range(channels)]
        found += compute(planes, shapes, tensors)
    assert len(found) == len(outputs), (len(found), len(outputs))
    largest = max(abs(v) for v in found)
    error = max(abs(a - b) for a, b in zip(found, outputs)) / largest
    assert largest > 0.1 and error < 2e-6, (largest, error)
    # The test would prove little if the statistics and biases still had their first values.
    for name, first in (("b1.running_mean", 0), ("b1.running_var", 1), ("b1.bias", 0), ("l1.bias", 0)):
        assert all(v != first for v in tensors[name]), name
    print("%d outputs, largest difference %.2g of the largest" % (len(found), error))


main()
