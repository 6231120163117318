#!/usr/bin/env python3
"""Compares training steps and inference of whole nets with PyTorch on this machine.

    bench/compare_torch.py --device cpu --build build --json out.json [--nets resnet50,bn_inception]

Both sides get the same weights and batches. First the losses of the first steps must agree; only then anything is
timed, in turns (A B A B ...). In bf16 (training alone) PyTorch uses its autocast. PyTorch comes from PyPI into bench/.venv at the first call; of its layouts and inference
forms the fastest one is taken. Rows of the JSON are in images/s; a ratio above 1 means that the engine is faster.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLASSES = 100


def own_python(chosen):
    """The interpreter of an environment that has PyTorch and numpy; makes it at the first call."""
    if chosen:
        return chosen
    python = HERE / ".venv" / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import torch, numpy"], capture_output=True).returncode:
        print("installing PyTorch from PyPI into bench/.venv (once)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", HERE / ".venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "torch", "numpy"], check=True)
    return str(python)


class Side:
    """A process that answers commands."""

    def __init__(self, command, environment=None):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=dict(os.environ, **(environment or {})))

    def ask(self, command, number):
        self.process.stdin.write(f"{command} {number}\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.process.args[0]} ended with status {self.process.wait()}")
        return json.loads(line)

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def prepare(args, net, folder):
    """Weights and batches in files, made by PyTorch's own initialisation."""
    script = f"""
import sys; sys.path.insert(0, {str(HERE)!r})
import numpy as np, torch, tensors
from torch_nets import NETS
torch.manual_seed(0)
net = NETS[{net!r}]({CLASSES})
for name, value in net.state_dict().items():
    if name.endswith("bn3.weight"):
        value *= 0.2  # residual branches that begin small: rounding then grows less from step to step
tensors.write({str(folder / 'weights.safetensors')!r}, {{k: v.numpy() for k, v in net.state_dict().items()}})
random = np.random.default_rng(1)
batches = {{}}
for i in range({args.batches}):
    batches[f"images.{{i}}"] = random.standard_normal(({args.batch}, {args.size}, {args.size}, 3)).astype(np.float32)
    batches[f"labels.{{i}}"] = random.integers(0, {CLASSES}, {args.batch})
tensors.write({str(folder / 'batches.safetensors')!r}, batches)
"""
    subprocess.run([args.python, "-c", script], check=True)


def ours(args, net, folder):
    return Side([str(Path(args.build) / "dmlstep"), "--net", net, "--device", args.device, "--precision", args.precision,
                 "--threads", str(args.threads), "--lr", str(args.lr), "--momentum", "0.9", "--weight-decay", "0.0001",
                 "--weights", str(folder / "weights.safetensors"), "--batches", str(folder / "batches.safetensors")])


def theirs(args, net, folder, layout, infer):
    return Side([args.python, str(HERE / "torch_worker.py"), "--net", net, "--device", args.device,
                 "--precision", args.precision, "--threads", str(args.threads), "--classes", str(CLASSES), "--lr", str(args.lr), "--momentum", "0.9", "--weight-decay", "0.0001",
                 "--layout", layout, "--infer", infer,
                 "--weights", str(folder / "weights.safetensors"), "--batches", str(folder / "batches.safetensors")])


def fastest(args, net, folder, what, choices):
    """The choice (layout, inference form) with the best median of a few tries."""
    times = {}
    for layout, infer in choices:
        side = theirs(args, net, folder, layout, infer)
        side.ask(what, 2)
        times[layout, infer] = statistics.median(side.ask(what, 3)["ms"])
        side.close()
    print(f"{net} {what}: PyTorch " + ", ".join(f"{'/'.join(k)} {v:.0f} ms" for k, v in times.items()), file=sys.stderr)
    return min(times, key=times.get)


def equal_losses(args, net, a, b, other):
    """Runs the first steps on three sides: ours, PyTorch, and PyTorch in its other layout. The first loss, before any
    update, must agree to 1e-4 (1e-2 where the arithmetic has 8 bits or 10). Later ones drift apart by rounding alone, also between PyTorch's own two layouts; ours
    may be off by three times what these are (at least as much as the first)."""
    x, y, z = (side.ask("train", args.check_steps)["losses"] for side in (a, b, other))
    worst, own = (max(abs(p - q) / max(1, abs(q)) for p, q in zip(losses, y)) for losses in (x, z))
    first = 1e-4 if args.precision == "fp32" else 1e-2
    allowed = max(first, 3 * own)
    print(f"{net}: losses ours {x[0]:.6f} .. {x[-1]:.6f}, PyTorch {y[0]:.6f} .. {y[-1]:.6f}; largest difference "
          f"{worst:.2e}, between PyTorch's layouts {own:.2e}", file=sys.stderr)
    if abs(x[0] - y[0]) > first * max(1, abs(y[0])) or worst > allowed:
        raise SystemExit(f"{net}: losses differ by {worst:.2e}, allowed are {allowed:.2e}; nothing was timed")
    return {"loss_difference": worst, "loss_difference_of_torch_layouts": own}


def spread(times):
    """Half the distance of the quartiles, relative to the median."""
    quarters = statistics.quantiles(times, n=4)
    return (quarters[2] - quarters[0]) / 2 / statistics.median(times)


def timed(args, net, what, a, b):
    mine, other = [], []
    answers = [{}, {}]
    for side in (a, b):
        side.ask(what, 2)
    for _ in range(args.rounds):  # A B A B
        for i, (side, times) in enumerate(((a, mine), (b, other))):
            answers[i] = side.ask(what, args.steps)
            times += answers[i]["ms"]
    rate = [1e3 * args.batch / statistics.median(times) for times in (mine, other)]
    row = {"net": net, "what": what, "precision": args.precision, "batch": args.batch, "ours": round(rate[0], 3),
           "theirs": round(rate[1], 3), "ratio": round(rate[0] / rate[1], 4),
           "spread": round(max(spread(mine), spread(other)), 4),
           "ours_peak_mib": round(answers[0]["peak_mib"]), "theirs_peak_mib": round(answers[1]["peak_mib"])}
    print(json.dumps(row), file=sys.stderr)
    return row


def compare(args, net):
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepare(args, net, folder)
        layouts = ["channels_last", "contiguous"]
        layout, _ = fastest(args, net, folder, "train", [(x, "eager") for x in layouts])
        a, b = ours(args, net, folder), theirs(args, net, folder, layout, "eager")
        other = theirs(args, net, folder, next(x for x in layouts if x != layout), "eager")
        drift = equal_losses(args, net, a, b, other)
        other.close()
        rows.append(timed(args, net, "train", a, b) | {"theirs_form": layout} | drift)
        for side in (a, b):
            side.close()
        if args.precision == "bf16":
            return rows
        layout, infer = fastest(args, net, folder, "infer",
                                [(x, y) for x in layouts for y in ("eager", "frozen", "optimized")])
        a, b = ours(args, net, folder), theirs(args, net, folder, layout, infer)
        rows.append(timed(args, net, "infer", a, b) | {"theirs_form": f"{layout}, {infer}"})
        for side in (a, b):
            side.close()
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--precision", default="fp32", choices=["fp32", "tf32", "bf16"])
    parser.add_argument("--build", required=True, help="build folder with dmlstep")
    parser.add_argument("--json", help="where the rows go")
    parser.add_argument("--nets", default="resnet50,bn_inception")
    parser.add_argument("--python", help="interpreter with PyTorch and numpy instead of bench/.venv")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batches", type=int, default=4, help="different batches, used in turn")
    parser.add_argument("--lr", type=float, default=0.001)
    parser.add_argument("--check-steps", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4, help="per round and side")
    args = parser.parse_args()
    args.python = own_python(args.python)
    with open("/proc/cpuinfo") as info:
        flags = next(line for line in info if line.startswith("flags")).split()
    if args.precision == "bf16" and args.device == "cpu" and "avx512_bf16" not in flags:
        print("bf16: this processor has no AVX512-BF16; both sides emulate it", file=sys.stderr)
    rows = [row for net in args.nets.split(",") for row in compare(args, net)]
    if args.json:
        Path(args.json).write_text(json.dumps({"rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
