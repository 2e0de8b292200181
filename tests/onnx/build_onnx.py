# SPDX-License-Identifier: MIT
"""ONNX files for tests, written by field numbers alone: an encoder that shares no code with the reader."""

import struct


def varint(number):
    number &= (1 << 64) - 1
    out = b''
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, value):
    """One field: whole numbers as varints, floats as 4 bytes, text and messages as lengths with bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack('<f', value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name, shape, numbers, kind=1, external=None):
    """Numbers as raw data: floats (kind 1) or int64 (7); `external`: what is said of a file beside it."""
    out = b''.join(field(1, size) for size in shape) + field(2, kind) + field(8, name)
    if external:
        entries = b''.join(field(13, field(1, key) + field(2, value)) for key, value in external.items())
        return out + entries + field(14, 1)
    return out + field(9, struct.pack('<%d%s' % (len(numbers), 'f' if kind == 1 else 'q'), *numbers))


def attribute(name, value):
    if isinstance(value, list):
        return field(1, name) + b''.join(field(8, one) for one in value) + field(20, 7)
    if isinstance(value, float):
        return field(1, name) + field(2, value) + field(20, 1)
    return field(1, name) + field(3, value) + field(20, 2)


def node(op, inputs, outputs, name='', **attributes):
    return (b''.join(field(1, one) for one in inputs) + b''.join(field(2, one) for one in outputs) + field(3, name) + field(4, op) +
            b''.join(field(5, attribute(key, value)) for key, value in attributes.items()))


def port(name, shape):
    """An input or an output; a size that is a text is one that is not known."""
    dims = b''.join(field(1, field(2, size) if isinstance(size, str) else field(1, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


def model(nodes, weights, inputs, outputs, opset=17, metadata=()):
    graph = (b''.join(field(1, one) for one in nodes) + field(2, 'g') + b''.join(field(5, one) for one in weights) +
             b''.join(field(11, one) for one in inputs) + b''.join(field(12, one) for one in outputs))
    entries = b''.join(field(14, field(1, key) + field(2, value)) for key, value in metadata)
    return field(1, 8) + field(2, 'test') + field(7, graph) + field(8, field(1, '') + field(2, opset)) + entries
