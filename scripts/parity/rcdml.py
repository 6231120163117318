#!/usr/bin/env python3
"""Twenty training steps of RCDML (Zhang et al., Applied Intelligence 2024) and of Proxy-Anchor (Kim et al., CVPR 2020)
in PyTorch, double precision.

A restatement from the formulas of the methods, on a small net: batch norm on its running statistics, average plus
maximum pooling, a linear layer, unit length; AdamW with a multiple of the rate for the proxies, gradients cut to
[-10, 10], a warm-up in which only linear layer and proxies learn, a step decay. It writes the losses of all steps and
the weights after the last as tests/golden/vectors/rcdml/parity_*.safetensors, which dmlgolden compares with the
engine's. Weights and batches are functions of names and step numbers.

    python3 -m venv venv && venv/bin/pip install torch numpy && venv/bin/python scripts/parity/rcdml.py
"""
import torch
import torch.nn.functional as F

from formula import fill, rounded, stream, write_trainings

SIZES = {"rounds": 20, "classes": 7, "batch": 12, "image": 6, "channels": 8, "dim": 10, "warm": 4, "decay_every": 10,
         "gamma": 0.5, "weight_decay": 1e-4}
CASES = {
    "readme": {"loss": "rcdml", "prc": 0.05, "src": 0.01, "lr": 1e-3, "lr_scale": 1000},
    "strong": {"loss": "rcdml", "prc": 0.4, "src": 0.7, "lr": 1e-3, "lr_scale": 10},
    "anchor": {"loss": "proxy_anchor", "prc": 0, "src": 0, "lr": 1e-3, "lr_scale": 100},
}
ALPHA, MARGIN = 32, 0.1
HEAD = ("embedding.weight", "embedding.bias", "loss.proxies")


def unit(x):
    return x / torch.sqrt((x * x).sum(-1, keepdim=True) + 1e-12)


def proxy_anchor(x, proxies, labels):
    cosines = unit(x) @ unit(proxies).T
    own = F.one_hot(labels, len(proxies)).bool()
    near = torch.where(own, torch.exp(-ALPHA * (cosines - MARGIN)), 0).sum(0)
    far = torch.where(own, 0, torch.exp(ALPHA * (cosines + MARGIN))).sum(0)
    return torch.log1p(near).sum() / len(labels.unique()) + torch.log1p(far).sum() / len(proxies)


def rcdml(x, proxies, labels, prc, src):
    moved, least = [], []
    for c in range(len(proxies)):
        rows = x[labels == c]
        if len(rows) == 0:
            moved.append(torch.zeros_like(proxies[c]))
            continue
        weights = torch.softmax(unit(rows) @ unit(proxies[c]), 0)
        moved.append(0.3 * (weights[:, None] * rows).sum(0) + 0.7 * proxies[c])
        if len(rows) > 1:
            least.append(torch.exp(-(unit(rows) @ unit(rows).T).amin()))
    moved = torch.stack(moved)
    between = unit(moved) @ unit(moved).T
    constraint = F.relu(between - torch.diag(torch.diag(between))).sum()
    return proxy_anchor(x, moved, labels) + prc * constraint + src * sum(least)


class System:
    def __init__(self, case):
        self.case = case
        channels, dim = SIZES["channels"], SIZES["dim"]
        shapes = {"conv1.weight": (channels, 3, 3, 3), "bn1.weight": (channels,), "bn1.bias": (channels,),
                  "embedding.weight": (dim, channels), "embedding.bias": (dim,),
                  "loss.proxies": (SIZES["classes"], dim)}
        self.weights = {name: fill(name, shape).requires_grad_() for name, shape in shapes.items()}
        self.mean, self.variance = fill("bn1.running_mean", (channels,)), fill("bn1.running_var", (channels,))
        rest = [weight for name, weight in self.weights.items() if name != "loss.proxies"]
        self.optimizer = torch.optim.AdamW(
            [{"params": rest}, {"params": [self.weights["loss.proxies"]], "lr": case["lr"] * case["lr_scale"]}],
            lr=case["lr"], weight_decay=SIZES["weight_decay"])
        self.schedule = torch.optim.lr_scheduler.StepLR(self.optimizer, SIZES["decay_every"], SIZES["gamma"])

    def embed(self, images):
        w = self.weights
        x = F.conv2d(images, w["conv1.weight"], padding=1)
        x = F.relu(F.batch_norm(x, self.mean, self.variance, w["bn1.weight"], w["bn1.bias"], training=False))
        return unit(F.linear(x.mean((2, 3)) + x.amax((2, 3)), w["embedding.weight"], w["embedding.bias"]))

    def step(self, number):
        side, n = SIZES["image"], SIZES["batch"]
        pixels = rounded(2 * stream(f"images.{number}", (n, 3, side, side)))
        # Classes of two, three and four images; the others are absent.
        labels = torch.tensor([(number + i * i) % SIZES["classes"] for i in range(n)])
        for name, weight in self.weights.items():
            weight.grad = None
            weight.requires_grad_(name in HEAD or number >= SIZES["warm"])
        x, proxies = self.embed(pixels), self.weights["loss.proxies"]
        if self.case["loss"] == "rcdml":
            loss = rcdml(x, proxies, labels, self.case["prc"], self.case["src"])
        else:
            loss = proxy_anchor(x, proxies, labels)
        loss.backward()
        torch.nn.utils.clip_grad_value_(list(self.weights.values()), 10)
        self.optimizer.step()
        self.schedule.step()
        return loss.item()


if __name__ == "__main__":
    write_trainings("rcdml", SIZES, CASES, System)
