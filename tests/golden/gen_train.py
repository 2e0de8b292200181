#!/usr/bin/python3
"""Write the golden values of optimisers, training-rules.json, with PyTorch.

Run it by hand after adding one:  /usr/bin/python3 tests/golden/gen_train.py  (Debian's python3-torch, 1.13).
An optimiser is fed the same given gradients for 20 steps, in float64, so that nothing but its own rule is compared."""

import json
import os

import torch

FOLDER = os.path.dirname(os.path.abspath(__file__))
STEPS, COUNT = 20, 37
RATE = 2.0**-5


def exact(*shape):
    """Random multiples of 1/64 in [-1, 1]."""
    return torch.randint(-64, 65, shape).double() / 64


def numbers(tensor):
    return [float("%.12g" % v) for v in tensor.detach().flatten().tolist()]


class PreviousGradient(torch.optim.Optimizer):
    """w -= gamma * lr * g_previous + lr * g, written out."""

    def __init__(self, parameters, lr, gamma, decay=0.0):
        super().__init__(parameters, {"lr": lr, "gamma": gamma, "decay": decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                g = p.grad + group["decay"] * p
                before = self.state[p].get("before", torch.zeros_like(p))
                p -= group["gamma"] * group["lr"] * before + group["lr"] * g
                self.state[p]["before"] = g


class Decoupled:
    """Any optimiser with decoupled decay: the parameters shrink before its step."""

    def __init__(self, parameters, decay, inner):
        self.parameters, self.decay, self.inner = parameters, decay, inner

    @torch.no_grad()
    def step(self):
        for p in self.parameters:
            p *= 1 - RATE * self.decay
        self.inner.step()


def follow(line, make, start, gradients, every=5):
    p = start.clone().requires_grad_()
    optimizer = make([p])
    found = []
    for step, g in enumerate(gradients):
        p.grad = g.clone()
        optimizer.step()
        if (step + 1) % every == 0:
            found.append(numbers(p))
    return {"optimizer": line, "after": found}


def optimizer_cases(start, gradients):
    o = torch.optim

    def sgd(p, **options):
        return o.SGD(p, RATE, **options)

    def rmsprop(p, **options):
        return o.RMSprop(p, RATE, **options)

    cases = [
        ("sgd", sgd),
        ("sgd momentum=0.875", lambda p: sgd(p, momentum=0.875)),
        ("sgd momentum=0.5 decay=0.0625", lambda p: sgd(p, momentum=0.5, weight_decay=0.0625)),
        ("sgd momentum=0.5 decay=0.0625 decoupled=true", lambda p: Decoupled(p, 0.0625, sgd(p, momentum=0.5))),
        ("nesterov momentum=0.875", lambda p: sgd(p, momentum=0.875, nesterov=True)),
        ("nesterov decay=0.0625", lambda p: sgd(p, momentum=0.9, nesterov=True, weight_decay=0.0625)),
        ("previous_gradient momentum=0.875", lambda p: PreviousGradient(p, RATE, 0.875)),
        ("previous_gradient decay=0.0625", lambda p: PreviousGradient(p, RATE, 0.9, 0.0625)),
        ("adagrad", lambda p: o.Adagrad(p, RATE)),
        ("adagrad initial=0.25 lr_decay=0.0625 epsilon=0.0009765625 decay=0.0625",
         lambda p: o.Adagrad(p, RATE, lr_decay=0.0625, weight_decay=0.0625, initial_accumulator_value=0.25, eps=2.0**-10)),
        ("rmsprop", rmsprop),
        ("rmsprop alpha=0.875 momentum=0.5 decay=0.0625",
         lambda p: rmsprop(p, alpha=0.875, momentum=0.5, weight_decay=0.0625)),
        ("rmsprop alpha=0.875 centred=true epsilon=0.0009765625",
         lambda p: rmsprop(p, alpha=0.875, centered=True, eps=2.0**-10)),
        ("rmsprop alpha=0.875 centred=true momentum=0.5 epsilon=0.0009765625",
         lambda p: rmsprop(p, alpha=0.875, centered=True, momentum=0.5, eps=2.0**-10)),
        ("adam", lambda p: o.Adam(p, RATE)),
        ("adam beta1=0.75 beta2=0.96875 epsilon=0.0009765625 decay=0.0625",
         lambda p: o.Adam(p, RATE, betas=(0.75, 0.96875), eps=2.0**-10, weight_decay=0.0625)),
        ("adamw", lambda p: o.AdamW(p, RATE)),
        ("adamw beta2=0.96875 decay=0.0625", lambda p: o.AdamW(p, RATE, betas=(0.9, 0.96875), weight_decay=0.0625)),
    ]  # fmt: skip
    return [follow(line, make, start, gradients) for line, make in cases]


def write(name, value):
    """A line an entry of the lists, so that a difference shows which one."""
    text = json.dumps(value, separators=(",", ":"))
    for key in ("optimizers", "schedules"):
        text = text.replace('"%s":[{' % key, '"%s":[\n{' % key)
    text = text.replace('},{"', '},\n{"')
    with open(os.path.join(FOLDER, name), "w", encoding="utf-8") as file:
        file.write(text + "\n")


def main():
    torch.manual_seed(11)
    torch.set_num_threads(1)
    start, gradients = exact(COUNT), exact(STEPS, COUNT)
    gradients[:, 5] = 0  # what never has a gradient
    write("training-rules.json", {
        "by": "PyTorch " + torch.__version__, "rate": RATE, "start": numbers(start),
        "gradients": [numbers(g) for g in gradients], "every": 5,
        "optimizers": optimizer_cases(start, gradients)})  # fmt: skip


main()
