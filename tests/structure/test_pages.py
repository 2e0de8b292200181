#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the pages say of the tree, held against it. Usage: test_pages.py SOURCE

Links within the tree lead somewhere, CONTRIBUTING.md has every folder of src/ and kernels in its table and no other, and
SECURITY.md names every fuzz target.
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(sys.argv[1])


def pages():
    skipped = {part for part in ("build", "runs", "subprojects")}
    for path in ROOT.rglob("*.md"):
        top = path.relative_to(ROOT).parts[0]
        if top not in skipped and not top.startswith(("build", ".git")):
            yield path


def dead_links(path):
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", path.read_text(encoding="utf-8")):
        if "://" not in link and not (path.parent / link).exists():
            yield f"{path.relative_to(ROOT)}: no {link}, which it links to"


def folders():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {name for row in re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE) for name in re.findall(r"`([^`]+)`", row)}
    there = {f"src/{path.name}" for path in (ROOT / "src").iterdir() if path.is_dir()} | {"kernels", "bench", "include/stoa"}
    for name in sorted(there - named):
        yield f"CONTRIBUTING.md: {name} is not in the table of folders"
    for name in sorted(named - there):
        yield f"CONTRIBUTING.md: no folder {name}"


def fuzz_targets():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for path in sorted((ROOT / "tests" / "fuzz").glob("fuzz_*.c")):
        if f"`{path.stem}`" not in text:
            yield f"SECURITY.md: {path.stem} is not named"
    for name in re.findall(r"`(fuzz_\w+)`", text):
        if not (ROOT / "tests" / "fuzz" / f"{name}.c").exists():
            yield f"SECURITY.md: no target {name}"


found = [line for path in pages() for line in dead_links(path)] + [*folders(), *fuzz_targets()]
print("\n".join(found) or "the pages agree with the tree")
sys.exit(bool(found))
