#!/usr/bin/env python3
"""Twenty training steps of Intra-Batch Connections (Seidenschwarz et al., ICML 2021) in PyTorch, double precision.

A restatement from the formulas of the method, on a small net, dropout included. It writes the losses of all steps
and the weights after the last as tests/golden/vectors/intra_batch/parity_*.safetensors, which dmlgolden compares
with the engine's. Weights, batches and dropout masks are functions of names and step numbers.

    python3 -m venv venv && venv/bin/pip install torch numpy && venv/bin/python scripts/parity/intra_batch.py
"""
import math

import torch
import torch.nn.functional as F

from formula import Dropout, fill, RAdam, rounded, stream, write_trainings

SIZES = {"rounds": 20, "classes": 6, "batch_classes": 4, "batch_images": 3, "image": 6, "channels": 8, "dim": 12,
         "seed": 7, "lr": 0.003, "weight_decay": 0.001, "label_smoothing": 0.1}
CASES = {  # the settings of CUB and of Cars, smaller; and edges that carry their similarity
    "cub": {"layers": 1, "heads": 2, "cat": 0, "mult_attr": 0, "temperature": 0.2, "dropout": 0.1},
    "cars": {"layers": 2, "heads": 4, "cat": 1, "mult_attr": 0, "temperature": 0.1111111111111, "dropout": 0.1},
    "attributes": {"layers": 1, "heads": 3, "cat": 0, "mult_attr": 1, "temperature": 0.5, "dropout": 0.3},
}
MPN = "loss.mpn."


def parameter_shapes(case):
    d, hidden, classes, channels = SIZES["dim"], 4 * SIZES["dim"], SIZES["classes"], SIZES["channels"]
    shapes = {"conv1.weight": (channels, 3, 3, 3), "bn1.weight": (channels,), "bn1.bias": (channels,),
              "red.weight": (d, channels), "red.bias": (d,),
              "loss.classifier.weight": (classes, d), "loss.classifier.bias": (classes,),
              MPN + "dim_red.weight": (d, d), MPN + "dim_red.bias": (d,)}
    for layer in range(case["layers"]):
        at = f"{MPN}gnn_model.node_model.layers.{layer}."
        for name in ("q_linear", "k_linear", "v_linear", "out"):
            shapes |= {f"{at}att.{name}.weight": (d, d), f"{at}att.{name}.bias": (d,)}
        shapes |= {at + "linear1.weight": (hidden, d), at + "linear1.bias": (hidden,),
                   at + "linear2.weight": (d, hidden), at + "linear2.bias": (d,)}
        for name in ("norm1", "norm2"):
            shapes |= {f"{at}{name}.weight": (d,), f"{at}{name}.bias": (d,)}
    width = d * (case["layers"] if case["cat"] else 1)
    shapes |= {MPN + "bottleneck.0.weight": (width,), MPN + "bottleneck.0.bias": (width,),
               MPN + "fc.0.weight": (classes, width)}
    return shapes


class System:
    def __init__(self, case):
        self.case = case
        self.weights = {name: fill(name, shape) for name, shape in parameter_shapes(case).items()}
        for name, weight in self.weights.items():
            weight.requires_grad_(not name.endswith("bottleneck.0.bias"))
        self.buffers = {}
        for norm in ("bn1", MPN + "bottleneck.0"):
            for name in ("running_mean", "running_var"):
                at = f"{norm}.{name}"
                self.buffers[at] = fill(at, self.weights[norm + ".weight"].shape)
        trained = {name: weight for name, weight in self.weights.items() if weight.requires_grad}
        self.optimizer = RAdam(trained, SIZES["lr"], SIZES["weight_decay"])

    def linear(self, name, x, bias=True):
        return F.linear(x, self.weights[name + ".weight"], self.weights[name + ".bias"] if bias else None)

    def batch_norm(self, name, x):
        return F.batch_norm(x, self.buffers[name + ".running_mean"], self.buffers[name + ".running_var"],
                            self.weights[name + ".weight"], self.weights[name + ".bias"], training=True, momentum=0.1)

    def encoder(self, images):
        x = F.relu(self.batch_norm("bn1", F.conv2d(images, self.weights["conv1.weight"], padding=1)))
        return self.linear("red", x.amax((2, 3)))

    def attention(self, at, x, similarity, drop):
        heads, width = self.case["heads"], SIZES["dim"] // self.case["heads"]
        split = [self.linear(f"{at}att.{name}_linear", x).reshape(len(x), heads, width) for name in "qkv"]
        query, key, value = split
        scores = torch.einsum("chd,rhd->hcr", query, key) / math.sqrt(width)  # target c, source r
        shift = scores.max(2, keepdim=True).values.clamp(min=0)
        weights = torch.exp(scores - shift)
        weights = weights / (weights.sum(2, keepdim=True) + torch.exp(-shift))
        weights = drop(weights[None], self.case["dropout"])[0]
        if self.case["mult_attr"]:
            weights = weights * similarity
        return self.linear(at + "att.out", torch.einsum("hcr,rhd->chd", weights, value).reshape(x.shape))

    def layer(self, at, x, similarity, drop):
        def norm(name, y):
            return F.layer_norm(y, (SIZES["dim"],), self.weights[f"{at}{name}.weight"],
                                self.weights[f"{at}{name}.bias"])
        p = self.case["dropout"]
        x = norm("norm1", x + drop(self.attention(at, x, similarity, drop), p))
        hidden = drop(F.relu(self.linear(at + "linear1", x)), p)
        return norm("norm2", x + drop(self.linear(at + "linear2", hidden), p))

    def refined_logits(self, nodes, drop):
        centred = nodes - nodes.mean(1, keepdim=True)
        unit = centred / centred.norm(dim=1, keepdim=True)
        similarity = F.relu(unit @ unit.T)
        x, outputs = self.linear(MPN + "dim_red", nodes), []
        for layer in range(self.case["layers"]):
            x = self.layer(f"{MPN}gnn_model.node_model.layers.{layer}.", x, similarity, drop)
            outputs.append(x)
        x = torch.cat(outputs, 1) if self.case["cat"] else x
        return self.linear(MPN + "fc.0", self.batch_norm(MPN + "bottleneck.0", x), bias=False)

    def step(self, number):
        side, images = SIZES["image"], SIZES["batch_classes"] * SIZES["batch_images"]
        pixels = rounded(2 * stream(f"images.{number}", (images, 3, side, side)))
        labels = torch.tensor([(number + i // SIZES["batch_images"]) % SIZES["classes"] for i in range(images)])
        embedding = self.encoder(pixels)
        nodes = embedding / embedding.norm(dim=1, keepdim=True).clamp(min=1e-12)
        total = 0
        for logits in (self.linear("loss.classifier", embedding),
                       self.refined_logits(nodes, Dropout(SIZES["seed"], number))):
            log_p = F.log_softmax(logits / self.case["temperature"], 1)
            smooth = SIZES["label_smoothing"]
            target = (1 - smooth) * F.one_hot(labels, SIZES["classes"]).double() + smooth / SIZES["classes"]
            total = total - (target * log_p).sum(1).mean()
        total.backward()
        self.optimizer.step()
        return total.item()


if __name__ == "__main__":
    write_trainings("intra_batch", SIZES, CASES, System)
