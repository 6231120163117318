#!/usr/bin/env python3
"""Compares the message passing of Intra-Batch Connections with PyTorch on this machine: forward and backward.

    bench/.venv/bin/python bench/compare_intra_batch.py --dmlbench build/test/dmlbench [--batch 54]

Both sides: one layer, two heads, perceptron, dropout 0.1, both classifiers with smoothed cross-entropy, gradients of
everything, classes of four images. They run in turns. bench/compare_torch.py installs PyTorch at its first call.
"""
import argparse
import json
import math
import statistics
import subprocess
import time

import torch
import torch.nn.functional as F


class Theirs(torch.nn.Module):
    def __init__(self, dim, heads, classes):
        super().__init__()
        self.heads = heads
        linear = torch.nn.Linear
        self.classifier, self.dim_red = linear(dim, classes), linear(dim, dim)
        self.q, self.k, self.v, self.out = (linear(dim, dim) for _ in range(4))
        self.linear1, self.linear2 = linear(dim, 4 * dim), linear(4 * dim, dim)
        self.norm1, self.norm2 = torch.nn.LayerNorm(dim), torch.nn.LayerNorm(dim)
        self.neck, self.fc = torch.nn.BatchNorm1d(dim), linear(dim, classes, bias=False)

    def attention(self, x):
        n, dim = x.shape
        q, k, v = (layer(x).view(n, self.heads, -1).transpose(0, 1) for layer in (self.q, self.k, self.v))
        scores = q @ k.transpose(1, 2) / math.sqrt(dim // self.heads)
        shift = scores.amax(2, keepdim=True).clamp(min=0)
        weights = torch.exp(scores - shift)
        weights = F.dropout(weights / (weights.sum(2, keepdim=True) + torch.exp(-shift)), 0.1)
        return self.out((weights @ v).transpose(0, 1).reshape(n, dim))

    def forward(self, embedding, labels):
        x = self.dim_red(F.normalize(embedding))
        x = self.norm1(x + F.dropout(self.attention(x), 0.1))
        x = self.norm2(x + F.dropout(self.linear2(F.dropout(F.relu(self.linear1(x)), 0.1)), 0.1))
        return sum(F.cross_entropy(logits / 0.2, labels, label_smoothing=0.1)
                   for logits in (self.classifier(embedding), self.fc(self.neck(x))))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dmlbench", required=True)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    labels = torch.arange(args.batch) // 4
    model = Theirs(args.dim, 2, int(labels.max()) + 1)
    embedding = torch.randn(args.batch, args.dim, requires_grad=True)

    def step():
        start = time.perf_counter()
        model.zero_grad(set_to_none=True)
        model(embedding, labels).backward()
        return (time.perf_counter() - start) * 1e3

    command = [args.dmlbench, "losses", "--json", "--loss", "intra_batch", "--batch", args.batch, "--dim", args.dim,
               "--per-class", 4, "--threads", args.threads, "--seconds", 0.5]
    theirs, ours = [], []
    for turn in range(args.rounds + 1):  # the first one warms up
        one = statistics.median(step() for _ in range(9))
        text = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout
        if turn > 0:
            theirs.append(one)
            ours.append(json.loads(text)[0]["ms"])
    a, b = statistics.median(ours), statistics.median(theirs)
    print(f"batch {args.batch}, dim {args.dim}: ours {a:.1f} ms, torch {torch.__version__} {b:.1f} ms, {b / a:.2f} times")


if __name__ == "__main__":
    main()
