# SPDX-License-Identifier: MIT
"""Recipes for the Python peers: read, and made into PyTorch's modules; and what makes PyTorch fast on CPUs."""

import collections
import configparser
import json
import os
import struct

from needs import refuse

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# What makes PyTorch fast on CPUs: no second pool of threads inside the BLAS, a core for this CPU's vectors, and a malloc that
# keeps the blocks of one step for the next.
TORCH_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "4294967296",
    "MALLOC_TRIM_THRESHOLD_": "8589934592",
    "MALLOC_TOP_PAD_": "268435456",
}
# Transparent huge pages, which `stoa` asks for itself: by glibc's malloc, and by PyTorch's allocator where it knows the name.
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1", "THP_MEM_ALLOC_ENABLE": "1"}


# What holds PyTorch's own loops, its oneDNN, MKL and OpenBLAS to an instruction set.
HELD = {
    isa: {"ATEN_CPU_CAPABILITY": aten, "ONEDNN_MAX_CPU_ISA": onednn, "DNNL_MAX_CPU_ISA": onednn,
          "MKL_ENABLE_INSTRUCTIONS": mkl, "OPENBLAS_CORETYPE": core}
    for isa, aten, onednn, mkl, core in (("base", "default", "SSE41", "SSE4_2", "Nehalem"), ("avx2", "avx2", "AVX2", "AVX2", "Haswell"))
}  # fmt: skip


def has_avx512():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        return "avx512vl" in file.read()


def parse(path):
    parser = configparser.ConfigParser(delimiters=("=",), inline_comment_prefixes=(";",), interpolation=None)
    parser.optionxform = str
    with open(path, encoding="utf-8") as file:
        parser.read_string("[top]\n" + file.read())
    return parser


def read_recipe(path):
    """Input (H, W, C), and layers as (name, operator, options)."""
    try:
        lines = list(parse(path)["model"].items())
    except (OSError, UnicodeDecodeError, configparser.Error, KeyError) as error:
        refuse("%s: %s, expected a recipe with [model]" % (path, " ".join(str(error).split())))
    if not lines or lines[0][0] != "input":
        refuse("%s: the first line of [model] is not the input" % path)
    layers = []
    for name, line in lines[1:]:
        operator, *pairs = line.split()
        layers.append((name, operator, dict(pair.split("=", 1) for pair in pairs)))
    return [int(n) for n in lines[0][1].split("x")], layers


def smoothing_of(path):
    """The label smoothing of a recipe's loss."""
    words = parse(path).get("train", "loss", fallback="").split()
    return next((float(word.partition("=")[2]) for word in words if word.startswith("smoothing=")), 0.0)


def pair(text):
    height, _, width = text.partition("x")
    return int(height), int(width or height)


def make_module(torch, operator, options, shape):
    """The module of one layer; `shape` is its input's, (C, H, W) or (K,)."""
    nn = torch.nn
    bias = options.get("bias", "true") == "true"
    if operator == "conv2d":
        pad = options.get("pad", "0")
        return nn.Conv2d(shape[0], int(options["filters"]), pair(options["kernel"]), pair(options.get("stride", "1")),
                         "same" if pad == "same" else pair(pad), pair(options.get("dilation", "1")),
                         int(options.get("groups", "1")), bias)  # fmt: skip
    if operator == "linear":
        return nn.Linear(shape[0], int(options["units"]), bias)
    if operator in ("maxpool2d", "avgpool2d"):
        size, pad = pair(options["size"]), pair(options.get("pad", "0"))
        stride = pair(options.get("stride", options["size"]))
        if operator == "maxpool2d":
            return nn.MaxPool2d(size, stride, pad)
        return nn.AvgPool2d(size, stride, pad, count_include_pad=options.get("include_pad", "true") == "true")
    if operator == "batchnorm":
        norm = nn.BatchNorm2d if len(shape) == 3 else nn.BatchNorm1d
        return norm(shape[0], float(options.get("epsilon", "1e-5")), float(options.get("momentum", "0.1")))
    if operator == "global_avgpool":
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    simple = {
        "relu": lambda: nn.ReLU(inplace=True),
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
        "flatten": nn.Flatten,
        "dropout": lambda: nn.Dropout(float(options.get("p", "0.5"))),
    }
    if operator not in simple:
        refuse("no PyTorch module known for operator '%s'" % operator)
    return simple[operator]()


def build(torch, recipe):
    """A chain of modules by the layers' names, made while a sample walks through it."""
    (height, width, channels), layers = recipe
    x = torch.zeros(2, channels, height, width)
    modules = collections.OrderedDict()
    for name, operator, options in layers:
        if "from" in options:
            refuse("'%s' has a from=; only chains can be generated" % name)
        if operator == "linear" and x.dim() == 4:
            x = modules.setdefault(name + "_flatten", torch.nn.Flatten())(x)
        modules[name] = make_module(torch, operator, options, x.shape[1:])
        x = modules[name](x)
    return torch.nn.Sequential(modules)


def read_tensors(path):
    """By name: shape and bytes, float32 all of them."""
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    return {n: (t["shape"], data[slice(*t["data_offsets"])]) for n, t in header.items() if n != "__metadata__"}


def load_weights(torch, model, path):
    """The tensors of a file of Stoa's into the model."""
    state = {n: torch.frombuffer(bytearray(data), dtype=torch.float32).reshape(shape) for n, (shape, data) in read_tensors(path).items()}
    for name, value in model.state_dict().items():
        if name.endswith(".num_batches_tracked"):
            state[name] = value
    model.load_state_dict(state)
