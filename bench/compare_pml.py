#!/usr/bin/env python3
"""Compares the losses with pytorch-metric-learning on this machine: forward and backward.

    bench/compare_pml.py --dmlbench build/dmlbench --json out.json [--losses triplet_margin,contrastive]

Both sides take random embeddings [batch, dim] of the same classes and include the product that makes the matrix of
distances. They run in turns (A B A B ...). pytorch-metric-learning comes from PyPI into bench/.venv at the first call.
"""
import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CLASSES = {
    "angular": "AngularLoss", "circle": "CircleLoss", "contrastive": "ContrastiveLoss",
    "dynamic_soft_margin": "DynamicSoftMarginLoss", "fast_ap": "FastAPLoss",
    "generalized_lifted_structure": "GeneralizedLiftedStructureLoss",
    "intra_pair_variance": "IntraPairVarianceLoss", "lifted_structure": "LiftedStructureLoss", "margin": "MarginLoss",
    "multi_similarity": "MultiSimilarityLoss", "n_pairs": "NPairsLoss", "nca": "NCALoss", "nt_xent": "NTXentLoss",
    "ranked_list": "RankedListLoss", "smooth_ap": "SmoothAPLoss", "snr_contrastive": "SignalToNoiseRatioContrastiveLoss",
    "sup_con": "SupConLoss", "threshold_consistent_margin": "ThresholdConsistentMarginLoss",
    "triplet_margin": "TripletMarginLoss", "tuplet_margin": "TupletMarginLoss",
}
ARGUMENTS = {"ranked_list": {"margin": 0.4, "Tn": 10}}

WORKER = r"""
import json, sys, time, torch
from pytorch_metric_learning import losses
torch.set_num_threads(int(sys.argv[1]))
batch, dim, per_class = map(int, sys.argv[2:5])
torch.manual_seed(1)
x = torch.randn(batch, dim)
y = torch.arange(batch) // per_class
made = {}
for line in sys.stdin:
    name, cls, arguments = json.loads(line)
    try:
        if name not in made:
            made[name] = getattr(losses, cls)(**arguments)
        loss = made[name]
        z = x.clone().requires_grad_(True)
        start = time.perf_counter()
        value = loss(z, y)
        value.backward()
        print(json.dumps([(time.perf_counter() - start) * 1e3, float(value)]), flush=True)
    except Exception as error:
        made.pop(name, None)
        print(json.dumps([None, f"{type(error).__name__}: {error}"[:200]]), flush=True)
"""


def own_python(chosen):
    """The interpreter of an environment that has pytorch-metric-learning; makes it at the first call."""
    if chosen:
        return chosen
    python = HERE / ".venv" / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-c", "import pytorch_metric_learning"], capture_output=True).returncode:
        print("installing pytorch-metric-learning from PyPI into bench/.venv (once)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", HERE / ".venv"], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "torch", "pytorch-metric-learning==2.8.1"], check=True)
    return str(python)


def ours(args, name):
    command = [args.dmlbench, "losses", "--json", "--loss", name, "--batch", args.batch, "--dim", args.dim, "--per-class",
               args.per_class, "--threads", args.threads, "--seconds", 0.3]
    rows = json.loads(subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True).stdout)
    return rows[0] if rows else None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dmlbench", default=str(HERE.parent / "build" / "dmlbench"))
    parser.add_argument("--python", help="an interpreter with torch and pytorch-metric-learning")
    parser.add_argument("--losses", default="triplet_margin,contrastive,multi_similarity,smooth_ap,fast_ap,nt_xent")
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--per-class", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json")
    args = parser.parse_args()
    names = list(CLASSES) if args.losses == "all" else args.losses.split(",")
    worker = subprocess.Popen([own_python(args.python), "-c", WORKER, str(args.threads), str(args.batch), str(args.dim),
                               str(args.per_class)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    rows = []
    for name in names:
        theirs, mine = [], []
        question = json.dumps([name, CLASSES.get(name, name), ARGUMENTS.get(name, {})]) + "\n"
        for turn in range(args.rounds + 1):  # the first one warms up
            worker.stdin.write(question)
            worker.stdin.flush()
            time, value = json.loads(worker.stdout.readline())
            if time is None:
                print(f"{name}: pytorch-metric-learning: {value}", file=sys.stderr)
                break
            one = ours(args, name)
            if one is None:
                break
            if turn > 0:
                theirs.append(time)
                mine.append(one["ms"])
        row = {"loss": name, "batch": args.batch, "dim": args.dim, "ours_ms": statistics.median(mine) if mine else None,
               "pml_ms": statistics.median(theirs) if theirs else None}
        if mine and theirs:
            row["times_faster"] = row["pml_ms"] / row["ours_ms"]
            print(f"{name:30} ours {row['ours_ms']:9.3f} ms   pml {row['pml_ms']:10.3f} ms   {row['times_faster']:7.1f} x")
        rows.append(row)
    worker.stdin.close()
    worker.wait()
    if args.json:
        Path(args.json).write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
