#!/usr/bin/env python3
"""Writes tests/golden/vectors/ops: small reference vectors in float64 for a dozen ops.

Each op is written from its definition on plain lists of numbers. Gradients come from dual numbers
(forward mode), so that they share no formula with the backward passes of the engine. Needs nothing
but Python's standard library:  python3 scripts/golden/make_ops.py [OUTPUT_FOLDER]
"""
import json
import math
import random
import struct
import sys
from pathlib import Path


class Dual:
    """value + derivative * epsilon, epsilon^2 = 0."""

    def __init__(self, value, slope=0.0):
        self.value, self.slope = value, slope

    def __add__(self, other):
        other = dual(other)
        return Dual(self.value + other.value, self.slope + other.slope)

    def __mul__(self, other):
        other = dual(other)
        return Dual(self.value * other.value, self.slope * other.value + self.value * other.slope)

    def __truediv__(self, other):
        other = dual(other)
        quotient = self.value / other.value
        return Dual(quotient, (self.slope - quotient * other.slope) / other.value)

    def __neg__(self):
        return Dual(-self.value, -self.slope)

    def __sub__(self, other):
        return self + (-dual(other))

    def __rsub__(self, other):
        return dual(other) - self

    def __rtruediv__(self, other):
        return dual(other) / self

    __radd__, __rmul__ = __add__, __mul__


def dual(x):
    return x if isinstance(x, Dual) else Dual(x)


def exp(x):
    return Dual(math.exp(x.value), math.exp(x.value) * x.slope)


def log(x):
    return Dual(math.log(x.value), x.slope / x.value)


def sqrt(x):
    root = math.sqrt(x.value)
    return Dual(root, x.slope / (2 * root))


def tanh(x):
    y = math.tanh(x.value)
    return Dual(y, (1 - y * y) * x.slope)


def rows(x, width):
    return [x[i:i + width] for i in range(0, len(x), width)]


def flat(matrix):
    return [value for row in matrix for value in row]


def softmax(row, temperature=1.0):
    powers = [exp(v / temperature) for v in row]
    total = sum(powers, Dual(0.0))
    return [p / total for p in powers]


def unit(row):
    length = sqrt(sum((v * v for v in row), Dual(0.0)))
    return [v / length for v in row]


def dot(a, b):
    return sum((u * v for u, v in zip(a, b)), Dual(0.0))


def centred(row):
    mean = sum(row, Dual(0.0)) / len(row)
    return [v - mean for v in row]


def numbers(rng, count):
    """Normal numbers that a float32 holds exactly."""
    return [struct.unpack("<f", struct.pack("<f", rng.gauss(0, 1)))[0] for _ in range(count)]


def cross_entropy(x, labels, width, smoothing):
    total = Dual(0.0)
    for row, label in zip(rows(x, width), labels):
        logs = [log(p) for p in softmax(row)]
        spread = sum(logs, Dual(0.0)) / width
        total = total - ((1 - smoothing) * logs[label] + smoothing * spread)
    return [total / len(labels)]


def layer_norm(x, weight, bias, width, eps):
    result = []
    for row in rows(x, width):
        row = centred(row)
        scale = sqrt(sum((v * v for v in row), Dual(0.0)) / width + eps)
        result += [v / scale * w + b for v, w, b in zip(row, weight, bias)]
    return result


CASES = [  # name, op, inputs {name: shape}, constants, metadata, function, output shape
    ("relu", "relu", {"x": [4, 5]}, {}, {}, lambda x: [v if v.value > 0 else Dual(0.0) for v in x], [4, 5]),
    ("tanh", "tanh", {"x": [4, 5]}, {}, {}, lambda x: [tanh(v) for v in x], [4, 5]),
    ("sigmoid", "sigmoid", {"x": [1, 9]}, {}, {}, lambda x: [1 / (1 + exp(-v)) for v in x], [1, 9]),
    ("softmax", "softmax", {"x": [3, 6]}, {}, {"dim": "1", "temperature": "24.0"},
     lambda x: flat(softmax(r, 24.0) for r in rows(x, 6)), [3, 6]),
    ("log_softmax", "log_softmax", {"x": [3, 6]}, {}, {"dim": "1"},
     lambda x: flat([log(p) for p in softmax(r)] for r in rows(x, 6)), [3, 6]),
    ("logsumexp", "logsumexp", {"x": [3, 6]}, {}, {"dim": "1"},
     lambda x: [log(sum((exp(v) for v in r), Dual(0.0))) for r in rows(x, 6)], [3]),
    ("pearson", "pearson_matrix", {"x": [5, 7]}, {}, {},
     lambda x: flat([dot(a, b) for b in [unit(centred(r)) for r in rows(x, 7)]]
                    for a in [unit(centred(r)) for r in rows(x, 7)]), [5, 5]),
    ("l2_normalize", "l2_normalize", {"x": [4, 7]}, {}, {"eps": "1e-12", "formula": "x / max(||x||, eps)"},
     lambda x: flat(unit(r) for r in rows(x, 7)), [4, 7]),
    ("cosine", "cosine_matrix", {"a": [3, 5], "b": [4, 5]}, {}, {},
     lambda a, b: [dot(unit(u), unit(v)) for u in rows(a, 5) for v in rows(b, 5)], [3, 4]),
    ("squared_distance", "pdist_squared", {"x": [4, 5]}, {}, {},
     lambda x: [sum(((u - v) * (u - v) for u, v in zip(a, b)), Dual(0.0))
                for a in rows(x, 5) for b in rows(x, 5)], [4, 4]),
    ("matmul", "matmul", {"a": [3, 4], "b": [5, 4]}, {}, {"transpose_a": "False", "transpose_b": "True"},
     lambda a, b: [dot(u, v) for u in rows(a, 4) for v in rows(b, 4)], [3, 5]),
    ("linear", "linear", {"x": [3, 4], "weight": [2, 4], "bias": [2]}, {}, {},
     lambda x, w, b: [dot(u, v) + c for u in rows(x, 4) for v, c in zip(rows(w, 4), b)], [3, 2]),
    ("cross_entropy", "cross_entropy", {"x": [4, 6]}, {"y": [5, 0, 2, 2]},
     {"label_smoothing": "0.1", "reduction": "mean"},
     lambda x: cross_entropy(x, [5, 0, 2, 2], 6, 0.1), [1]),
    ("nll", "nll_loss", {"x": [3, 4]}, {"y": [1, 3, 0]}, {},
     lambda x: [-sum((log(softmax(r)[k] + 1e-12) for r, k in zip(rows(x, 4), [1, 3, 0])), Dual(0.0)) / 3], [1]),
    ("layer_norm", "layer_norm", {"x": [3, 6], "weight": [6], "bias": [6]}, {}, {"eps": "1e-05", "dims": "1"},
     lambda x, w, b: layer_norm(x, w, b, 6, 1e-5), [3, 6]),
]
PARAMETERS = {"weight", "bias"}


def write(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, (kind, shape, values) in tensors.items():
        block = struct.pack(f"<{len(values)}{'d' if kind == 'F64' else 'q'}", *values)
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(block)]}
        data += block
    text = json.dumps(header).encode()
    text += b" " * (-(8 + len(text)) % 64)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def make(folder, name, op, inputs, constants, metadata, function, out_shape):
    rng = random.Random(name)
    values = {key: numbers(rng, math.prod(shape)) for key, shape in inputs.items()}
    upstream = numbers(rng, math.prod(out_shape))
    run = lambda given: function(*([dual(v) for v in given[key]] for key in inputs))
    out = [v.value for v in run(values)]
    tensors = {}
    for key, shape in inputs.items():
        tensors[("param." if key in PARAMETERS else "in.") + key] = ("F64", shape, values[key])
    for key, labels in constants.items():
        tensors["in." + key] = ("I64", [len(labels)], labels)
    tensors["out.y"] = ("F64", out_shape, out)
    tensors["in.gout.y"] = ("F64", out_shape, upstream)
    tensors["out.loss"] = ("F64", [1], [math.fsum(a * b for a, b in zip(out, upstream))])
    for key, shape in inputs.items():
        gradient = []
        for i in range(len(values[key])):
            seeded = dict(values)
            seeded[key] = [Dual(v, 1.0 if k == i else 0.0) for k, v in enumerate(values[key])]
            gradient.append(math.fsum(y.slope * u for y, u in zip(run(seeded), upstream)))
        tensors["grad." + key] = ("F64", shape, gradient)
    write(folder / f"{name}.safetensors", tensors,
          {"op": op, "reference": "scripts/golden/make_ops.py, Python float64", **metadata})


def main():
    default = Path(__file__).resolve().parents[2] / "tests/golden/vectors/ops"
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else default
    folder.mkdir(parents=True, exist_ok=True)
    for case in CASES:
        make(folder, *case)
    print(f"{len(CASES)} cases in {folder}")


if __name__ == "__main__":
    main()
