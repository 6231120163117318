#!/usr/bin/env python3
"""Every type and free function declared in a header at namespace scope carries a /// comment."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDERS = ["engine", "ops", "nets", "dml", "data", "weights_convert", "apps"]
TYPE = re.compile(r"^(class|struct|enum class)\s+(\w+)(?:\s+final)?\s*(?::[^;]*)?\{?\s*(?://.*)?$")
FUNCTION = re.compile(r"^(?:\[\[nodiscard\]\]\s*)?(?:inline |constexpr |static )*[\w:<>,&*\s]+?[\s&*](\w+)\(")
IGNORED = ("return", "if", "for", "while", "using", "namespace", "template", "#", "}", "//", "friend",
           "DML_", "extern", "typedef", "static_assert", "requires", "else")


def undocumented(path):
    lines = path.read_text().splitlines()
    documented = False
    seen = set()
    for number, line in enumerate(lines, 1):
        if line.startswith("///"):
            documented = True
            continue
        if not line.strip():
            documented = False
            continue
        if line.startswith("template") or line.startswith("    requires"):
            continue
        match = None
        if not line.startswith((" ",) + IGNORED):
            match = TYPE.match(line) or FUNCTION.match(line)
        if match:
            name = match.group(match.lastindex)
            # One comment may stand for a run of overloads or of declarations without a blank line.
            if not documented and name not in seen:
                yield f"{path.relative_to(ROOT)}:{number}: '{name}' has no /// comment"
            seen.add(name)
        elif line.startswith("}"):
            documented = False


def example_differs():
    """The loss that docs/adding.md shows must be the one that a test compiles."""
    page = (ROOT / "docs/adding.md").read_text()
    shown = page.split("```cpp\n", 1)[1].split("```", 1)[0]
    return not (ROOT / "tests/dml/center_example_test.cpp").read_text().startswith(shown)


def main():
    files = [p for f in FOLDERS for p in sorted((ROOT / f).rglob("*.hpp"))]
    found = [problem for path in files for problem in undocumented(path)]
    if example_differs():
        found.append("docs/adding.md: its example is not that of tests/dml/center_example_test.cpp")
    for problem in found:
        print(problem, file=sys.stderr)
    print(f"documentation: {len(files)} headers, {len(found)} undocumented declarations")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
