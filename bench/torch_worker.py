"""The PyTorch side of compare_torch.py: one command per line of standard input, one JSON object per line of
standard output. Commands: train N, infer N (as dmlstep), settings (which layout and inference form it chose)."""
import argparse
import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

import tensors
from torch_nets import NETS


def mib(key):
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith(key):
                return float(line.split()[1]) / 1024
    return 0.0


class Worker:
    def __init__(self, args):
        torch.set_num_threads(args.threads)
        self.layout = torch.channels_last if args.layout == "channels_last" else torch.contiguous_format
        self.args = args
        self.net = NETS[args.net](args.classes)
        self.net.load_state_dict({k: torch.from_numpy(v) for k, v in tensors.read(args.weights).items()})
        self.device = torch.device(args.device)
        if self.device.type == "cuda":
            torch.backends.cudnn.benchmark = True
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.precision == "tf32"
        self.net.to(self.device, memory_format=self.layout)
        self.batches = []
        stored = tensors.read(args.batches)
        for i in range(sum(name.startswith("images.") for name in stored)):
            images = torch.from_numpy(stored[f"images.{i}"]).permute(0, 3, 1, 2)  # stored channels last
            images = images.to(self.device).contiguous(memory_format=self.layout)
            self.batches.append((images, torch.from_numpy(stored[f"labels.{i}"]).to(self.device)))
        self.optimizer = torch.optim.SGD(self.net.parameters(), args.lr, args.momentum,
                                         weight_decay=args.weight_decay, fused=True)
        self.steps = 0
        self.frozen = None

    def wait(self):
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def train(self, steps):
        self.net.train()
        losses, times = [], []
        for _ in range(steps):
            images, labels = self.batches[self.steps % len(self.batches)]
            self.steps += 1
            start = time.perf_counter()
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.args.precision == "bf16"):
                loss = F.cross_entropy(self.net(images), labels)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            losses.append(loss.item())
            self.wait()
            times.append((time.perf_counter() - start) * 1e3)
        return {"losses": losses, "ms": times, "peak_mib": mib("VmHWM:")}

    def inference(self):
        """The net as it is fastest: batch norm folded by TorchScript's freezing where that works."""
        if self.frozen is None:
            self.net.eval()
            self.frozen = self.net
            if self.args.infer != "eager":
                images = self.batches[0][0]
                with torch.no_grad():
                    frozen = torch.jit.freeze(torch.jit.trace(self.net, images))
                    self.frozen = torch.jit.optimize_for_inference(frozen) if self.args.infer == "optimized" else frozen
        return self.frozen

    def infer(self, passes):
        net = self.inference()
        times, total = [], 0.0
        with torch.inference_mode():
            for i in range(passes):
                images, _ = self.batches[i % len(self.batches)]
                start = time.perf_counter()
                logits = net(images)
                self.wait()
                times.append((time.perf_counter() - start) * 1e3)
                total = float(logits.double().abs().sum())
        return {"ms": times, "checksum": total, "peak_mib": mib("VmHWM:")}


def main():
    parser = argparse.ArgumentParser()
    for name, kind in (("net", str), ("device", str), ("precision", str), ("weights", str), ("batches", str),
                       ("layout", str), ("infer", str), ("threads", int), ("classes", int), ("lr", float),
                       ("momentum", float), ("weight-decay", float)):
        parser.add_argument("--" + name, type=kind, required=True)
    worker = Worker(parser.parse_args())
    for line in sys.stdin:
        command, number = line.split()
        print(json.dumps(getattr(worker, command)(int(number))), flush=True)


if __name__ == "__main__":
    main()
