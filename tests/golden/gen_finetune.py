#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write the golden values of fine-tuning, finetune.json, with PyTorch: frozen layers, and learning rates of layers.

Run it by hand:  /usr/bin/python3 tests/golden/gen_finetune.py  (Debian's python3-torch, 1.13).
A frozen layer is eval() and requires_grad=False, a scaled one a parameter group of its own. All is computed in float64
from inputs that float32 holds exactly."""

import json
import os

import torch
import torch.nn.functional as F

from operator_cases import exact, numbers, to_nhwc

FOLDER = os.path.dirname(os.path.abspath(__file__))
RATE, STEPS, BATCH = 2.0**-6, 20, 6


class Net(torch.nn.Module):
    """Names as in LAYERS."""

    def __init__(self):
        super().__init__()
        self.c1 = torch.nn.Conv2d(2, 4, 3, padding=1)
        self.b1 = torch.nn.BatchNorm2d(4)
        self.c2 = torch.nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.b2 = torch.nn.BatchNorm2d(4)
        self.l1 = torch.nn.Linear(64, 5)

    def forward(self, x):
        r1 = F.relu(self.b1(self.c1(x)))
        r2 = F.relu(self.b2(self.c2(r1)) + r1)
        return self.l1(F.max_pool2d(r2, 2).flatten(1))


LAYERS = [
    ["c1", "conv2d filters=4 kernel=3 pad=1"],
    ["b1", "batchnorm"],
    ["r1", "relu"],
    ["c2", "conv2d filters=4 kernel=3 pad=1 bias=false"],
    ["b2", "batchnorm"],
    ["a2", "add from=b2,r1"],
    ["r2", "relu"],
    ["p2", "maxpool2d size=2"],
    ["l1", "linear units=5"],
]


def state(module):
    return {k: numbers(v) for k, v in module.state_dict().items() if not k.endswith("num_batches_tracked")}


def start():
    """A network as somebody else left it: running statistics that are not the batch's."""
    net = Net().double()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(parameter.float().double())
        for norm in (net.b1, net.b2):
            norm.running_mean.copy_(exact(4) / 4)
            norm.running_var.copy_(1 + exact(4) / 2)
            norm.weight.copy_(1 + exact(4) / 4)
            norm.bias.copy_(exact(4) / 4)
    return net


def training(optimizer, make, decay, freeze, scale, clip_norm):
    torch.manual_seed(17)
    net = start()
    layers = dict(net.named_children())
    for name in freeze:
        layers[name].eval()
        layers[name].requires_grad_(False)
    groups = []
    for name, layer in layers.items():
        for suffix, parameter in layer.named_parameters():
            if parameter.requires_grad:
                is_weight = suffix == "weight" and parameter.dim() > 1
                groups.append({"params": [parameter], "lr": RATE * scale.get(name, 1), "weight_decay": decay if is_weight else 0.0})
    made = make(groups, RATE)
    x, labels = exact(4, BATCH, 2, 8, 8, steps=8), torch.randint(0, 5, (4, BATCH))
    found = {"optimizer": optimizer, "schedule": "constant", "rate": RATE, "freeze": ",".join(freeze),
             "lr_scale": " ".join(f"{k}={v}" for k, v in scale.items()), "clip_norm": clip_norm,
             "input": [8, 8, 2], "layers": LAYERS, "batch": BATCH, "state": state(net),
             "x": [numbers(to_nhwc(b)) for b in x], "labels": labels.tolist(), "losses": [], "rates": []}  # fmt: skip
    trained = [p for p in net.parameters() if p.requires_grad]
    for step in range(STEPS):
        made.zero_grad()
        loss = F.cross_entropy(net(x[step % 4]), labels[step % 4])
        loss.backward()
        if clip_norm:
            torch.nn.utils.clip_grad_norm_(trained, clip_norm)
        found["rates"].append(RATE)
        found["losses"].append(float("%.12g" % loss.item()))
        if step == 0:
            found["gradients"] = {k: numbers(p.grad) for k, p in net.named_parameters() if p.requires_grad}
        made.step()
    found["after"] = state(net)
    net.eval()
    found["logits"] = numbers(net(x[0]))
    return found


def main():
    torch.set_num_threads(1)
    sgd, adamw = torch.optim.SGD, torch.optim.AdamW
    cases = [
        training("adamw decay=0.25", adamw, 0.25, ["c1", "b1"], {"c2": 0.25, "l1": 2}, 0),
        training("sgd momentum=0.875 decay=0.0625", lambda g, lr: sgd(g, lr, momentum=0.875), 0.0625, ["b1", "c2"],
                 {"c1": 0.5}, 0.5),
    ]  # fmt: skip
    text = json.dumps({"by": "PyTorch " + torch.__version__, "trainings": cases}, separators=(",", ":"))
    with open(os.path.join(FOLDER, "finetune.json"), "w", encoding="utf-8") as file:
        file.write(text.replace('{"optimizer"', '\n{"optimizer"') + "\n")


main()
