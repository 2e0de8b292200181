#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write places.json: what PyTorch, and of resizing ONNX Runtime, say of operators with windows and of those that move numbers to other places, where
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


def moves():
    """Numbers in other places; x is N, C, H, W."""

    def image(*shape):
        return [exact(2, *shape)]

    def dcr(x, block):
        """ONNX's definition of DepthToSpace."""
        n, c, h, w = x.shape
        y = x.reshape(n, block, block, c // block**2, h, w).permute(0, 3, 4, 1, 5, 2)
        return y.reshape(n, c // block**2, h * block, w * block)

    def space_to_depth(x, block):
        n, c, h, w = x.shape
        y = x.reshape(n, c, h // block, block, w // block, block).permute(0, 3, 5, 1, 2, 4)
        return y.reshape(n, c * block**2, h // block, w // block)

    def pad(options, sides, *shape, mode="constant", value=0.0):
        """Sides as F.pad takes them: left, right, top, bottom, front, back."""
        arguments = {"value": value} if mode == "constant" else {}
        return case("pad " + options, image(*shape), lambda x: F.pad(x, sides, mode=mode, **arguments))

    return [
        case("global_maxpool", image(5, 3, 4), lambda x: F.adaptive_max_pool2d(x, 1).flatten(1)),
        case("global_maxpool", [exact(2, 18, 3, 2, steps=1)], lambda x: F.max_pool2d(x, (3, 2)).flatten(1)),
        case("slice start=1 end=3", image(4, 2, 3), lambda x: x[:, 1:3]),
        case("slice axis=height start=-3 step=2", image(2, 5, 3), lambda x: x[:, :, -3::2]),
        case("slice axis=width end=-1", image(2, 3, 4), lambda x: x[:, :, :, :-1]),
        # PyTorch has no negative steps: the flipped axis.
        case("slice axis=width start=-1 end=-2147483648 step=-1", image(2, 3, 4), lambda x: x.flip(3)),
        case("slice axis=height start=3 end=0 step=-2", image(2, 5, 2), lambda x: x.flip(2)[:, :, 1:4:2]),
        case("slice start=2 step=3", [exact(3, 9)], lambda x: x[:, 2::3]),
    ] + [
        case("permute order=" + order, image(4, 3, 2), lambda x: x.permute(0, *(1 + "chw".index(a) for a in order)))
        for order in ("cwh", "hcw", "hwc", "wch", "whc", "chw")
    ] + [
        case("depth_to_space block=2", image(12, 2, 3), lambda x: dcr(x, 2)),
        case("depth_to_space block=2 mode=crd", image(12, 2, 3), lambda x: F.pixel_shuffle(x, 2)),
        case("depth_to_space block=3 mode=crd", image(9, 1, 2), lambda x: F.pixel_shuffle(x, 3)),
        case("space_to_depth block=2", image(3, 4, 2), lambda x: space_to_depth(x, 2)),
        case("space_to_depth block=2 mode=crd", image(3, 4, 6), lambda x: F.pixel_unshuffle(x, 2)),
        pad("top=-1 left=-2 right=1 value=2", (-2, 1, -1, 0), 3, 3, 5, value=2.0),
        pad("size=2x1 mode=reflect", (1, 1, 2, 2), 2, 3, 4, mode="reflect"),
        pad("top=1 left=3 right=2 mode=reflect", (3, 2, 1, 0), 2, 3, 4, mode="reflect"),
        pad("size=2x1 bottom=1 mode=edge", (1, 1, 2, 3), 2, 3, 4, mode="replicate"),
        pad("top=1 left=2 right=3 mode=wrap", (2, 3, 1, 0), 2, 3, 4, mode="circular"),
        # The shortcut of residual networks whose channels grow.
        pad("front=2 back=1", (0, 0, 0, 0, 2, 1), 3, 2, 2),
        pad("front=-1 back=2 size=1 value=0.5", (1, 1, 1, 1, -1, 2), 3, 2, 2, value=0.5),
        # What a shuffle of channels is made of.
        case("reshape size=2x6 channels=3", image(6, 2, 3), lambda x: x.reshape(2, 3, 2, 6)),
        case("reshape size=3x2 channels=5", image(3, 2, 5), lambda x: x.reshape(2, 5, 3, 2)),
    ]  # fmt: skip


def transposed_convolutions():
    """Of four paddings by cutting them off; PyTorch's own has one for both sides."""

    def transposed(options, channels, height, width, kernel, filters, cut, groups=1, **arguments):
        top, left, bottom, right = cut
        tensors = {"weight": exact(channels, filters // groups, *kernel), "bias": exact(filters)}

        def compute(x, weight, bias):
            y = F.conv_transpose2d(x, weight, bias, groups=groups, **arguments)
            return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]

        return case("conv_transpose2d filters=%d %s" % (filters, options), [exact(2, channels, height, width)], compute,
                    tensors)  # fmt: skip

    none = (0, 0, 0, 0)
    return [
        transposed("kernel=3 stride=2 pad=0,1,1,2", 3, 3, 4, (3, 3), 4, (0, 1, 1, 2), stride=2),
        transposed("kernel=3 stride=2 pad=1,0,0,1 output_pad=1x0 groups=2", 4, 3, 4, (3, 3), 6, (1, 0, 0, 1), groups=2,
                   stride=2, output_padding=(1, 0)),
        # An output as large as the input times the stride, the odd row and column behind or in front.
        transposed("kernel=3 stride=2 pad=same", 3, 3, 4, (3, 3), 2, (0, 0, 1, 1), stride=2),
        transposed("kernel=3 stride=2 pad=same_lower", 3, 3, 4, (3, 3), 2, (1, 1, 0, 0), stride=2),
        transposed("kernel=2 stride=3 pad=same", 3, 2, 3, (2, 2), 2, none, stride=3, output_padding=1),
        # ONNX's output_shape without auto_pad; PyTorch's output_size.
        transposed("kernel=4 stride=2 pad=same_lower output_size=7x10", 3, 3, 4, (4, 4), 2, (1, 0, 0, 0), stride=2),
        transposed("kernel=3 stride=3 pad=1 output_size=9x10", 3, 3, 4, (3, 3), 2, none, stride=3, padding=1,
                   output_padding=(2, 0)),
        transposed("kernel=1x5 stride=1x2 pad=0x2 output_pad=0x1", 3, 1, 5, (1, 5), 4, none, stride=(1, 2),
                   padding=(0, 2), output_padding=(0, 1)),
    ]  # fmt: skip


def resized():
    def native(options, x, **arguments):
        return case("resize " + options, [x], lambda x: F.interpolate(x, **arguments))

    nearest = "coordinates=asymmetric rounding=floor "
    bilinear = {"mode": "bilinear", "align_corners": False}
    corners = {"mode": "bilinear", "align_corners": True}
    return [
        native(nearest + "scale=2", exact(2, 3, 2, 4), scale_factor=2),
        native(nearest + "size=5x3", exact(2, 3, 3, 4), size=(5, 3)),
        native(nearest + "scale=1.5x0.75", exact(2, 2, 4, 4), scale_factor=(1.5, 0.75)),
        native("size=5x3 rounding=round_prefer_ceil", exact(2, 3, 3, 4), size=(5, 3), mode="nearest-exact"),
        native("scale=2 mode=linear", exact(2, 3, 3, 4), scale_factor=2.0, **bilinear),
        native("size=2x7 mode=linear", exact(2, 3, 5, 4), size=(2, 7), **bilinear),
        native("scale=0.625x1.75 mode=linear", exact(2, 3, 8, 4), scale_factor=(0.625, 1.75), **bilinear),
        native("size=5x7 mode=linear coordinates=align_corners", exact(2, 3, 3, 4), size=(5, 7), **corners),
        native("size=1x2 mode=linear coordinates=align_corners", exact(2, 3, 3, 4), size=(1, 2), **corners),
        native("size=2x2 mode=linear coordinates=align_corners", exact(2, 18, 2, 2), size=(2, 2), **corners),
    ] + runtime_resized()  # fmt: skip


def runtime_resized():
    """What PyTorch has not, by ONNX Runtime: as resizing is linear in x, its answers to unit images give y and dx."""
    import numpy
    import onnxruntime
    from onnx import TensorProto, helper

    def answer(x, size, scale, **attributes):
        names, fixed = ["x", "", "scales", "sizes"], []
        if scale:
            names = names[:3]
            fixed = [helper.make_tensor("scales", TensorProto.FLOAT, [4], [1, 1, *scale])]
        else:
            names[2] = ""
            fixed = [helper.make_tensor("sizes", TensorProto.INT64, [4], [*x.shape[:2], *size])]
        graph = helper.make_graph(
            [helper.make_node("Resize", names, ["y"], **attributes)], "resize",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], fixed)  # fmt: skip
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=9)
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        return session.run(None, {"x": x.astype(numpy.float32)})[0]

    def one(options, height, width, size=None, scale=None, **attributes):
        units = numpy.eye(height * width).reshape(height * width, 1, height, width)
        matrix = torch.from_numpy(answer(units, size, scale, **attributes)).double()
        return case("resize " + options, [exact(2, 3, height, width)],
                    lambda x: torch.einsum("nchw,hwij->ncij", x, matrix.reshape(height, width, *matrix.shape[2:])))  # fmt: skip

    def nearest(coordinates, rounding, *sizes, **arguments):
        more = "size=%dx%d" % arguments["size"] if "size" in arguments else "scale=%gx%g" % arguments["scale"]
        return one(more + " coordinates=%s rounding=%s" % (coordinates, rounding), *sizes, mode="nearest",
                   coordinate_transformation_mode=coordinates, nearest_mode=rounding, **arguments)  # fmt: skip

    return [
        nearest(coordinates, rounding, 5, 4, size=(3, 7))
        for coordinates in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")
        for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    ] + [
        nearest("half_pixel", "round_prefer_ceil", 6, 4, scale=(0.5, 1.5)),
        nearest("asymmetric", "ceil", 4, 4, scale=(0.6, 1.25)),
        one("size=1x6 mode=linear coordinates=pytorch_half_pixel", 4, 3, size=(1, 6), mode="linear",
            coordinate_transformation_mode="pytorch_half_pixel"),
        one("size=3x6 mode=linear coordinates=asymmetric", 4, 4, size=(3, 6), mode="linear",
            coordinate_transformation_mode="asymmetric"),
        one("scale=0.6x0.7 mode=linear coordinates=half_pixel_symmetric", 4, 5, scale=(0.6, 0.7), mode="linear",
            coordinate_transformation_mode="half_pixel_symmetric"),
    ]  # fmt: skip


GROUPS = [asymmetric_convolutions, pools, moves, resized, transposed_convolutions]


def main():
    warnings.simplefilter("ignore")
    cases = []
    for number, group in enumerate(GROUPS):
        torch.manual_seed(100 + number)
        cases += group()
    write("places.json", {"by": "PyTorch %s and ONNX Runtime" % torch.__version__.split("+")[0], "cases": cases})


if __name__ == "__main__":
    main()
