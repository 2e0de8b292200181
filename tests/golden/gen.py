#!/usr/bin/python3
# SPDX-License-Identifier: MIT
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

from operator_cases import exact, numbers, operator_cases, to_nhwc

FOLDER = os.path.dirname(os.path.abspath(__file__))


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


# Warm-ups of less than a step, of one and a bit, of all; runs of a few steps.
SHORT = [(1, 0.3), (2, 0.3), (3, 0.3), (4, 0.3), (7, 0.3), (10, 0.0), (1, 0.0), (2, 0.0), (12, 0.05), (40, 0.02), (9, 0.15), (5, 1.0)]


def schedule_cases():
    return [
        schedule_case(20, "", div_factor=25, final_div_factor=400),
        schedule_case(101, " warmup=0.125 start=0.25 end=0.0009765625", pct_start=0.125, div_factor=4,
                      final_div_factor=256),
        schedule_case(10, " warmup=0.5 start=0.5 end=0.5", pct_start=0.5, div_factor=2, final_div_factor=1),
    ] + [
        schedule_case(total, f" warmup={warmup}" if warmup != 0.3 else "", pct_start=warmup, div_factor=25, final_div_factor=400)
        for total, warmup in SHORT
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
    write("operators.json", {"by": by, "cases": operator_cases()})
    write("training.json", {"by": by, "trainings": training_cases(), "schedules": schedule_cases()})
    write("lenet5.json", {"by": by, **lenet_values()})


if __name__ == "__main__":
    main()
