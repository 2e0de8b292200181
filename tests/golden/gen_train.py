#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Write the golden values of optimisers and schedules, training-rules.json, with PyTorch.

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


class Muon(torch.optim.Optimizer):
    """Muon of one weight (outputs, inputs), written out; torch.optim.Muon, which is newer, rounds to bfloat16."""

    def __init__(self, parameters, momentum=0.95, iterations=5, decay=0.0):
        super().__init__(parameters, {"momentum": momentum, "iterations": iterations, "decay": decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
                velocity.mul_(group["momentum"]).add_(p.grad)
                x = p.grad + group["momentum"] * velocity
                x = x / (x.norm() + 1e-7)
                for _ in range(group["iterations"]):
                    square = x @ x.T
                    x = 3.4445 * x + (-4.7750 * square + 2.0315 * square @ square) @ x
                p *= 1 - RATE * group["decay"]
                p -= RATE * max(1, p.shape[0] / p.shape[1]) ** 0.5 * x


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
        ("muon", lambda p: o.Adam(p, RATE * 0.05)),
        ("muon rest=0.5 beta1=0.75 beta2=0.96875", lambda p: o.Adam(p, RATE * 0.5, betas=(0.75, 0.96875))),
    ]  # fmt: skip
    return [follow(line, make, start, gradients) for line, make in cases]


def matrix_cases():
    """Whole weights: of more inputs than outputs, of fewer, of as many. What lies in memory is (inputs, outputs)."""
    cases = [
        ("muon", Muon, 7, 5),
        ("muon momentum=0.875 iterations=3", lambda p: Muon(p, 0.875, 3), 5, 8),
        ("muon momentum=0.5 decay=0.0625", lambda p: Muon(p, 0.5, 5, 0.0625), 6, 6),
    ]
    found = []
    for line, make, inputs, outputs in cases:
        start, gradients = exact(inputs, outputs), exact(STEPS, inputs, outputs)
        one = follow(line, make, start.T, gradients.transpose(1, 2))
        after = [torch.tensor(a).reshape(outputs, inputs).T for a in one["after"]]
        found.append({"optimizer": line, "rows": inputs, "columns": outputs, "start": numbers(start),
                      "gradients": [numbers(g) for g in gradients], "after": [numbers(a) for a in after]})  # fmt: skip
    return found


def factors_of(make, steps, losses=None):
    """The learning rates of `steps` calls, for a rate of 1. `losses`: what ReduceLROnPlateau is told after each."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    schedule = make(optimizer)
    found = []
    for step in range(steps):
        found.append(float("%.12g" % optimizer.param_groups[0]["lr"]))
        optimizer.step()
        if losses:
            schedule.step(losses[step])
        else:
            schedule.step()
    return found


def warmed(make, units, start=0.1):
    """LinearLR for `units`, then the schedule."""
    s = torch.optim.lr_scheduler
    return lambda o: s.SequentialLR(o, [s.LinearLR(o, start, 1.0, units), make(o)], [units])


def schedule_case(line, make, epochs=1, losses=None):
    """STEPS steps in `epochs` epochs; with more than one the schedule is per epoch."""
    factors = factors_of(make, epochs if epochs > 1 else STEPS, losses)
    found = {"schedule": line, "epochs": epochs, "factors": [f for f in factors for _ in range(STEPS // len(factors))]}
    if losses:
        found["losses"] = losses
    return found


def schedule_cases():
    s = torch.optim.lr_scheduler
    falling = [1.0, 0.5, 0.5, 0.4999, 0.499, 0.6, 0.7, 0.8, 0.3, 0.3, 0.3, 0.3, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2, 0.2]

    def plateau(**options):
        return lambda o: s.ReduceLROnPlateau(o, eps=0, **options)

    def constant(o):
        return s.LambdaLR(o, lambda _: 1.0)

    return [
        schedule_case("constant", constant),
        schedule_case("constant warmup=8 warmup_start=0.25", warmed(constant, 8, 0.25)),
        schedule_case("linear", lambda o: s.LinearLR(o, 1.0, 0.0, STEPS)),
        schedule_case("linear start=0.5 end=0.125 length=8", lambda o: s.LinearLR(o, 0.5, 0.125, 8)),
        schedule_case("linear end=0.25 warmup=4", warmed(lambda o: s.LinearLR(o, 1.0, 0.25, STEPS - 4), 4)),
        schedule_case("linear end=0.25 per=epoch", lambda o: s.LinearLR(o, 1.0, 0.25, 10), 10),
        schedule_case("step every=6", lambda o: s.StepLR(o, 6)),
        schedule_case("step every=3 factor=0.75 warmup=5", warmed(lambda o: s.StepLR(o, 3, 0.75), 5)),
        schedule_case("step every=2 factor=0.5 per=epoch", lambda o: s.StepLR(o, 2, 0.5), 5),
        schedule_case("exponential factor=0.875", lambda o: s.ExponentialLR(o, 0.875)),
        schedule_case("exponential factor=0.875 warmup=3", warmed(lambda o: s.ExponentialLR(o, 0.875), 3)),
        schedule_case("exponential factor=0.5 per=epoch", lambda o: s.ExponentialLR(o, 0.5), 4),
        schedule_case("cosine", lambda o: s.CosineAnnealingLR(o, STEPS)),
        schedule_case("cosine end=0.125 warmup=5 warmup_start=0.5",
                      warmed(lambda o: s.CosineAnnealingLR(o, STEPS - 5, 0.125), 5, 0.5)),
        schedule_case("cosine end=0.125 per=epoch warmup=2",
                      warmed(lambda o: s.CosineAnnealingLR(o, 8, 0.125), 2), 10),
        schedule_case("plateau watch=training patience=1 factor=0.5", plateau(patience=1, factor=0.5), 20, falling),
        schedule_case("plateau patience=0 factor=0.5 threshold=0.01 cooldown=2 end=0.125",
                      plateau(patience=0, factor=0.5, threshold=0.01, cooldown=2, min_lr=0.125), 20, falling),
    ]  # fmt: skip


def write(name, value):
    """A line an entry of the lists, so that a difference shows which one."""
    text = json.dumps(value, separators=(",", ":"))
    for key in ("optimizers", "matrices", "schedules"):
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
        "optimizers": optimizer_cases(start, gradients), "matrices": matrix_cases(), "schedules": schedule_cases()})  # fmt: skip


main()
