#!/usr/bin/env python3
"""Twenty training steps of Divide & Conquer (Sanakoyeu et al., TPAMI 2021) in PyTorch, double precision.

A restatement from the formulas of the method, on a small net: batches of four clusters in turn, masks with their
regulariser, margin loss on distance-weighted triplets, then the merged phase without masks. It writes the losses of
all steps and the weights after the last as tests/golden/vectors/divide_conquer/parity_*.safetensors, which dmlgolden
compares with the engine's. Weights, batches and draws are functions of names and step numbers.

    python3 -m venv venv && venv/bin/pip install torch numpy && venv/bin/python scripts/parity/divide_conquer.py
"""
import math

import torch
import torch.nn.functional as F

from formula import Dropout, fill, Random, rounded, stream, write_trainings

MINE = 4  # Purpose::mine
SIZES = {"rounds": 20, "merged_from": 14, "learners": 4, "classes": 9, "batch_classes": 4, "batch_images": 3,
         "image": 6, "channels": 8, "dim": 16, "seed": 5, "lr": 0.002, "weight_decay": 0.0005, "margin": 0.2,
         "beta": 1.2, "masking_lambda": 0.01, "mask_lr_mult": 10, "mask_wd_mult": 1, "dropout": 0.01}
CASES = {"learned": {"fixed_mask": 0, "miner": "distanceweighted"},
         "fixed": {"fixed_mask": 1, "miner": "easypeasy"}}
MASKS = f"loss.masks.{SIZES['learners']}"


def uniform(random, count):
    """Numbers in [0, 1) of 53 bits."""
    words = [word for b in range((2 * count + 3) // 4) for word in random.block(b)]
    return [((words[2 * i] << 32 | words[2 * i + 1]) >> 11) * 2.0 ** -53 for i in range(count)]


class System:
    def __init__(self, case):
        self.case = case
        d, channels = SIZES["dim"], SIZES["channels"]
        shapes = {"conv1.weight": (channels, 3, 3, 3), "bn1.weight": (channels,), "bn1.bias": (channels,),
                  "embedding.weight": (d, channels), "embedding.bias": (d,), MASKS: (SIZES["learners"], d)}
        self.weights = {name: fill(name, shape) for name, shape in shapes.items()}
        if case["fixed_mask"]:
            block = d // SIZES["learners"]
            self.weights[MASKS] = torch.eye(SIZES["learners"]).double().repeat_interleave(block, 1)
        self.buffers = {f"bn1.{name}": fill(f"bn1.{name}", (channels,)) for name in ("running_mean", "running_var")}
        for weight in self.weights.values():
            weight.requires_grad_()
        net = [weight for name, weight in self.weights.items() if name != MASKS]
        groups = [{"params": net, "lr": SIZES["lr"], "weight_decay": SIZES["weight_decay"]}]
        if not case["fixed_mask"]:
            groups.append({"params": [self.weights[MASKS]], "lr": SIZES["lr"] * SIZES["mask_lr_mult"],
                           "weight_decay": SIZES["weight_decay"] * SIZES["mask_wd_mult"]})
        self.optimizer = torch.optim.Adam(groups)

    def embedding(self, images, number):
        x = F.conv2d(images, self.weights["conv1.weight"], padding=1)
        x = F.relu(F.batch_norm(x, self.buffers["bn1.running_mean"], self.buffers["bn1.running_var"],
                                self.weights["bn1.weight"], self.weights["bn1.bias"]))
        x = Dropout(SIZES["seed"], number)(x.mean((2, 3)), SIZES["dropout"])
        return F.linear(x, self.weights["embedding.weight"], self.weights["embedding.bias"])

    def likeness(self):
        masks, k = F.relu(self.weights[MASKS]), SIZES["learners"]
        unit = masks / masks.norm(dim=1, keepdim=True).clamp(min=1e-8)
        cosine = unit @ unit.T
        return SIZES["masking_lambda"] * (cosine.sum() - cosine.diagonal().sum()) / (k * (k - 1))

    def triplets(self, x, labels, number):
        """Anchor, positives, negatives of every row."""
        n, d = x.shape
        distance = (x[:, None] - x[None]).square().sum(2).clamp(min=1e-4).sqrt()
        same = labels[:, None] == labels[None]
        positives = [[j for j in range(n) if j != i and same[i, j]] for i in range(n)]
        pairs = sum(len(one) for one in positives)
        if self.case["miner"] == "easypeasy":
            q = max(1, pairs // n)
            for i in range(n):
                far = [j for j in range(n) if not same[i, j] and distance[i, j] >= 0.5]
                near = sorted(sorted(far, key=lambda j, i=i: distance[i, j].item())[:q])
                yield from ((i, p, m) for p, m in zip(positives[i], near))
            return
        furthest = SIZES["beta"] + SIZES["margin"]
        distance = distance.clamp(min=0.5)
        log = (2 - d) * distance.log() - (d - 3) / 2 * (1 - distance ** 2 / 4).clamp(min=1e-300).log()
        log = torch.where(same | (distance >= furthest), torch.zeros_like(log), log)
        weight = (log - log.max(1, keepdim=True).values).exp() + 1e-9
        weight = torch.where(same, torch.zeros_like(weight), weight)
        weight = torch.where(distance > furthest, torch.full_like(weight, 1e-6), weight)
        q = min(max(1, int(pairs / n + 0.5)), n - max(len(one) + 1 for one in positives))
        numbers = uniform(Random(SIZES["seed"], MINE, number).split(0), n * n)
        for i in range(n):  # an exponential race: the shortest time wins
            time = [-math.log(numbers[i * n + j]) / weight[i, j].item() if weight[i, j] > 0 else math.inf
                    for j in range(n)]
            drawn = sorted(sorted(range(n), key=time.__getitem__)[:q])
            assert len(positives[i]) == q  # else positives are drawn as well
            yield from ((i, p, m) for p, m in zip(positives[i], drawn))

    def step(self, number):
        side, images = SIZES["image"], SIZES["batch_classes"] * SIZES["batch_images"]
        pixels = rounded(2 * stream(f"images.{number}", (images, 3, side, side)))
        pixels = pixels + rounded(4 * stream(f"offsets.{number}", (images, 3, 1, 1)))  # images differ in the mean
        labels = torch.tensor([(number + i // SIZES["batch_images"]) % SIZES["classes"] for i in range(images)])
        y = self.embedding(pixels, number)
        merged = number >= SIZES["merged_from"]
        if not merged:
            y = y * F.relu(self.weights[MASKS][number % SIZES["learners"]])
        x = y / y.norm(dim=1, keepdim=True).clamp(min=1e-12)
        a, p, m = torch.tensor(list(self.triplets(x.detach(), labels, number))).unbind(1)
        d_ap = ((x[a] - x[p]).square().sum(1) + 1e-8).sqrt()
        d_an = ((x[a] - x[m]).square().sum(1) + 1e-8).sqrt()
        positive = F.relu(d_ap - SIZES["beta"] + SIZES["margin"])
        negative = F.relu(SIZES["beta"] - d_an + SIZES["margin"])
        active = (positive > 0).sum() + (negative > 0).sum()
        total = (positive.sum() + negative.sum()) / max(1, active.item())
        if not merged:
            total = total + self.likeness()
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        self.optimizer.step()
        return total.item()


if __name__ == "__main__":
    write_trainings("divide_conquer", SIZES, CASES, System)
