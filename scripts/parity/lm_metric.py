#!/usr/bin/env python3
"""Twenty training steps of LM-Metric (Yan et al., TechRxiv 22361128, 2023) in PyTorch, double precision.

A restatement from the formulas of the method, on a small net. It writes the losses of all steps and the weights
after the last as tests/golden/vectors/lm_metric/parity_*.safetensors, which dmlgolden compares with the engine's.
Weights, batches and random choices are functions of their names (tests/fill.hpp has the same formula), so that
the files need not hold them.

    python3 -m venv venv && venv/bin/pip install torch && venv/bin/python scripts/parity/lm_metric.py
"""
import argparse
import json
import math
import pathlib
import struct

import torch
import torch.nn.functional as F
from torch import nn

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SIZES = {"classes": 4, "batch": 6, "image": 4, "hidden": 8, "dim": 64, "actions": 8, "levels": 2, "steps": 2,
         "channels": 4, "rounds": 20}
WORD = (1 << 64) - 1


def stream(name, count):
    """count numbers in [-1, 1), a function of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 & WORD
    values = []
    for i in range(count):
        z = (seed + (i + 1) * 0x9E3779B97F4A7C15) & WORD
        z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & WORD
        z = (z ^ z >> 27) * 0x94D049BB133111EB & WORD
        values.append(((z ^ z >> 31) >> 11) * 2.0 ** -52 - 1)
    return torch.tensor(values, dtype=torch.float64)


def rounded(x):
    return x.float().double()


def number_rows(name, rows, columns):
    return stream(name, rows * columns).reshape(rows, columns)


def fill(name, shape):
    """The first value of the tensor of that name."""
    count = math.prod(shape)
    if name.endswith("is_initialized"):
        return torch.zeros(shape, dtype=torch.float64)
    if name.endswith(("running_mean", "bias")):
        return rounded(stream(name, count) / 8).reshape(shape)
    if name.endswith("running_var") or len(shape) <= 1:
        return rounded(1 + stream(name, count) / 4).reshape(shape)
    return rounded(math.sqrt(6 / (count / shape[0])) * stream(name, count)).reshape(shape)


class ActNorm(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.logs = nn.Parameter(torch.zeros(1, channels, 1, 1))
        self.register_buffer("is_initialized", torch.zeros(1))

    def forward(self, x, log_det):
        if self.training and not self.is_initialized:
            with torch.no_grad():
                self.bias.copy_(-x.mean((0, 2, 3), keepdim=True))
                variance = (x + self.bias).square().mean((0, 2, 3), keepdim=True)
                self.logs.copy_(torch.log(1 / (variance.sqrt() + 1e-6)))
                self.is_initialized.fill_(1)
        return (x + self.bias) * self.logs.exp(), log_det + x.shape[2] * x.shape[3] * self.logs.sum()

    def inverse(self, y):
        return y * (-self.logs).exp() - self.bias


class Rotation(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(channels))

    def forward(self, x, log_det):
        y = torch.einsum("oi,nihw->nohw", self.weight, x)
        return y, log_det + x.shape[2] * x.shape[3] * torch.linalg.slogdet(self.weight)[1]

    def inverse(self, y):
        return torch.einsum("oi,nihw->nohw", torch.linalg.inv(self.weight), y)


class CouplingNet(nn.Module):
    def __init__(self, keep, condition, middle, out):
        super().__init__()
        self.in_norm = nn.BatchNorm2d(keep)
        self.in_conv = nn.Conv2d(keep, middle, 3, padding=1, bias=False)
        self.in_condconv = nn.Conv2d(condition, middle, 3, padding=1, bias=False)
        self.mid_conv1 = nn.Conv2d(middle, middle, 3, padding=1, bias=False)
        self.mid_condconv1 = nn.Conv2d(condition, middle, 3, padding=1, bias=False)
        self.mid_norm = nn.BatchNorm2d(middle)
        self.mid_conv2 = nn.Conv2d(middle, middle, 1, bias=False)
        self.mid_condconv2 = nn.Conv2d(condition, middle, 1, bias=False)
        self.out_norm = nn.BatchNorm2d(middle)
        self.out_conv = nn.Conv2d(middle, out, 3, padding=1)

    def forward(self, kept, condition):
        h = F.relu(self.in_conv(self.in_norm(kept)) + self.in_condconv(condition))
        h = F.relu(self.mid_norm(self.mid_conv1(h) + self.mid_condconv1(condition)))
        h = F.relu(self.out_norm(self.mid_conv2(h) + self.mid_condconv2(condition)))
        return self.out_conv(h)


class Coupling(nn.Module):
    def __init__(self, channels, condition, middle):
        super().__init__()
        half = channels // 2
        self.scale = nn.Parameter(torch.ones(half, 1, 1))
        self.nn = CouplingNet(channels - half, condition, middle, channels)

    def parts(self, x, condition):
        half = x.shape[1] // 2
        both = self.nn(x[:, half:], condition)
        return x[:, :half], x[:, half:], self.scale * torch.tanh(both[:, 0::2]), both[:, 1::2]

    def forward(self, x, log_det, condition):
        change, keep, s, t = self.parts(x, condition)
        return torch.cat([(change + t) * s.exp(), keep], 1), log_det + s.flatten(1).sum(1)

    def inverse(self, y, condition):
        change, keep, s, t = self.parts(y, condition)
        return torch.cat([change * (-s).exp() - t, keep], 1)


class Step(nn.Module):
    def __init__(self, channels, condition, middle):
        super().__init__()
        self.norm, self.conv = ActNorm(channels), Rotation(channels)
        self.coup = Coupling(channels, condition, middle)

    def forward(self, x, log_det, condition):
        return self.coup(*self.conv(*self.norm(x, log_det)), condition)

    def inverse(self, y, condition):
        return self.norm.inverse(self.conv.inverse(self.coup.inverse(y, condition)))


class Level(nn.Module):
    def __init__(self, channels, condition, middle, steps, levels):
        super().__init__()
        self.steps = nn.ModuleList(Step(channels, condition, middle) for _ in range(steps))
        self.next = Level(2 * channels, 4 * condition, middle, steps, levels - 1) if levels > 1 else None

    def forward(self, x, log_det, condition):
        for step in self.steps:
            x, log_det = step(x, log_det, condition)
        if self.next is not None:
            a, b = F.pixel_unshuffle(x, 2).chunk(2, 1)
            a, log_det = self.next(a, log_det, F.pixel_unshuffle(condition, 2))
            x = F.pixel_shuffle(torch.cat([a, b], 1), 2)
        return x, log_det

    def inverse(self, y, condition):
        if self.next is not None:
            a, b = F.pixel_unshuffle(y, 2).chunk(2, 1)
            y = F.pixel_shuffle(torch.cat([self.next.inverse(a, F.pixel_unshuffle(condition, 2)), b], 1), 2)
        for step in reversed(self.steps):
            y = step.inverse(y, condition)
        return y


class Flow(nn.Module):
    def __init__(self):
        super().__init__()
        self.flows = Level(4, 4, SIZES["channels"], SIZES["steps"], SIZES["levels"])

    @staticmethod
    def grid(x):
        return F.pixel_unshuffle(x.reshape(len(x), 1, 16, -1), 2)

    def nll(self, c, e, u):
        y = ((2 * (255 * c + u) / 256 - 1) * 0.95 + 1) / 2
        w = y.log() - (1 - y).log()
        edge = F.softplus(torch.tensor(math.log(0.05) - math.log(0.95), dtype=torch.float64))
        log_det = (F.softplus(w) + F.softplus(-w) - edge).sum(1)
        zeta, log_det = self.flows(self.grid(w), log_det, self.grid(e))
        prior = -0.5 * (zeta.flatten(1).square() + math.log(2 * math.pi)).sum(1)
        return -(prior - c.shape[1] * math.log(256) + log_det).mean()

    def recall(self, z, e):
        return torch.sigmoid(F.pixel_shuffle(self.flows.inverse(self.grid(z), self.grid(e)), 2).flatten(1))


class Net(nn.Module):
    """A convolution as backbone, and the head of the method."""

    def __init__(self):
        super().__init__()
        hidden, dim, actions = SIZES["hidden"], SIZES["dim"], SIZES["actions"]
        self.backbone = nn.Conv2d(3, hidden, 3, padding=1, bias=False)
        self.smachine = nn.GRU(hidden, hidden, 1, bidirectional=True)
        self.decision_fcsp = nn.Linear(hidden, actions)
        self.decision_fcsn = nn.Linear(hidden, actions)
        self.mapping = nn.Linear(hidden, dim)
        self.gflow = Flow()


def smooth_ap(v, labels, phi):
    same = labels[:, None] == labels[None, :]
    s = v @ v.T
    apart = (s[:, None, :] - s[:, :, None]) / 0.01  # [query, item, other]
    step = 1 / (1 + torch.exp(torch.clamp(-apart, -50, 50)))
    step = step * (1 - torch.eye(len(v), dtype=v.dtype))
    rank = 1 + phi[None, :] * step.sum(2)
    rank_in_class = 1 + (step * same[:, None, :]).sum(2)
    ap = (rank_in_class / rank * same).sum(1) / same.sum(1)
    return 1 - ap.mean()


def proxy_anchor(v, labels, proxies, phi):
    cosine = v @ (proxies / (proxies.square().sum(1, keepdim=True) + 1e-12).sqrt()).T
    own = F.one_hot(labels, len(proxies)).double()
    pull = torch.log(1 + (phi[:, None] * torch.exp(-32 * (cosine - 0.1)) * own).sum(0))
    push = torch.log(1 + (phi[:, None] * torch.exp(32 * (cosine + 0.1)) * (1 - own)).sum(0))
    return pull.sum() / len(labels.unique()) + push.sum() / len(proxies)


def rewards(v, labels):
    order = torch.sort(1 - v @ v.T, dim=1, stable=True)[1]
    hit = (labels[order] == labels[:, None]).double()
    precision = hit.cumsum(1) / torch.arange(1, len(v) + 1, dtype=torch.float64)
    return (precision * hit).sum(1) / hit.sum(1)


def batch_of(round_):
    """Images, labels and the random choices of a step."""
    n, dim, actions = SIZES["batch"], SIZES["dim"], SIZES["actions"]
    images = rounded(2 * stream(f"images.{round_}", n * 3 * SIZES["image"] ** 2)).reshape(n, 3, SIZES["image"], -1)
    labels = torch.tensor([(i // 2 + round_) % SIZES["classes"] for i in range(n)])
    share = {key: (stream(f"{key}.{round_}", n) + 1) / 2 for key in ("action_p", "action_n")}
    draws = {key: (actions * value).long() for key, value in share.items()}
    draws["u"] = rounded((number_rows(f"noise.{round_}", n, dim) + 1) / 2)
    draws["z"] = rounded(1.5 * number_rows(f"latent.{round_}", n, dim))
    return images, labels, draws


def loss_of(net, criterion, proxies, policy_weight, round_):
    images, labels, draws = batch_of(round_)
    feature_map = F.relu(net.backbone(images))
    x = feature_map.mean((2, 3)) + feature_map.amax((2, 3))
    states = net.smachine(x[:, None, :])[0].reshape(len(x), 2, -1)
    log_p = F.log_softmax(net.decision_fcsp(states[:, 0]), 1)
    taken = log_p.gather(1, draws["action_p"][:, None])[:, 0]
    phi = (draws["action_p"] + 1).double() / SIZES["actions"]
    e = net.mapping(x)
    c = torch.sigmoid(net.mapping(states.mean(1)))
    v = F.normalize(e + c)
    nll = net.gflow.nll(c.detach(), e.detach(), draws["u"])
    v2 = F.normalize(e + net.gflow.recall(0.6 * draws["z"], e))
    if criterion == "smoothap":
        metric = smooth_ap(v, labels, phi) + smooth_ap(v2, labels, phi)
    else:
        metric = proxy_anchor(v, labels, proxies[0], phi) + proxy_anchor(v2, labels, proxies[1], phi)
    loss = metric + nll
    if policy_weight:
        loss = loss + policy_weight * (-taken * rewards(v.detach(), labels)).mean()
    return loss


def train(criterion, policy_weight):
    torch.set_default_dtype(torch.float64)
    net = Net()
    for name, tensor in net.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            tensor.copy_(fill(name, tuple(tensor.shape)))
    groups = [{"params": net.parameters(), "lr": 1e-3, "weight_decay": 1e-4}]
    proxies = []
    if criterion == "proxyanchor":
        proxies = [nn.Parameter(fill(f"criterion.{name}", (SIZES["classes"], SIZES["dim"])))
                   for name in ("proxies", "proxies2")]
        groups.append({"params": proxies, "lr": 1e-2, "weight_decay": 0})
    optimizer = torch.optim.Adam(groups)
    losses = []
    for round_ in range(SIZES["rounds"]):
        loss = loss_of(net, criterion, proxies, policy_weight, round_)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    tensors = {"out.losses": torch.tensor(losses)}
    for name, tensor in net.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            tensors["out.weights." + name] = tensor
    for name, tensor in zip(("proxies", "proxies2"), proxies):
        tensors["out.weights.criterion." + name] = tensor.detach()
    return tensors


def write(path, tensors, metadata):
    header, data, at = {"__metadata__": metadata}, b"", 0
    for name, tensor in tensors.items():
        raw = struct.pack(f"<{tensor.numel()}d", *tensor.double().flatten().tolist())
        header[name] = {"dtype": "F64", "shape": list(tensor.shape), "data_offsets": [at, at + len(raw)]}
        data, at = data + raw, at + len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "tests/golden/vectors/lm_metric")
    out = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    for name, criterion, weight in (("paper", "smoothap", 1.0), ("published", "proxyanchor", 0.0)):
        tensors = train(criterion, weight)
        metadata = {"op": "lm_parity", "criterion": criterion, "policy_weight": str(weight), "lr": "1e-3",
                    "weight_decay": "1e-4", "criterion_lr": "1e-2", **{k: str(v) for k, v in SIZES.items()},
                    "reference": f"scripts/parity/lm_metric.py, torch {torch.__version__}"}
        write(out / f"parity_{name}.safetensors", tensors, metadata)
        print(name, "losses", " ".join(f"{x:.6g}" for x in tensors["out.losses"].tolist()))


if __name__ == "__main__":
    main()
