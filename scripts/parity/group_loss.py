#!/usr/bin/env python3
"""Twenty training steps of the Group Loss (Elezi et al., ECCV 2020) in PyTorch, double precision.

A restatement from the formulas of the method, on a small net: both stages of the schedule that reload the best weights
at a tenth of the first rate, a class that fills two chunks of a batch, and the classification that comes before the
main training. It writes the losses of all steps and the weights after the last as
tests/golden/vectors/group_loss/parity_*.safetensors, which dmlgolden compares with the engine's. Weights and batches are
functions of names and step numbers.

    python3 -m venv venv && venv/bin/pip install torch numpy && venv/bin/python scripts/parity/group_loss.py
"""
import torch
import torch.nn.functional as F

from formula import fill, RAdam, rounded, stream, write_trainings

SIZES = {"rounds": 20, "best": 7, "first": 11, "second": 16, "factor": 0.1, "classes": 7, "chunks": 4, "chunk": 4,
         "image": 6, "channels": 10, "momentum": 0.9}
CASES = {  # the settings of CUB and of SOP; more of the dynamics; and the first stage
    "cub": {"loss": "group", "anchors": 2, "temperature": 24.0, "iterations": 1, "scaling": 1.0, "repeat": 0,
            "lr": 0.002, "weight_decay": 6.059722614369727e-06, "eps": 1e-8},
    "sop": {"loss": "group", "anchors": 2, "temperature": 54.0, "iterations": 1, "scaling": 1.0, "repeat": 1,
            "lr": 0.003, "weight_decay": 0.001, "eps": 1e-8},
    "dynamics": {"loss": "group", "anchors": 1, "temperature": 2.5, "iterations": 3, "scaling": 0.7, "repeat": 1,
                 "lr": 0.002, "weight_decay": 0.001, "eps": 1e-8},
    "finetune": {"loss": "softmax", "anchors": 0, "temperature": 1.0, "iterations": 0, "scaling": 0.0, "repeat": 0,
                 "lr": 0.003, "weight_decay": 0.0, "eps": 1e-2},
}


class System:
    def __init__(self, case):
        self.case = case
        classes, channels = SIZES["classes"], SIZES["channels"]
        shapes = {"conv1.weight": (channels, 3, 3, 3), "conv1.bias": (channels,), "bn1.weight": (channels,),
                  "bn1.bias": (channels,), "loss.classifier.weight": (classes, channels),
                  "loss.classifier.bias": (classes,)}
        self.weights = {name: fill(name, shape).requires_grad_() for name, shape in shapes.items()}
        self.buffers = {f"bn1.{name}": fill(f"bn1.{name}", (channels,)) for name in ("running_mean", "running_var")}
        self.optimizer = RAdam(self.weights, case["lr"], case["weight_decay"], eps=case["eps"])
        self.best = {}

    def features(self, images):
        w = self.weights
        x = F.conv2d(images, w["conv1.weight"], w["conv1.bias"], padding=1)
        x = F.batch_norm(x, self.buffers["bn1.running_mean"], self.buffers["bn1.running_var"], w["bn1.weight"],
                         w["bn1.bias"], training=True, momentum=SIZES["momentum"])
        return F.relu(x).mean((2, 3))

    def refined(self, features, logits, labels):
        """Class probabilities of every image after the dynamics."""
        centred = features - features.mean(1, keepdim=True)
        unit = centred / centred.norm(dim=1, keepdim=True)
        similarity = F.relu(unit @ unit.T)
        seen, known = {}, []
        for label in labels.tolist():
            seen[label] = seen.get(label, 0) + 1
            known.append(seen[label] <= self.case["anchors"])
        x = torch.where(torch.tensor(known)[:, None], F.one_hot(labels, SIZES["classes"]).double(),
                        F.softmax(logits / self.case["temperature"], 1))
        for _ in range(self.case["iterations"]):
            x = x * (similarity @ x)
            x = x / x.sum(1, keepdim=True)
        return x

    def schedule(self, number):
        """What happens before a step: the best weights come back, moments and step counts stay."""
        everything = self.weights | self.buffers
        if number == SIZES["best"]:
            self.best = {name: value.detach().clone() for name, value in everything.items()}
        if number in (SIZES["first"], SIZES["second"]):
            with torch.no_grad():
                for name, value in everything.items():
                    value.copy_(self.best[name])
            self.optimizer.lr = self.case["lr"] * SIZES["factor"]

    def step(self, number):
        self.schedule(number)
        side, chunk, images = SIZES["image"], SIZES["chunk"], SIZES["chunks"] * SIZES["chunk"]
        pixels = rounded(2 * stream(f"images.{number}", (images, 3, side, side)))
        different = SIZES["chunks"] - self.case["repeat"]  # the last chunk may be of the first one's class
        labels = torch.tensor([(number + i // chunk % different) % SIZES["classes"] for i in range(images)])
        features = self.features(pixels)
        logits = F.linear(features, self.weights["loss.classifier.weight"], self.weights["loss.classifier.bias"])
        total = F.cross_entropy(logits, labels)
        if self.case["loss"] == "group":
            own = self.refined(features, logits, labels).gather(1, labels[:, None])
            total = total - self.case["scaling"] * (own + 1e-12).log().mean()
        total.backward()
        self.optimizer.step()
        return total.item()


if __name__ == "__main__":
    write_trainings("group_loss", SIZES, CASES, System)
