#!/usr/bin/env python3
"""Fails when a file is over its budget: a header 200 lines, a source file 400. Split it instead."""
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUDGET = {".hpp": 200, ".cuh": 200, ".cpp": 400, ".cu": 400, ".py": 400, ".sh": 200}


def main():
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True,
                           check=True).stdout.split("\n")
    over = []
    total = 0
    for name in filter(None, names):
        path = ROOT / name
        limit = BUDGET.get(path.suffix)
        if limit is None or not path.is_file():
            continue
        lines = len(path.read_text(errors="replace").splitlines())
        total += lines
        if lines > limit:
            over.append(f"{name}: {lines} lines, the budget is {limit}")
    print("\n".join(over), file=sys.stderr) if over else None
    print(f"sizes: {total} lines, {len(over)} files over budget")
    return 1 if over else 0


if __name__ == "__main__":
    sys.exit(main())
