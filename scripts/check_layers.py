#!/usr/bin/env python3
"""Reads the #include lines and fails where a folder uses what it must not (docs/architecture.md).

Each folder may include itself and what is named here; third-party headers have one home each. The
top of the tree holds what is named here and nothing that somebody left there by mistake.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
MAY_USE = {
    "engine": [],
    "ops": ["engine"],
    "nets": ["engine", "ops"],
    "data": ["engine"],
    "weights_convert": ["engine"],
    "dml": ["engine", "ops", "nets/net.hpp", "nets/model.hpp", "data/dataset.hpp",
            "data/loader.hpp", "data/transform.hpp"],
    "apps": ["engine", "ops", "nets", "data", "dml", "weights_convert"],
    "tests": ["engine", "ops", "nets", "data", "dml", "weights_convert", "apps"],
    "bench": ["engine", "ops", "nets", "data", "dml", "weights_convert", "apps", "tests"],
}
HOMES = [  # (third-party header, pattern of the files that may include it)
    (r"(cuda\w*|cudnn\w*|cublas\w*|cudnn_frontend.*)\.h(pp)?$", r"(engine/cuda/|tests/cuda/|.*\.cuh?$)"),
    (r"(oneapi/)?dnnl.*", r"(engine/cpu/|.*_cpu\.cpp$)"),
    (r"faiss/.*", r"dml/retrieval/"),
    (r"(turbojpeg|jpeglib|jerror|png)\.h$", r"(data/image/|tests/data/)"),
    (r"doctest/.*", r"tests/"),
    (r"CLI/.*", r"(apps/|bench/|tests/)"),
    (r"zip\.h$", r"weights_convert/"),
    (r"matio\.h$", r"(data/datasets/|tests/data/)"),
]
TOP = set(MAY_USE) | {
    "cmake", "scripts", "docs", ".ci", ".clang-format", ".editorconfig", ".gitignore",
    "CMakeLists.txt", "CMakePresets.json", "CONTRIBUTING.md", "README.md"}
SWITCH = re.compile(r"^\s*#\s*(if|ifdef|ifndef|elif)\b.*\bDML_(CUDA|HAS_CUDA|FAISS|TESTS|BENCH)\b")
INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def problems_of(path):
    name = path.relative_to(ROOT).as_posix()
    folder = name.split("/")[0]
    allowed = [folder + "/"] + [a if "." in a else a + "/" for a in MAY_USE[folder]]
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        if SWITCH.match(line) and name != "engine/device.cpp":
            yield f"{name}:{number}: a build option is asked for; only engine/device.cpp may"
        match = INCLUDE.match(line)
        if not match:
            continue
        quote, header = match.groups()
        if quote == '"':
            if header.split("/")[0] in MAY_USE and not any(header.startswith(a) for a in allowed):
                yield f"{name}:{number}: {folder} must not include {header}"
            continue
        for pattern, home in HOMES:
            if re.match(pattern, header) and not re.match(home, name):
                yield f"{name}:{number}: <{header}> belongs into {home} alone"


def strays():
    """What git keeps at the top without being named above; nothing where there is no git."""
    try:
        listed = subprocess.run(["git", "ls-files"], cwd=ROOT, text=True, check=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    except (OSError, subprocess.CalledProcessError):
        return
    for name in sorted({line.split("/")[0].strip('"') for line in listed.splitlines()} - TOP):
        yield f"{name}: not one of the top-level files and folders (scripts/check_layers.py)"


def main():
    files = [p for folder in MAY_USE for p in sorted((ROOT / folder).rglob("*"))
             if p.suffix in {".hpp", ".cpp", ".cu", ".cuh"} and ".venv" not in p.parts]
    found = [problem for path in files for problem in problems_of(path)] + list(strays())
    for problem in found:
        print(problem, file=sys.stderr)
    print(f"layers: {len(files)} files, {len(found)} breaches")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
