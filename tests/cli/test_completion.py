# SPDX-License-Identifier: MIT
"""Completion as the shells do it: every command, every option of every command, their values, recipes and files."""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import time
import unittest

from support import BINARY, Command, read, write

BENCH = os.environ.get("STOA_BENCH")


def commands_of(program):
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    listed = re.search(r"\n(?:Commands|Modes):\n((?:  .*\n)+)", text)[1]
    return [line.split()[0] for line in listed.splitlines()]


def options_of(program, command):
    text = subprocess.run([program, command, "--help"], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^  (--[a-z0-9-]+)(?: ([A-Z]\S*))?", text, re.MULTILINE)


class Completion(Command):
    def setUp(self):
        super().setUp()
        self.programs = [program for program in (BINARY, BENCH) if program]

    def script(self, program, shell):
        result = subprocess.run([program, "completion", shell], capture_output=True, text=True, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result.stdout

    def run_bash(self, program, lines):
        """What bash offers for the last word of each of many lines, given as lists of words."""
        stem = os.path.basename(program).replace("-", "_")
        calls = []
        for words in lines:
            quoted = " ".join("'" + word.replace("'", "'\\''") + "'" for word in [program, *words])
            calls.append(f"COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _{stem}_complete; "
                         "printf '%s\\n' \"${COMPREPLY[@]}\" --; printf '\\0'")
        text = self.script(program, "bash") + "\n" + "\n".join(calls) + "\n"
        result = subprocess.run(["bash", "--norc"], input=text, capture_output=True, text=True, check=False,
                                env=self.environment())
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return [[word for word in part.splitlines() if word][:-1] for part in result.stdout.split("\0")[:-1]]

    def test_every_option_in_bash(self):
        for program in self.programs:
            commands = [name for name in commands_of(program) if name != "help"]
            found = self.run_bash(program, [[""]] + [[name, "--"] for name in commands])
            for name in commands:
                self.assertIn(name, found[0])
            for name, offered in zip(commands, found[1:]):
                if name == "completion":
                    continue
                options = options_of(program, name)
                self.assertGreaterEqual(len(options), 1)
                self.assertEqual(set(offered), {option for option, _ in options} | {"--help"}, name)

    def test_values_in_bash(self):
        self.make_files()
        found = self.run_bash(BINARY, [["train", "--layout", ""], ["train", "--layout", "=", "n"], ["train", "--out", "some"],
                                       ["train", "t"], ["train", "dee"], ["train", "--set", "ep"], ["train", "--epochs", ""],
                                       ["eval", "tin"], ["tr"], ["help", "tr"], ["plan", "tiny", "--inf"]])
        self.assertEqual(found[0], ["auto", "nhwc", "nchw"])
        self.assertEqual(found[1], ["nhwc", "nchw"])
        self.assertEqual(found[2], ["some folder"])
        self.assertEqual(found[3], ["tiny", "tiny.ini"])
        self.assertEqual(found[4], ["deep"])
        self.assertEqual(found[5], ["epochs="])
        self.assertEqual(found[6], [])
        self.assertEqual(found[7], ["tiny.ini"])
        self.assertEqual(found[8], ["train"])
        self.assertEqual(found[9], ["train"])
        self.assertEqual(found[10], ["--inference"])
        if BENCH:
            found = self.run_bash(BENCH, [["layers", "--policy", ""], ["lay"]])
            self.assertEqual(found, [["default", "exact", "blas"], ["layers"]])

    def test_every_option_in_zsh(self):
        for program in self.programs:
            text = self.script(program, "zsh")
            for name in commands_of(program):
                if name in ("help", "completion"):
                    continue
                self.assertIn(f"'{name}:", text)
                block = re.search(rf"\n    {name}\)\n(.*?)\n        ;;", text, re.DOTALL)[1]
                for option, value in options_of(program, name):
                    self.assertRegex(block, rf"'{option}{'=' if value else ''}\[")

    def test_every_option_in_fish(self):
        for program in self.programs:
            text = self.script(program, "fish")
            for name in commands_of(program):
                if name in ("help", "completion"):
                    continue
                for option, _ in options_of(program, name):
                    if option != "--help":
                        self.assertIn(f"-n '__fish_seen_subcommand_from {name}' -l {option[2:]} ", text)
            if shutil.which("fish"):
                lines = "".join(f"complete -C '{os.path.basename(program)} {name} --'\n"
                                for name in commands_of(program) if name not in ("help", "completion"))
                result = self.run_fish(program, lines)
                for name in commands_of(program):
                    for option, _ in options_of(program, name) if name not in ("help", "completion") else []:
                        self.assertIn(option, result.stdout + "--help")

    def found_everywhere(self):
        """An environment in which both programs are on the PATH, as installed ones are."""
        folders = [os.path.dirname(os.path.abspath(program)) for program in self.programs]
        return self.environment(PATH=os.pathsep.join([*folders, os.environ.get("PATH", "")]), TERM="dumb", LC_ALL="C.UTF-8")

    def run_fish(self, program, lines):
        text = self.script(program, "fish") + "\n" + lines
        result = subprocess.run(["fish", "--no-config"], input=text, capture_output=True, text=True, check=False,
                                env=self.found_everywhere())
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        return result

    def make_files(self):
        write("some folder/x.csv", "")
        os.makedirs("data/recipes", exist_ok=True)
        write("data/recipes/deep.ini", "")

    @unittest.skipUnless(shutil.which("fish"), "fish is not installed")
    def test_values_in_fish(self):
        self.make_files()
        asked = ["train --layout ", "train --out som", "train dee", "train --set ep", "eval tin", "tr", "help tr"]
        text = "".join(f"complete -C 'stoa {line}'\necho ==\n" for line in asked)
        parts = self.run_fish(BINARY, text).stdout.split("==\n")
        found = [[line.split("\t")[0] for line in part.splitlines()] for part in parts]
        self.assertEqual(found[0], ["auto", "nchw", "nhwc"])
        self.assertEqual(found[1], ["some folder/"])
        self.assertEqual(found[2], ["deep"])
        self.assertEqual(found[3], ["epochs="])
        self.assertEqual(found[4], ["tiny.ini"])
        self.assertEqual(found[5], ["train"])
        self.assertEqual(found[6], ["train"])

    def run_zsh(self, program, lines, autoloaded):
        """What zsh offers for each of many lines, on a terminal of its own; the script is sourced, or found in fpath."""
        name = os.path.basename(program)
        write(f"functions/_{name}", self.script(program, "zsh"))
        load = "fpath=($PWD/functions $fpath); compinit -u -D" if autoloaded else f"compinit -u -D; source functions/_{name}"
        # compadd says what it would offer, and offers nothing; a line's end says that it is done.
        write("setup", f"""PS1=; unset zle_bracketed_paste; unsetopt beep; autoload -Uz compinit; {load}
compadd() {{ local -a hits; builtin compadd -A hits "$@"; (( $#hits )) && print -rl -- $hits >> found; return 1 }}
ask() {{ zle complete-word; print -r -- '==' >> found; BUFFER=; zle reset-prompt }}
zle -N ask; bindkey '^X' ask
""")
        write("found", "")
        process, terminal = pty.fork()
        if process == 0:
            os.execvpe("zsh", ["zsh", "-f", "-i"], {**self.found_everywhere(), "PROMPT_EOL_MARK": ""})
        os.write(terminal, b"source setup\n")
        try:
            end = time.monotonic() + 60
            for done, line in enumerate(lines):
                os.write(terminal, f"{name} {line}\x18".encode())
                while read("found").decode().splitlines().count("==") <= done and time.monotonic() < end:
                    if select.select([terminal], [], [], 0.01)[0]:
                        os.read(terminal, 65536)
        finally:
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
            os.close(terminal)
        parts, found = read("found").decode().splitlines(), [[]]
        for word in parts:
            if word == "==":
                found.append([])
            else:
                found[-1].append(word)
        self.assertEqual(len(found), len(lines) + 1, "zsh did not answer all lines")
        return found[:-1]

    @unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
    def test_zsh(self):
        self.make_files()
        for program in self.programs:
            commands = [name for name in commands_of(program) if name not in ("help", "completion")]
            found = self.run_zsh(program, [""] + [f"{name} --" for name in commands], program == BENCH)
            for name in commands:
                self.assertIn(name, found[0])
            for name, offered in zip(commands, found[1:]):
                options = {option for option, _ in options_of(program, name)} | {"--help"}
                self.assertEqual({word.rstrip("=") for word in offered}, options, name)
        for autoloaded in (False, True):
            found = self.run_zsh(BINARY, ["train --layout=", "train --layout=n", "train dee", "train --set=ep", "eval tin", "tr",
                                          "help tr", "train --out=som"], autoloaded)
            # _arguments looks for options that are spelt so as well.
            self.assertEqual([sorted({word for word in words if not word.startswith("--")}) for words in found],
                             [["auto", "nchw", "nhwc"], ["nchw", "nhwc"], ["deep"], ["epochs="], ["tiny.ini"], ["train"],
                              ["train"], ["some\\ folder"]])

    def test_refused(self):
        self.refused("completion", words=["SHELL"])
        self.refused("completion", "bsh", words=["'bsh'", "did you mean 'bash'?"])
        self.refused("completion", "powershell", words=["'powershell'", "expected bash, zsh or fish"])


if __name__ == "__main__":
    unittest.main()
