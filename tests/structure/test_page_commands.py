#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run every command of a page, in the order of the page. Usage: test_page_commands.py SOURCE BUILD PAGE

Blocks of ```sh are run by bash in a scratch folder that a page shares: it holds a small stand-in for MNIST under data/mnist, the
data and recipes that ship, and the sets of page_data.py; the commands of the build are on the PATH. A block of ```c or ```ini that begins with
a comment "NAME: ..." is written to that file first. A comment before a block may say how it is run instead:

    <!-- shortened: OPTIONS -->     lines that begin with stoa or stoa-bench get those of these that they know and do not have
    <!-- elsewhere: FILE -->        this test runs the block's programs, which it names
    <!-- listed -->                 `meson test` lines must name tests that there are, other lines scripts that there are

Commands in the text, `stoa eval RUN --json`, must have a name and options that the program knows.
"""

import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

ROOT, BUILD = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
PAGE = ROOT / sys.argv[3]
sys.path[:0] = [str(ROOT / "tests" / "cli"), str(ROOT / "tests" / "structure")]
import page_data  # noqa: E402
from support import SIDE, make_set, png  # noqa: E402

PROGRAMS = {"stoa": BUILD / "src" / "cli" / "stoa", "stoa-bench": BUILD / "bench" / "stoa-bench"}
BLOCK = re.compile(r"(?:^<!-- (?P<how>shortened|elsewhere|listed)(?:: (?P<what>[^\n]*))? -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
                   re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<!`)`((?:stoa|stoa-bench) [a-z][^`\n]*)`(?!`)")
UNFENCED = re.compile(r"^    +(?:\$ )?((?:build/\S*/)?(?:stoa|stoa-bench)|\./\S+|meson|ninja) ", re.MULTILINE)


def prepare(folder):
    make_set(str(folder / "data" / "mnist"))
    for name in ("data/iris", "data/recipes", "data/tuning"):
        shutil.copytree(ROOT / name, folder / name)
    seven = [bytes(255 if row in (6, 7) and 6 < column < 22 or 7 < row < 24 and 18 < column < 22 else 0 for column in range(SIDE))
             for row in range(SIDE)]
    (folder / "seven.png").write_bytes(png(SIDE, SIDE, seven))
    page_data.houses(folder / "houses.csv")
    page_data.tags(folder / "tags.npz")
    page_data.cifar(folder / "cifar-10-batches-bin")
    page_data.shapes(folder / "shapes", BUILD / "tests" / "cli" / "draw_pictures")
    uninstalled(folder / "uninstalled")
    (folder / "bin").mkdir()
    for name, path in PROGRAMS.items():
        if path.exists():
            (folder / "bin" / name).symlink_to(path)


def uninstalled(folder):
    """What pkg-config says of the library in the build, reached without a space in its path: a shell cuts the words of
    $(pkg-config ...) at each, and the tree may lie in any folder."""
    folder.mkdir()
    (folder / "library").symlink_to(BUILD / "src")
    (folder / "headers").symlink_to(ROOT / "include")
    said = (BUILD / "meson-uninstalled" / "stoa-uninstalled.pc").read_text(encoding="utf-8")
    said, count = re.subn(r"(?m)^(library|headers)=.*$", lambda found: f"{found[1]}={folder / found[1]}", said)
    assert count == 2, said
    (folder / "stoa.pc").write_text(said, encoding="utf-8")


def environment(folder):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("STOA_")}
    return {**kept, "PATH": f"{folder / 'bin'}:{kept['PATH']}", "PKG_CONFIG_PATH": str(folder / "uninstalled"),
            "LD_LIBRARY_PATH": str(BUILD / "src"), "XDG_DATA_HOME": str(folder / "none"), "HOME": str(folder), "STOA_THREADS": "2"}


def known_options(program, command):
    """The options of a command, none where there is no such command, None where the program was not built."""
    if not PROGRAMS[program].exists():
        return None
    done = subprocess.run([PROGRAMS[program], command, "--help"], capture_output=True, text=True, check=False)
    return set(re.findall(r"^  (--[a-z-]+)", done.stdout, re.MULTILINE)) | {"--help"} if done.returncode == 0 else set()


def shorten(text, more):
    """The block with more arguments for each call of a command, before its comment: those that it knows and does not have."""
    pairs = re.findall(r"(--[a-z-]+) (\S+)", more)
    lines = []
    for line in text.splitlines():
        words = re.match(r"((?:[A-Z_]+=\S+ )*(stoa|stoa-bench) (\w+).*?)(\s+#.*)?$", line)
        if words:
            known = known_options(words[2], words[3]) or set()
            added = [f"{name} {value}" for name, value in pairs if name in known and name not in words[1]]
            line = " ".join([words[1], *added]) + (words[4] or "")
        lines.append(line)
    return "\n".join(lines) + "\n"


def run(folder, text):
    script = "set -eu\ntrap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\n" + text
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment(folder), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=300, check=False)
    if done.returncode:
        yield f"status {done.returncode}:\n{done.stdout[-1500:]}{done.stderr[-3000:]}"


def elsewhere(text, name):
    path = ROOT / name
    if not path.is_file():
        yield f"no file {name}, which should run a block"
        return
    said = path.read_text(encoding="utf-8")
    for line in filter(None, (line.split("#")[0].strip() for line in text.splitlines())):
        words = [word for word in shlex.split(line) if not re.match(r"[A-Z_]+=", word)]
        # A program of the tree, or the mode of one that the test knows by its variable.
        scripts = [word for word in words if (ROOT / word).is_file()]
        asked = words[1] if words[0] in PROGRAMS else pathlib.PurePath((scripts or words)[0]).name
        if asked not in said:
            yield f"{name} does not name {asked}, which '{line}' starts"


def listed(text):
    for line in filter(None, (line.split("#")[0].strip() for line in text.splitlines())):
        words = [word for word in shlex.split(line) if not re.match(r"[A-Z_]+=", word)]
        if words[:2] == ["meson", "test"]:
            at = words.index("-C")
            found = subprocess.run([*words[:at], *words[at + 2:], "-C", BUILD, "--no-rebuild", "--list"], capture_output=True,
                                   text=True, check=False)
            if found.returncode or not found.stdout.strip():
                yield f"'{line}' finds no test: {found.stderr.strip()}"
        elif not any((ROOT / word).exists() for word in words) and words[0] not in ("meson", "ninja"):
            yield f"'{line}' names no script of the tree"


def inline(text):
    for words in (found.split() for found in INLINE.findall(text)):
        options = known_options(*words[:2])
        if options is None or words[1] in ("doctor", "help"):
            continue
        if not options:
            yield f"`{' '.join(words)}`: {words[0]} has no {words[1]}"
        for option in (word.split("=")[0] for word in words[2:] if word.startswith("--")):
            if options and option not in options:
                yield f"`{' '.join(words)}`: {words[0]} {words[1]} has no {option}"


def complaints(folder):
    text = PAGE.read_text(encoding="utf-8")
    rest = BLOCK.sub("", text)
    yield from inline(rest)
    for found in UNFENCED.finditer(rest):
        yield f"'{found[0].strip()}' stands in no block of ```sh"
    count = 0
    for block in BLOCK.finditer(text):
        named = re.match(r"(?:/\* |# )([\w.-]+\.(?:c|ini)): ", block["text"])
        if block["kind"] in ("c", "ini") and named:
            (folder / named[1]).write_text(block["text"], encoding="utf-8")
        if block["kind"] != "sh":
            continue
        count += 1
        if block["how"] == "elsewhere":
            yield from elsewhere(block["text"], block["what"])
        elif block["how"] == "listed":
            yield from listed(block["text"])
        else:
            yield from run(folder, shorten(block["text"], block["what"]) if block["how"] else block["text"])
    print(f"{sys.argv[3]}: {count} blocks of commands")


def main():
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        prepare(folder)
        found = list(complaints(folder))
    print("\n".join(found))
    sys.exit(bool(found))


main()
