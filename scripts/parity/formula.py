"""What the parity scripts share: numbers that are functions of names (tests/fill.hpp), the engine's counter-based
random stream (engine/random.hpp), the RAdam of the published code, and the file format of the vectors."""
import json
import math
import pathlib
import struct

import torch

VECTORS = pathlib.Path(__file__).resolve().parent.parent.parent / "tests/golden/vectors"
WORD = (1 << 64) - 1
HALF = (1 << 32) - 1
DROPOUT = 3  # Purpose::dropout


def splitmix(z):
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & WORD
    z = (z ^ z >> 27) * 0x94D049BB133111EB & WORD
    return z ^ z >> 31


def stream(name, shape):
    """Numbers in [-1, 1), a function of the name."""
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 & WORD
    values = [(splitmix((seed + (i + 1) * 0x9E3779B97F4A7C15) & WORD) >> 11) * 2.0 ** -52 - 1
              for i in range(math.prod(shape))]
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


def rounded(x):
    return x.float().double()


def fill(name, shape):
    """The first value of the tensor of that name."""
    if name.endswith(("running_mean", "bias")):
        return rounded(stream(name, shape) / 8)
    if name.endswith("running_var") or len(shape) <= 1:
        return rounded(1 + stream(name, shape) / 4)
    return rounded(math.sqrt(6 / (math.prod(shape) / shape[0])) * stream(name, shape))


def mix(z):
    return splitmix((z + 0x9E3779B97F4A7C15) & WORD)


class Random:
    """Philox 4x32-10, keyed by (seed, purpose, epoch)."""

    def __init__(self, seed, purpose, epoch):
        self.seed = seed
        self.stream = mix((mix((purpose * 0x100000001B3 + epoch) & WORD)) & WORD)

    def split(self, index):
        child = Random(self.seed, 0, 0)
        child.stream = mix((self.stream + mix(index + 1)) & WORD)
        return child

    def block(self, block):
        c = [block & HALF, block >> 32, self.stream & HALF, self.stream >> 32]
        k0, k1 = self.seed & HALF, self.seed >> 32
        for _ in range(10):
            p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [(p1 >> 32) ^ c[1] ^ k0, p1 & HALF, (p0 >> 32) ^ c[3] ^ k1, p0 & HALF]
            k0, k1 = (k0 + 0x9E3779B9) & HALF, (k1 + 0xBB67AE85) & HALF
        return c

    def floats(self, count):
        """Uniform in [0, 1), 24 bits."""
        words = [word for b in range((count + 3) // 4) for word in self.block(b)]
        return torch.tensor([(word >> 8) * 2.0 ** -24 for word in words[:count]], dtype=torch.float64)


class Dropout:
    """The masks of one step, in the order in which the layers ask for them."""

    def __init__(self, seed, step):
        self.random = Random(seed, DROPOUT, step)
        self.draws = 0

    def __call__(self, x, p):
        if p == 0:
            return x
        values = self.random.split(self.draws).floats(x.numel()).reshape(x.shape)
        self.draws += 1
        bound = torch.tensor(p, dtype=torch.float32).double()
        return x * (values >= bound) / (1 - p)


class RAdam:
    """Momentum steps while the average is short, decay with the plain rate before the update."""

    def __init__(self, parameters, lr, decay, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.lr, self.decay, self.betas, self.eps = parameters, lr, decay, betas, eps
        self.state = {name: [0, torch.zeros_like(p), torch.zeros_like(p)] for name, p in parameters.items()}

    @torch.no_grad()
    def step(self):
        b1, b2 = self.betas
        longest = 2 / (1 - b2) - 1
        for name, p in self.parameters.items():
            if p.grad is None:
                continue
            state = self.state[name]
            state[0] += 1
            t = state[0]
            state[2] = b2 * state[2] + (1 - b2) * p.grad ** 2
            state[1] = b1 * state[1] + (1 - b1) * p.grad
            length = longest - 2 * t * b2 ** t / (1 - b2 ** t)
            p -= self.decay * self.lr * p
            size = self.lr / (1 - b1 ** t)
            if length >= 5:
                size *= math.sqrt((1 - b2 ** t) * (length - 4) / (longest - 4) * (length - 2) / length * longest /
                                  (longest - 2))
                p -= size * state[1] / (state[2].sqrt() + self.eps)
            else:
                p -= size * state[1]
            p.grad = None


def write_trainings(group, sizes, cases, make):
    """Trains every case, and writes its losses and its weights after the last step.

    make(case) is a training: weights by name, buffers if it has any, and step(number), which gives the loss."""
    for name, case in cases.items():
        system = make(case)
        losses = [system.step(number) for number in range(sizes["rounds"])]
        tensors = {"out.losses": torch.tensor(losses, dtype=torch.float64)}
        for part in (system.weights, getattr(system, "buffers", {})):
            tensors |= {"out.weights." + key: value for key, value in part.items()}
        write(VECTORS / f"{group}/parity_{name}.safetensors", tensors,
              {"op": f"{group}_parity", "source": f"scripts/parity/{group}.py", **sizes, **case})
        print(f"{name}: loss {losses[0]:.6f} -> {losses[-1]:.6f}")


def write(path, tensors, metadata):
    """Writes a .safetensors file of f64 tensors."""
    header, data = {"__metadata__": {key: str(value) for key, value in metadata.items()}}, b""
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().double().numpy().tobytes()
        header[name] = {"dtype": "F64", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
