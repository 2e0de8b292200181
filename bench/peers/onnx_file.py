# SPDX-License-Identifier: MIT
"""A recipe's network with its weights as an ONNX file, written without the onnx package: a handful of protobuf messages.

Field numbers are those of onnx.proto3; images are N, C, H, W there."""

import struct

from needs import refuse
from networks import pair

FLOAT = 1  # of a tensor
FLOAT_ATTRIBUTE, INT_ATTRIBUTE, INTS_ATTRIBUTE = 1, 2, 7
IR_VERSION, OPSET = 8, 17
SIMPLE = {"relu": "Relu", "sigmoid": "Sigmoid", "tanh": "Tanh"}


def varint(number):
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def field(number, value):
    """A whole number, a float, a text or a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, float):
        return varint(number << 3 | 5) + struct.pack("<f", value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def attribute(name, value):
    if isinstance(value, int):
        return field(1, name) + field(3, value) + field(20, INT_ATTRIBUTE)
    if isinstance(value, float):
        return field(1, name) + field(2, value) + field(20, FLOAT_ATTRIBUTE)
    return field(1, name) + b"".join(field(8, number) for number in value) + field(20, INTS_ATTRIBUTE)


def node(operator, inputs, output, **attributes):
    return (
        b"".join(field(1, name) for name in inputs)
        + field(2, output)
        + field(3, output)
        + field(4, operator)
        + b"".join(field(5, attribute(name, value)) for name, value in attributes.items())
    )


def tensor(name, shape, data):
    return b"".join(field(1, size) for size in shape) + field(2, FLOAT) + field(8, name) + field(9, data)


def value_info(name, shape):
    sizes = b"".join(field(1, field(1, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, sizes)))


def window(options, kernel):
    pads = pair(options.get("pad", "0"))
    return {"kernel_shape": kernel, "pads": pads + pads}


def convolution(name, options, x, has):
    if options.get("pad") == "same":
        refuse("'%s' has pad=same, which is known for PyTorch only" % name)
    inputs = [x, name + ".weight"] + ([name + ".bias"] if has(name + ".bias") else [])
    return node("Conv", inputs, name, strides=pair(options.get("stride", "1")), dilations=pair(options.get("dilation", "1")),
                group=int(options.get("groups", "1")), **window(options, pair(options["kernel"])))  # fmt: skip


def pooling(name, operator, options, x):
    kind = "MaxPool" if operator == "maxpool2d" else "AveragePool"
    counts = {} if kind == "MaxPool" else {"count_include_pad": int(options.get("include_pad", "true") == "true")}
    strides = pair(options.get("stride", options["size"]))
    return node(kind, [x], name, strides=strides, **window(options, pair(options["size"])), **counts)


def nodes_of(layers, has):
    """Nodes in their order and the name of the last one's output; `has` says whether there is a tensor of a name."""
    nodes, x, flat = [], "x", False
    for name, operator, options in layers:
        if "from" in options:
            refuse("'%s' has a from=; only chains can be generated" % name)
        if operator == "dropout":
            continue
        if operator in ("linear", "flatten") and not flat:
            nodes.append(node("Flatten", [x], name + "_flatten"))
            x, flat = name + "_flatten", True
        if operator == "flatten":
            continue
        if operator == "conv2d":
            made = convolution(name, options, x, has)
        elif operator == "linear":
            inputs = [x, name + ".weight"] + ([name + ".bias"] if has(name + ".bias") else [])
            made = node("Gemm", inputs, name, transB=1)
        elif operator in ("maxpool2d", "avgpool2d"):
            made = pooling(name, operator, options, x)
        elif operator == "batchnorm":
            tensors = [name + suffix for suffix in (".weight", ".bias", ".running_mean", ".running_var")]
            made = node("BatchNormalization", [x, *tensors], name, epsilon=float(options.get("epsilon", "1e-5")))
        elif operator == "global_avgpool":
            nodes.append(node("GlobalAveragePool", [x], name + "_mean"))
            made, flat = node("Flatten", [name + "_mean"], name), True
        elif operator in SIMPLE:
            made = node(SIMPLE[operator], [x], name)
        else:
            refuse("no ONNX operator known for '%s'" % operator)
        nodes.append(made)
        x = name
    return nodes, x


def write_onnx(path, recipe, tensors):
    """`tensors`: by name, their shape and bytes."""
    (height, width, channels), layers = recipe
    nodes, last = nodes_of(layers, tensors.__contains__)
    graph = (
        b"".join(field(1, one) for one in nodes)
        + field(2, "network")
        + b"".join(field(5, tensor(name, *one)) for name, one in tensors.items())
        + field(11, value_info("x", (1, channels, height, width)))
        + field(12, field(1, last))
    )
    model = field(1, IR_VERSION) + field(7, graph) + field(8, field(1, "") + field(2, OPSET))
    with open(path, "wb") as file:
        file.write(model)
