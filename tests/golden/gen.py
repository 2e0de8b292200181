#!/usr/bin/python3
"""Write the golden values of this folder with PyTorch: operators.json, training.json, lenet5.json and
lenet5-pytorch.safetensors.

Run it by hand after adding an operator:  /usr/bin/python3 tests/golden/gen.py  (Debian's python3-torch, 1.13).
The tests read the files only. All values are computed in float64 from inputs that float32 holds exactly, so what
differs in a float32 engine is that engine's rounding. Arrays are flat: images in N, H, W, C order, tensors of layers
in PyTorch's own order. Dropout has no values here: its mask is a random stream of the engine's own; tests/ops checks
its share of zeros, its scale and that backward uses the mask of forward."""

import json
import os
import struct
import warnings

import torch
import torch.nn.functional as F

FOLDER = os.path.dirname(os.path.abspath(__file__))


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


class Small(torch.nn.Module):
    """Names as in SMALL_LAYERS: batch norm, a residual, a linear layer behind a flatten."""

    def __init__(self):
        super().__init__()
        self.c1 = torch.nn.Conv2d(2, 4, 3, padding=1, bias=False)
        self.b1 = torch.nn.BatchNorm2d(4)
        self.c2 = torch.nn.Conv2d(4, 4, 3, padding=1)
        self.l1 = torch.nn.Linear(64, 5)

    def forward(self, x):
        p1 = F.max_pool2d(F.relu(self.b1(self.c1(x))), 2)
        r2 = F.relu(self.c2(p1))
        return self.l1((r2 + p1).flatten(1))


SMALL_LAYERS = [
    ["c1", "conv2d filters=4 kernel=3 pad=1 bias=false"],
    ["b1", "batchnorm"],
    ["r1", "relu"],
    ["p1", "maxpool2d size=2"],
    ["c2", "conv2d filters=4 kernel=3 pad=1"],
    ["r2", "relu"],
    ["a1", "add from=r2,p1"],
    ["f", "flatten"],
    ["l1", "linear units=5"],
]


def float32_exact(module):
    """Round a module's numbers to float32 and keep them as float64."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(parameter.float().double())


def state(module):
    return {k: numbers(v) for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}


def small_training(optimizer, decay, make, cycle=None):
    """20 steps over four batches again and again. Weight decay for the weights of conv and linear only."""
    torch.manual_seed(5)
    model = Small().double()
    float32_exact(model)
    weights = [model.c1.weight, model.c2.weight, model.l1.weight]
    others = [p for p in model.parameters() if all(p is not w for w in weights)]
    rate = 2.0**-6
    made = make([{"params": weights, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}], rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(made, rate, 20, **cycle) if cycle else None
    x, labels = exact(4, 6, 2, 8, 8, steps=8), torch.randint(0, 5, (4, 6))
    found = {"optimizer": optimizer, "schedule": "one_cycle" if cycle else "constant", "rate": rate,
             "input": [8, 8, 2], "layers": SMALL_LAYERS, "batch": 6, "state": state(model),
             "x": [numbers(to_nhwc(b)) for b in x], "labels": labels.tolist(), "losses": [], "rates": []}  # fmt: skip
    for step in range(20):
        made.zero_grad()
        loss = F.cross_entropy(model(x[step % 4]), labels[step % 4])
        loss.backward()
        found["rates"].append(made.param_groups[0]["lr"])
        found["losses"].append(float("%.12g" % loss.item()))
        if step == 0:
            found["gradients"] = {k: numbers(p.grad) for k, p in model.named_parameters()}
        made.step()
        if schedule and step < 19:
            schedule.step()
    found["after"] = state(model)
    model.eval()
    found["logits"] = numbers(model(x[0]))
    return found


CYCLE = {"cycle_momentum": False, "div_factor": 25.0, "final_div_factor": 400.0}


def training_cases():
    sgd, adam = torch.optim.SGD, torch.optim.Adam
    return [
        small_training("sgd", 0, lambda p, lr: sgd(p, lr)),
        small_training("sgd momentum=0.875 decay=0.0625", 0.0625, lambda p, lr: sgd(p, lr, momentum=0.875)),
        small_training("adam", 0, lambda p, lr: adam(p, lr)),
        small_training("adam beta1=0.75 beta2=0.96875 epsilon=0.0009765625 decay=0.0625", 0.0625,
                       lambda p, lr: adam(p, lr, betas=(0.75, 0.96875), eps=2.0**-10)),
        small_training("adam", 0, lambda p, lr: adam(p, lr), CYCLE),
    ]  # fmt: skip


def schedule_case(total, options, **arguments):
    made = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(made, 1.0, total, cycle_momentum=False, **arguments)
    factors = []
    for step in range(total):
        factors.append(float("%.12g" % made.param_groups[0]["lr"]))
        made.step()
        if step + 1 < total:
            schedule.step()
    return {"schedule": "one_cycle" + options, "total": total, "factors": factors}


def schedule_cases():
    return [
        schedule_case(20, "", div_factor=25, final_div_factor=400),
        schedule_case(101, " warmup=0.125 start=0.25 end=0.0009765625", pct_start=0.125, div_factor=4,
                      final_div_factor=256),
        schedule_case(10, " warmup=0.5 start=0.5 end=0.5", pct_start=0.5, div_factor=2, final_div_factor=1),
    ]  # fmt: skip


class LeNet5(torch.nn.Module):
    """Module names are the layer names of data/recipes/lenet5.ini."""

    def __init__(self):
        super().__init__()
        self.c1 = torch.nn.Conv2d(1, 6, 5, padding=2)
        self.c2 = torch.nn.Conv2d(6, 16, 5)
        self.c3 = torch.nn.Conv2d(16, 120, 5)
        self.l1 = torch.nn.Linear(120, 84)
        self.l2 = torch.nn.Linear(84, 10)

    def forward(self, x):
        x = F.avg_pool2d(F.relu(self.c1(x)), 2)
        x = F.avg_pool2d(F.relu(self.c2(x)), 2)
        x = F.relu(self.c3(x)).flatten(1)
        return self.l2(F.relu(self.l1(x)))


def write_safetensors(path, tensors):
    """The format by hand, as Debian has no safetensors package: length of the header, header, data."""
    header, data = {}, b""
    for name, tensor in tensors.items():
        raw = struct.pack("<%df" % tensor.numel(), *tensor.flatten().tolist())
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def synthetic_batch(number, count):
    """Images of 7x7 squares of 4x4 pixels, and labels, from a linear congruential generator: test_golden.c draws the same."""
    state_ = number

    def draw():
        nonlocal state_
        state_ = (state_ * 1664525 + 1013904223) % 2**32
        return state_ >> 24

    images, labels = torch.zeros(count, 1, 28, 28).double(), []
    for n in range(count):
        squares = torch.tensor([draw() for _ in range(49)]).reshape(7, 7)
        images[n, 0] = squares.repeat_interleave(4, 0).repeat_interleave(4, 1) / 256
        labels.append(draw() % 10)
    return images, torch.tensor(labels)


def lenet_values():
    torch.manual_seed(98)
    model = LeNet5()
    write_safetensors(os.path.join(FOLDER, "lenet5-pytorch.safetensors"), model.state_dict())
    model = model.double()
    pixels = torch.randint(0, 256, (8, 1, 28, 28))
    found = {"pixels": pixels.flatten().tolist(), "logits": numbers(model(pixels.double() / 256))}
    made = torch.optim.Adam(model.parameters(), 2.0**-9)
    found.update(batch=32, rate=2.0**-9, losses=[])
    for step in range(10):
        images, labels = synthetic_batch(step % 3 + 1, 32)
        made.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        made.step()
        found["losses"].append(float("%.12g" % loss.item()))
    return found


def write(name, value):
    """A line an entry of the lists, so that a difference shows which one."""
    text = json.dumps(value, separators=(",", ":"))
    for key in ("cases", "trainings", "schedules"):
        text = text.replace('"%s":[{' % key, '"%s":[\n{' % key)
    text = text.replace('},{"op"', '},\n{"op"').replace('},{"optimizer"', '},\n{"optimizer"')
    with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
        file.write(text + "\n")


def main():
    warnings.filterwarnings("ignore", "Using padding='same' with even kernel")
    torch.manual_seed(1)
    torch.set_num_threads(1)
    by = "PyTorch " + torch.__version__
    # New ones behind the others, whose random numbers then stay.
    cases = conv_cases() + linear_cases() + pool_cases() + other_cases() + activation_cases()
    cases += normalized_cases() + loss_cases()
    write("operators.json", {"by": by, "cases": cases})
    write("training.json", {"by": by, "trainings": training_cases(), "schedules": schedule_cases()})
    write("lenet5.json", {"by": by, **lenet_values()})


main()
