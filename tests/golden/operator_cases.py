# SPDX-License-Identifier: MIT
"""The cases of operators.json: options, random inputs and PyTorch's answer, operator by operator. gen.py writes them."""

import torch
import torch.nn.functional as F


def exact(*shape, steps=64, low=-1.0, high=1.0):
    """Random multiples of 1 / steps."""
    return torch.randint(int(low * steps), int(high * steps) + 1, shape).double() / steps


def numbers(tensor):
    return [float("%.12g" % v) for v in tensor.detach().double().flatten().tolist()]


def to_nhwc(tensor):
    return tensor.permute(0, 2, 3, 1) if tensor.dim() == 4 else tensor


def shape_text(tensor):
    _, *rest = to_nhwc(tensor).shape
    return "x".join(str(size) for size in rest)


def case(line, inputs, compute, tensors=None, backward=True, training=True, after=None, **targets):
    """One case: `compute(*inputs, **tensors)` gives y; gradients follow from a random dy."""
    tensors = tensors or {}
    inputs = [x.requires_grad_() for x in inputs]
    for t in tensors.values():
        t.requires_grad_()
    before = {name: numbers(t) for name, t in tensors.items()}
    y = compute(*inputs, **tensors)
    found = {
        "op": line.split()[0],
        "line": line,
        "inputs": [shape_text(x) for x in inputs],
        "batch": len(inputs[0]),
        "training": training,
        "x": [numbers(to_nhwc(x)) for x in inputs],
        "tensors": before,
        "y": numbers(to_nhwc(y)),
        **targets,
    }
    if backward:
        dy = exact(*y.shape)
        y.backward(dy)
        found["dy"] = numbers(to_nhwc(dy))
        found["dx"] = [numbers(to_nhwc(x.grad)) for x in inputs]
        found["gradients"] = {name: numbers(t.grad) for name, t in tensors.items()}
    return found


def conv_case(options, channels, height, width, kernel, filters, batch=2, bias=True, groups=1, padding=0, **arguments):
    """`padding` as conv2d takes it, or (left, right, top, bottom)."""
    tensors = {"weight": exact(filters, channels // groups, *kernel)}
    if bias:
        tensors["bias"] = exact(filters)

    def compute(x, weight, bias=None):
        if isinstance(padding, tuple) and len(padding) == 4:
            return F.conv2d(F.pad(x, padding), weight, bias, groups=groups, **arguments)
        return F.conv2d(x, weight, bias, groups=groups, padding=padding, **arguments)

    return case("conv2d filters=%d %s" % (filters, options), [exact(batch, channels, height, width)], compute, tensors)


def conv_cases():
    return [
        conv_case("kernel=5 pad=2", 1, 7, 6, (5, 5), 3, padding=2),
        conv_case("kernel=3x2", 3, 5, 6, (3, 2), 4),
        conv_case("kernel=3 bias=false", 2, 5, 5, (3, 3), 3, bias=False),
        conv_case("kernel=3 stride=2x3 pad=1", 2, 7, 8, (3, 3), 3, stride=(2, 3), padding=1),
        conv_case("kernel=3x2 dilation=2x3 pad=2x1", 2, 6, 7, (3, 2), 3, dilation=(2, 3), padding=(2, 1)),
        conv_case("kernel=3 stride=2 dilation=2 pad=2", 2, 7, 7, (3, 3), 3, stride=2, dilation=2, padding=2),
        conv_case("kernel=3 pad=same", 2, 5, 4, (3, 3), 3, padding="same"),
        # Even kernels: PyTorch too puts the odd row and column at the bottom and right.
        conv_case("kernel=4x2 pad=same", 2, 5, 6, (4, 2), 3, padding="same"),
        conv_case("kernel=3 dilation=2 pad=same", 2, 6, 5, (3, 3), 3, padding="same", dilation=2),
        # PyTorch has no "same" with a stride: TensorFlow's padding, the odd one at the bottom and right.
        conv_case("kernel=3 stride=2 pad=same", 2, 6, 7, (3, 3), 3, stride=2, padding=(1, 1, 0, 1)),
        conv_case("kernel=1", 5, 3, 4, (1, 1), 4, batch=3),
        conv_case("kernel=1 stride=2", 3, 5, 4, (1, 1), 4, stride=2),
        conv_case("kernel=1 pad=1", 3, 3, 2, (1, 1), 4, padding=1),
        conv_case("kernel=3 groups=2 pad=1", 4, 4, 5, (3, 3), 6, groups=2, padding=1),
        conv_case("kernel=1 groups=2", 4, 3, 3, (1, 1), 6, groups=2),
        conv_case("kernel=3 groups=5 pad=1", 5, 5, 4, (3, 3), 5, groups=5, padding=1),
        conv_case("kernel=3x2 groups=4 stride=2 dilation=1x2 bias=false", 4, 7, 7, (3, 2), 4, groups=4, stride=2,
                  dilation=(1, 2), bias=False),
        conv_case("kernel=3 groups=3 pad=1", 3, 4, 4, (3, 3), 6, groups=3, padding=1),
        # Whole image, as LeNet-5's last convolution; one row; one column.
        conv_case("kernel=4", 3, 4, 4, (4, 4), 5, batch=4),
        conv_case("kernel=1x3 pad=0x1", 3, 1, 9, (1, 3), 4, padding=(0, 1)),
        conv_case("kernel=3x1 pad=1x0", 3, 9, 1, (3, 1), 4, padding=(1, 0)),
        # 18 channels and filters: more than a vector and a rest.
        conv_case("kernel=2", 18, 3, 3, (2, 2), 18, batch=1),
    ]  # fmt: skip


def linear_cases():
    def dense(x, weight, bias=None):
        return F.linear(x.flatten(1), weight, bias)

    return [
        case("linear units=4", [exact(3, 7)], dense, {"weight": exact(4, 7), "bias": exact(4)}),
        case("linear units=5 bias=false", [exact(2, 6)], dense, {"weight": exact(5, 6)}),
        case("linear units=1", [exact(1, 1)], dense, {"weight": exact(1, 1), "bias": exact(1)}),
        # An image counts as flattened, on disk in PyTorch's order C, H, W.
        case("linear units=4", [exact(2, 3, 2, 4)], dense, {"weight": exact(4, 24), "bias": exact(4)}),
        case("linear units=20", [exact(9, 33)], dense, {"weight": exact(20, 33), "bias": exact(20)}),
    ]


def pad_one_more(x, value):
    """ "same" for a 3x3 window with stride 2 on 6x7: one row at the bottom, one column left and right."""
    return F.pad(x, (1, 1, 0, 1), value=value)


def pool_cases():
    def average_inside(x):
        ones = torch.ones_like(x)
        return F.avg_pool2d(pad_one_more(x, 0), 3, 2) / F.avg_pool2d(pad_one_more(ones, 0), 3, 2)

    def tied(*shape):
        return exact(*shape, steps=1)

    infinity = float("inf")
    return [
        case("maxpool2d size=2", [exact(2, 3, 4, 6)], lambda x: F.max_pool2d(x, 2)),
        # What does not fill a window is left out.
        case("maxpool2d size=2", [exact(2, 3, 5, 7)], lambda x: F.max_pool2d(x, 2)),
        case("maxpool2d size=3x2 stride=2x1 pad=1", [exact(2, 3, 7, 5)],
             lambda x: F.max_pool2d(x, (3, 2), (2, 1), (1, 1))),
        # Values -1, 0, 1 only: of equal values the first gets the gradient.
        case("maxpool2d size=3 stride=1", [tied(2, 5, 6, 6)], lambda x: F.max_pool2d(x, 3, 1)),
        case("maxpool2d size=3 stride=2 pad=same", [exact(2, 2, 6, 7)],
             lambda x: F.max_pool2d(pad_one_more(x, -infinity), 3, 2)),
        case("avgpool2d size=2", [exact(2, 3, 4, 6)], lambda x: F.avg_pool2d(x, 2)),
        case("avgpool2d size=2", [exact(2, 3, 5, 7)], lambda x: F.avg_pool2d(x, 2)),
        case("avgpool2d size=3x2 stride=2x1 pad=1", [exact(2, 3, 7, 5)],
             lambda x: F.avg_pool2d(x, (3, 2), (2, 1), (1, 1))),
        case("avgpool2d size=3x2 stride=2x1 pad=1 include_pad=false", [exact(2, 3, 7, 5)],
             lambda x: F.avg_pool2d(x, (3, 2), (2, 1), (1, 1), count_include_pad=False)),
        case("avgpool2d size=3 stride=2 pad=same", [exact(2, 2, 6, 7)],
             lambda x: F.avg_pool2d(pad_one_more(x, 0), 3, 2)),
        case("avgpool2d size=3 stride=2 pad=same include_pad=false", [exact(2, 2, 6, 7)], average_inside),
        case("global_avgpool", [exact(2, 5, 3, 4)], lambda x: F.adaptive_avg_pool2d(x, 1).flatten(1)),
    ]  # fmt: skip


def batchnorm_case(shape, training, options="", epsilon=1e-5, momentum=0.1):
    channels = shape[1]
    mean, variance = exact(channels), exact(channels, low=0.25, high=2)
    start = {"running_mean": numbers(mean), "running_var": numbers(variance)}

    def compute(x, weight, bias):
        return F.batch_norm(x, mean, variance, weight, bias, training, momentum, epsilon)

    found = case("batchnorm" + options, [exact(*shape)], compute, {"weight": exact(channels), "bias": exact(channels)},
                 backward=training, training=training)  # fmt: skip
    found["tensors"].update(start)
    found["after"] = {"running_mean": numbers(mean), "running_var": numbers(variance)}
    return found


def other_cases():
    def loss(x, labels):
        return F.cross_entropy(x, labels, reduction="none")

    def cross_entropy(batch, classes, scale):
        labels = torch.randint(0, classes, (batch,))
        return case("softmax_cross_entropy", [exact(batch, classes) * scale], lambda x: loss(x, labels),
                    labels=labels.tolist())  # fmt: skip

    def squared_error(*shape):
        target = exact(*shape)
        return case("mse", [exact(*shape)], lambda x: F.mse_loss(x, target, reduction="none").flatten(1).mean(1),
                    values=numbers(to_nhwc(target)))  # fmt: skip

    return [
        case("relu", [exact(2, 3, 3, 5, steps=4)], F.relu),
        case("relu", [exact(3, 7)], F.relu),
        case("add", [exact(2, 3, 2, 4), exact(2, 3, 2, 4)], lambda a, b: a + b),
        # In memory the features stay in H, W, C order, so in NHWC files nothing moves.
        case("flatten", [exact(2, 3, 2, 4)], lambda x: x.permute(0, 2, 3, 1).flatten(1)),
        case("softmax", [exact(3, 10) * 4], lambda x: F.softmax(x, 1)),
        case("softmax", [exact(2, 5, 2, 3)], lambda x: F.softmax(x, 1)),
        # exp() of such values would overflow; the gradients are all but 0.
        case("softmax", [exact(2, 4) * 512], lambda x: F.softmax(x, 1), backward=False),
        cross_entropy(7, 10, 1),
        cross_entropy(4, 3, 16),
        # Differences of up to 1024: exp() of them would overflow.
        cross_entropy(6, 5, 512),
        squared_error(4, 10),
        squared_error(2, 3, 2, 4),
        batchnorm_case((3, 4, 3, 5), True),
        batchnorm_case((9, 5), True, " epsilon=0.001 momentum=0.3", 1e-3, 0.3),
        batchnorm_case((3, 4, 3, 5), False),
        batchnorm_case((2, 5), False, " epsilon=0.001", 1e-3),
    ]


def activation_cases():
    """Inputs around -4 to 4, none on a bend: at 3 PyTorch's hardswish gives one gradient or another, by the number of
    elements."""

    def activation(line, compute):
        inputs = [exact(2, 3, 3, 4, steps=8) * 4 + 0.0625, exact(2, 7, steps=8) * 4 + 0.0625]
        return [case(line, [x], compute) for x in inputs]

    return (
        activation("sigmoid", torch.sigmoid)
        + activation("tanh", torch.tanh)
        + activation("leaky_relu", F.leaky_relu)
        + activation("leaky_relu slope=0.25", lambda x: F.leaky_relu(x, 0.25))
        + activation("elu", F.elu)
        + activation("elu alpha=0.5", lambda x: F.elu(x, 0.5))
        + activation("gelu", F.gelu)
        + activation("gelu approximate=tanh", lambda x: F.gelu(x, approximate="tanh"))
        + activation("silu", F.silu)
        + activation("hardswish", F.hardswish)
        + activation("softplus", lambda x: F.softplus(x, threshold=1e9))
        + activation("softplus beta=2.5", lambda x: F.softplus(x, 2.5, 1e9))
    )


def channels_last_norm(x, weight=None, bias=None, epsilon=1e-5):
    """layer_norm over the channels of an image."""
    return F.layer_norm(x.permute(0, 2, 3, 1), x.shape[1:2], weight, bias, epsilon).permute(0, 3, 1, 2)


def normalized_cases():
    def deviation(unbiased):
        return lambda x: x.flatten(1).std(1, unbiased=unbiased, keepdim=True)

    def rows(x, weight=None, bias=None, epsilon=1e-5):
        return F.layer_norm(x, x.shape[1:], weight, bias, epsilon)

    def pair(*shape):
        return {"weight": exact(*shape), "bias": exact(*shape)}

    return [
        case("prelu", [exact(2, 3, 3, 4, steps=8)], F.prelu, {"weight": exact(1)}),
        case("prelu per_channel=true", [exact(2, 3, 3, 4, steps=8)], F.prelu, {"weight": exact(3)}),
        case("prelu per_channel=true", [exact(3, 5)], F.prelu, {"weight": exact(5)}),
        case("log_softmax", [exact(3, 10) * 4], lambda x: F.log_softmax(x, 1)),
        case("log_softmax", [exact(2, 5, 2, 3)], lambda x: F.log_softmax(x, 1)),
        case("log_softmax", [exact(2, 4) * 512], lambda x: F.log_softmax(x, 1)),
        case("layernorm", [exact(2, 5, 2, 3)], channels_last_norm, pair(5)),
        case("layernorm epsilon=0.0625", [exact(4, 7)], lambda x, weight, bias: rows(x, weight, bias, 0.0625), pair(7)),
        case("layernorm affine=false", [exact(3, 9)], rows),
        # Weights (C, H, W) on disk.
        case("layernorm over=sample", [exact(2, 4, 2, 3)], rows, pair(4, 2, 3)),
        case("std", [exact(3, 6)], deviation(False)),
        case("std", [exact(2, 3, 2, 4)], deviation(False)),
        case("std unbiased=true", [exact(3, 6)], deviation(True)),
    ]


def loss_cases():
    def labelled(line, x, loss):
        labels = torch.randint(0, x.shape[1], (len(x),))
        return case(line, [x], lambda x: loss(x, labels), labels=labels.tolist())

    def logits(line, x, **arguments):
        return labelled("softmax_cross_entropy" + line, x,
                        lambda x, labels: F.cross_entropy(x, labels, reduction="none", **arguments))  # fmt: skip

    def probabilities(line, x, **arguments):
        """PyTorch has none with smoothing: by its definition."""

        def loss(x, labels):
            weight, smoothing = arguments.get("weight"), arguments.get("label_smoothing", 0)
            target = (1 - smoothing) * F.one_hot(labels, x.shape[1]) + smoothing / x.shape[1]
            return -(target * (1 if weight is None else weight) * x.log()).sum(1)

        return labelled("cross_entropy" + line, x, loss)

    def against(line, loss, *shape, low=-1.0):
        target = exact(*shape, low=low)
        return case(line, [exact(*shape) * 2], lambda x: loss(x, target).flatten(1).mean(1),
                    values=numbers(to_nhwc(target)))  # fmt: skip

    def summed(line, loss, factor=1.0):
        target = exact(4, 9)
        return case(line, [exact(4, 9)], lambda x: factor * loss(x, target).sum(1), values=numbers(target))

    def plain(loss, **arguments):
        return lambda x, target: loss(x, target, reduction="none", **arguments)

    weight = torch.tensor([1.0, 2.5, 0.5, 2.0]).double()
    text = " weights=1,2.5,0.5,2"
    half = torch.tensor(0.5).double()
    return [
        logits(" smoothing=0.125", exact(5, 10) * 4, label_smoothing=0.125),
        logits(text, exact(6, 4), weight=weight),
        logits(text + " smoothing=0.25", exact(6, 4), weight=weight, label_smoothing=0.25),
        probabilities("", exact(5, 10, low=0.125)),
        probabilities(" smoothing=0.125", exact(5, 10, low=0.125), label_smoothing=0.125),
        probabilities(text + " smoothing=0.25", exact(6, 4, low=0.125), weight=weight, label_smoothing=0.25),
        summed("mse reduction=sum", plain(F.mse_loss)),
        summed("mse reduction=half_sum", plain(F.mse_loss), 0.5),
        against("l1", plain(F.l1_loss), 4, 10),
        against("l1", plain(F.l1_loss), 2, 3, 2, 4),
        summed("l1 reduction=sum", plain(F.l1_loss)),
        against("huber", plain(F.huber_loss), 4, 10),
        against("huber delta=0.3125", plain(F.huber_loss, delta=0.3125), 2, 3, 2, 4),
        summed("huber reduction=sum", plain(F.huber_loss)),
        against("smooth_l1", plain(F.smooth_l1_loss), 4, 10),
        against("smooth_l1 beta=0.3125", plain(F.smooth_l1_loss, beta=0.3125), 2, 3, 2, 4),
        against("bce_with_logits", plain(F.binary_cross_entropy_with_logits), 4, 10, low=0.0),
        against("bce_with_logits pos_weight=0.5", plain(F.binary_cross_entropy_with_logits, pos_weight=half), 2, 3, 2, 4,
                low=0.0),
    ]  # fmt: skip


def layout_cases():
    def transposed(options, channels, height, width, kernel, filters, bias=True, groups=1, **arguments):
        tensors = {"weight": exact(channels, filters // groups, *kernel)}
        if bias:
            tensors["bias"] = exact(filters)

        def compute(x, weight, bias=None):
            return F.conv_transpose2d(x, weight, bias, groups=groups, **arguments)

        return case("conv_transpose2d filters=%d %s" % (filters, options), [exact(2, channels, height, width)], compute,
                    tensors)  # fmt: skip

    def concat(axis, *inputs):
        dim = {"channels": 1, "height": 2, "width": 3}[axis]
        return case("concat axis=" + axis, list(inputs), lambda *x: torch.cat(x, dim))

    return [
        transposed("kernel=3", 3, 4, 3, (3, 3), 4),
        transposed("kernel=4 stride=2 pad=1", 3, 3, 4, (4, 4), 2, stride=2, padding=1),
        transposed("kernel=3x2 stride=2x3 pad=1x0 output_pad=1x2", 3, 3, 4, (3, 2), 4, stride=(2, 3), padding=(1, 0),
                   output_padding=(1, 2)),
        transposed("kernel=3 dilation=2 output_pad=1 bias=false", 2, 3, 3, (3, 3), 3, bias=False, dilation=2,
                   output_padding=1),
        transposed("kernel=3 groups=2 stride=2 output_pad=1", 4, 3, 2, (3, 3), 6, groups=2, stride=2, output_padding=1),
        transposed("kernel=1", 5, 3, 2, (1, 1), 4),
        concat("channels", exact(2, 3, 2, 4), exact(2, 1, 2, 4)),
        concat("height", exact(2, 3, 2, 4), exact(2, 3, 1, 4), exact(2, 3, 2, 4)),
        concat("width", exact(2, 3, 2, 1), exact(2, 3, 2, 4)),
        case("concat", [exact(3, 4), exact(3, 5)], lambda *x: torch.cat(x, 1)),
        case("pad size=2x1 value=0.5", [exact(2, 3, 2, 4)], lambda x: F.pad(x, (1, 1, 2, 2), value=0.5)),
        case("pad top=1 right=2 size=1", [exact(2, 3, 2, 4)], lambda x: F.pad(x, (1, 3, 2, 1))),
        case("reshape size=2x3", [exact(2, 24)], lambda x: x.reshape(2, 4, 2, 3)),
        case("reshape size=4x2 channels=3", [exact(2, 4, 2, 3)], lambda x: x.reshape(2, 3, 4, 2)),
        case("view size=1x4 channels=6", [exact(2, 3, 2, 4)],
             lambda x: x.permute(0, 2, 3, 1).reshape(2, 1, 4, 6).permute(0, 3, 1, 2)),
        case("resize scale=2", [exact(2, 3, 2, 4)], lambda x: F.interpolate(x, scale_factor=2)),
        case("resize scale=3x1", [exact(2, 3, 2, 4)], lambda x: F.interpolate(x, scale_factor=(3.0, 1.0))),
    ]  # fmt: skip


def combined_cases():
    """Sums, products and their kin, broadcast or with constants, joins of many, reductions and what came with them."""

    def both(line, compute, *shapes, low=-1.0):
        return case(line, [exact(*shape, steps=16, low=low) for shape in shapes], compute)

    def constant(line, compute, shape, *x):
        return case(line, [exact(*x)], lambda x, value: compute(x, value), {"value": exact(*shape, low=0.25)})

    def fixed(line, compute, *shape):
        return case(line, [exact(*shape)], compute)

    def many(join):
        compute = {"concat": lambda *x: torch.cat(x, 1), "add": lambda *x: sum(x)}[join]
        return case(join, [exact(2, 3, 2, 2) for _ in range(40)], compute)

    def norm(groups, epsilon=1e-5):
        return lambda x, weight, bias: F.group_norm(x, groups, weight, bias, epsilon)

    def pair(channels):
        return {"weight": exact(channels), "bias": exact(channels)}

    image = (2, 3, 2, 4)
    return [
        case("mul", [exact(*image), exact(2, 3)], lambda x, gate: x * gate[:, :, None, None]),
        both("mul", torch.mul, image, (2, 1, 2, 4)),
        both("mul", torch.mul, image, image),
        both("add", torch.add, (2, 3, 1, 4), (2, 3, 2, 1)),
        both("sub", torch.sub, (2, 5), (2, 5)),
        both("sub", torch.sub, (2, 3, 1, 1), image),
        both("div", torch.div, image, (2, 3, 1, 1), low=0.25),
        both("min", torch.minimum, image, image),
        both("max", torch.maximum, image, (2, 3, 1, 1)),
        fixed("add value=0.5,-1,2", lambda x: x + torch.tensor([0.5, -1, 2]).double()[:, None, None], *image),
        fixed("sub value=1 reverse=true", lambda x: 1 - x, 2, 7),
        constant("mul channels=3 trainable=true", lambda x, v: x * v[:, None, None], (3,), *image),
        constant("div size=2x4 channels=3 trainable=true", torch.div, (3, 2, 4), *image),
        constant("sub size=2x4 trainable=true reverse=true", lambda x, v: v - x, (1, 2, 4), *image),
        many("concat"),
        many("add"),
        fixed("clip min=-0.5 max=0.25", lambda x: x.clamp(-0.5, 0.25), *image),
        fixed("selu", F.selu, *image),
        fixed("celu alpha=0.5", lambda x: F.celu(x, 0.5), *image),
        fixed("hardsigmoid", lambda x: F.hardsigmoid(x), *image),
        fixed("mish", lambda x: x * torch.tanh(F.softplus(x, threshold=1e9)), *image),
        fixed("thresholded_relu alpha=0.28", lambda x: F.threshold(x, 0.28, 0.0), *image),
        fixed("softsign", F.softsign, *image),
        fixed("exp", torch.exp, *image),
        both("log", torch.log, image, low=0.25),
        both("sqrt", torch.sqrt, image, low=0.25),
        fixed("abs", torch.abs, *image),
        fixed("pow exponent=3", lambda x: x ** 3, *image),
        fixed("erf", torch.erf, *image),
        fixed("sin", torch.sin, *image),
        fixed("cos", torch.cos, *image),
        fixed("reduce", lambda x: x.mean((2, 3), keepdim=True), *image),
        fixed("reduce by=sum axes=channels", lambda x: x.sum(1, keepdim=True), *image),
        fixed("reduce by=max axes=space keepdims=false", lambda x: x.amax((2, 3)), *image),
        case("groupnorm groups=2", [exact(2, 4, 2, 3)], norm(2), pair(4)),
        case("groupnorm epsilon=0.0625", [exact(2, 4, 2, 3)], norm(4, 0.0625), pair(4)),
        fixed("softmax axis=height", lambda x: F.softmax(x, 2), *image),
        fixed("softmax axis=sample", lambda x: F.softmax(x.flatten(1), 1).reshape(x.shape), *image),
        fixed("log_softmax axis=width", lambda x: F.log_softmax(x, 3), *image),
        fixed("lrn size=3 alpha=0.5 bias=2", lambda x: F.local_response_norm(x, 3, 0.5, 0.75, 2.0), 2, 7, 2, 2),
        # Width and channels are rows and columns: in C, H, W order the matrices are transposed.
        case("matmul", [exact(2, 4, 2, 3), exact(2, 5, 2, 4)],
             lambda a, b: (a.permute(0, 2, 3, 1) @ b.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)),
        case("matmul transpose_a=true transpose_b=true", [exact(2, 3, 2, 4), exact(2, 4, 2, 5)],
             lambda a, b: (a.permute(0, 2, 1, 3) @ b.permute(0, 2, 1, 3)).permute(0, 3, 1, 2)),
    ]  # fmt: skip


def operator_cases():
    # New ones behind the others, whose random numbers then stay.
    return (
        conv_cases()
        + linear_cases()
        + pool_cases()
        + other_cases()
        + activation_cases()
        + normalized_cases()
        + loss_cases()
        + layout_cases()
        + combined_cases()
    )
