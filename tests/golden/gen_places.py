#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write places.json: what PyTorch says of operators with windows and of those that move numbers to other places, where
its old release, which operators.json comes from, says less.

Run it by hand after adding a case:  python3 tests/golden/gen_places.py  (any newer PyTorch). Each group has a seed of
its own, so a case added to one leaves the others as they are; add cases at the end of a group."""

import warnings

import torch
import torch.nn.functional as F

from gen import write
from operator_cases import case, conv_case, exact

INFINITY = float("inf")


def padded(pad, value=0.0):
    """Rows and columns around, as options say them: top, left, bottom, right."""
    top, left, bottom, right = pad
    return lambda x: F.pad(x, (left, right, top, bottom), value=value)


def text(pad):
    return "pad=%d,%d,%d,%d" % tuple(pad)


def asymmetric_convolutions():
    def conv(options, pad, *sizes, **arguments):
        top, left, bottom, right = pad
        return conv_case(options, *sizes, padding=(left, right, top, bottom), **arguments)

    return [
        conv("kernel=3 pad=0,2,1,0", (0, 2, 1, 0), 2, 5, 4, (3, 3), 3),
        conv("kernel=3 stride=2 pad=0,0,1,1", (0, 0, 1, 1), 3, 6, 6, (3, 3), 4, stride=2),
        conv("kernel=3 stride=2 pad=0,0,1,1 groups=4", (0, 0, 1, 1), 4, 6, 8, (3, 3), 4, stride=2, groups=4),
        conv("kernel=3x2 dilation=2x1 pad=3,0,0,1", (3, 0, 0, 1), 2, 5, 4, (3, 2), 3, dilation=(2, 1)),
        conv("kernel=1x5 pad=0,4,0,0", (0, 4, 0, 0), 3, 1, 9, (1, 5), 4),
        # ONNX's SAME_LOWER: the odd row and column in front.
        conv("kernel=2x4 pad=same_lower", (1, 2, 0, 1), 2, 5, 6, (2, 4), 3),
        conv("kernel=3 stride=2 pad=same_lower", (1, 1, 0, 0), 2, 6, 6, (3, 3), 3, stride=2),
    ]  # fmt: skip


def pools():
    def largest(options, pad, x, *window, **arguments):
        return case("maxpool2d " + options, [x], lambda x: F.max_pool2d(padded(pad, -INFINITY)(x), *window, **arguments))

    def mean(options, pad, x, *window, inside=False, **arguments):
        """The padding is in the mean, what hangs over it is not."""

        def compute(x):
            y = F.avg_pool2d(padded(pad)(x), *window, **arguments)
            return y / F.avg_pool2d(padded(pad)(torch.ones_like(x)), *window, **arguments) if inside else y

        return case("avgpool2d " + options, [x], compute)

    def native(options, x, *window, **arguments):
        """Symmetric padding, by the pooling's own argument."""
        op = {"maxpool2d": F.max_pool2d, "avgpool2d": F.avg_pool2d}[options.split()[0]]
        return case(options, [x], lambda x: op(x, *window, **arguments))

    none = (0, 0, 0, 0)
    return [
        native("maxpool2d size=3 stride=2 ceil_mode=true", exact(2, 3, 6, 8), 3, 2, ceil_mode=True),
        native("maxpool2d size=3 stride=2 pad=1 ceil_mode=true", exact(2, 3, 6, 7), 3, 2, 1, ceil_mode=True),
        # A last window that would begin in the padding is left out.
        native("maxpool2d size=2 stride=3 pad=1 ceil_mode=true", exact(2, 3, 4, 5), 2, 3, 1, ceil_mode=True),
        # The window is larger than the image.
        native("maxpool2d size=3 stride=2 ceil_mode=true", exact(2, 3, 2, 2), 3, 2, ceil_mode=True),
        native("maxpool2d size=3x2 stride=1 dilation=2x3 pad=1", exact(2, 3, 7, 8), (3, 2), 1, 1, (2, 3)),
        native("maxpool2d size=2 stride=2 dilation=2 ceil_mode=true", exact(2, 4, 6, 7), 2, 2, 0, 2, ceil_mode=True),
        largest("size=3 stride=2 " + text((0, 0, 1, 1)), (0, 0, 1, 1), exact(2, 3, 6, 6), 3, 2),
        largest("size=3x2 stride=1 " + text((2, 0, 1, 1)), (2, 0, 1, 1), exact(2, 3, 4, 5), (3, 2), 1),
        largest("size=2 stride=1 pad=same_lower", (1, 1, 0, 0), exact(2, 3, 4, 5), 2, 1),
        largest("size=1x3 stride=1x2", none, exact(2, 3, 1, 9), (1, 3), (1, 2)),
        native("avgpool2d size=3 stride=2 ceil_mode=true", exact(2, 3, 6, 8), 3, 2, ceil_mode=True),
        native("avgpool2d size=3 stride=2 pad=1 ceil_mode=true", exact(2, 3, 6, 7), 3, 2, 1, ceil_mode=True),
        native("avgpool2d size=3 stride=2 pad=1 ceil_mode=true include_pad=false", exact(2, 3, 6, 7), 3, 2, 1,
               ceil_mode=True, count_include_pad=False),
        native("avgpool2d size=2 stride=3 pad=1 ceil_mode=true", exact(2, 3, 4, 5), 2, 3, 1, ceil_mode=True),
        mean("size=3 stride=2 " + text((0, 0, 1, 1)), (0, 0, 1, 1), exact(2, 3, 6, 6), 3, 2),
        mean("size=3 stride=2 include_pad=false " + text((0, 0, 1, 1)), (0, 0, 1, 1), exact(2, 3, 6, 6), 3, 2,
             inside=True),
        # Padding in front only: PyTorch sees it as image, where a last window may begin.
        mean("size=2x3 stride=2 ceil_mode=true " + text((1, 2, 0, 0)), (1, 2, 0, 0), exact(2, 3, 4, 6), (2, 3), 2,
             ceil_mode=True),
        mean("size=1x4 stride=1x3 pad=0x1", (0, 1, 0, 1), exact(2, 3, 1, 9), (1, 4), (1, 3)),
        # Nobody else dilates a mean: every second row and column is an image of its own.
        case("avgpool2d size=2 stride=2 dilation=2", [exact(2, 3, 6, 7)],
             lambda x: F.avg_pool2d(x[:, :, ::2, ::2], 2, 1)),
    ]  # fmt: skip


GROUPS = [asymmetric_convolutions, pools]


def main():
    warnings.simplefilter("ignore")
    cases = []
    for number, group in enumerate(GROUPS):
        torch.manual_seed(100 + number)
        cases += group()
    write("places.json", {"by": "PyTorch " + torch.__version__.split("+")[0], "cases": cases})


if __name__ == "__main__":
    main()
