# SPDX-License-Identifier: MIT
"""Read a model file with nothing but Python's standard library and compare it with what its writer printed.

Usage: read_model.py WRITER, a program that saves a model to its argument and prints a line a tensor:
name, rank, dimensions, values."""

import json
import os
import struct
import subprocess
import sys
import tempfile


def read_safetensors(path):
    with open(path, "rb") as file:
        whole = file.read()
    (length,) = struct.unpack_from("<Q", whole)
    assert (8 + length) % 64 == 0, "data do not begin at a multiple of 64 bytes"
    header = json.loads(whole[8 : 8 + length].decode("utf-8"))
    metadata = header.pop("__metadata__")
    data = whole[8 + length :]
    tensors, end = {}, 0
    for name, entry in header.items():
        assert entry["dtype"] == "F32", entry
        begin, stop = entry["data_offsets"]
        count = 1
        for size in entry["shape"]:
            count *= size
        assert begin == end and stop - begin == 4 * count, (name, entry)
        tensors[name] = (entry["shape"], struct.unpack_from("<%df" % count, data, begin))
        end = stop
    assert end == len(data), "bytes after the last tensor"
    return metadata, tensors


def to_float32(text):
    return struct.unpack("<f", struct.pack("<f", float(text)))[0]


def expected_tensors(text):
    tensors = {}
    for line in text.splitlines():
        name, rank, *rest = line.split()
        shape = [int(word) for word in rest[: int(rank)]]
        tensors[name] = (shape, tuple(to_float32(word) for word in rest[int(rank) :]))
    return tensors


def main():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.safetensors")
        said = subprocess.run([sys.argv[1], path], check=True, stdout=subprocess.PIPE, text=True)
        metadata, found = read_safetensors(path)
    expected = expected_tensors(said.stdout)
    assert list(found) == list(expected), (list(found), list(expected))
    for name in expected:
        assert found[name] == expected[name], name
    assert found["c1.weight"][0] == [3, 2, 3, 2] and found["l1.weight"][0][0] == 4
    assert len(set(found["l1.weight"][1])) > 10, "the weights are not initial values"
    graph = json.loads(metadata["stoa"])
    assert list(metadata) == ["stoa"]
    assert list(graph) == ["format", "version", "fingerprint", "input", "layers", "facts"], list(graph)
    assert graph["format"] == 1 and graph["input"] == [7, 6, 2]
    assert list(graph["fingerprint"]) == ["isa", "blas", "blas_version", "blas_core", "policy", "tuning"]
    assert graph["layers"][0] == ["c1", "conv2d filters=3 kernel=3x2 pad=1"], graph["layers"]
    assert graph["layers"][4] == ["a1", "add from=c2,r1"], graph["layers"]
    assert graph["facts"] == {"data.set": "none"}
    print("%d tensors as printed" % len(found))


main()
