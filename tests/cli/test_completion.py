# SPDX-License-Identifier: MIT
"""Completion as the shells do it: every command, every option of every command, their values, recipes and files."""

import os
import re
import shutil
import subprocess
import unittest

from support import BINARY, Command, write

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
        write("some folder/x.csv", "")
        os.makedirs("data/recipes", exist_ok=True)
        write("data/recipes/deep.ini", "")
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
            if shutil.which("zsh"):
                result = subprocess.run(["zsh", "-n"], input=text, capture_output=True, text=True, check=False)
                self.assertEqual((result.returncode, result.stderr), (0, ""))

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
                result = subprocess.run(["fish", "--no-config"], input=text + lines, capture_output=True, text=True,
                                        check=False, env=self.environment())
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                for name in commands_of(program):
                    for option, _ in options_of(program, name) if name not in ("help", "completion") else []:
                        self.assertIn(option, result.stdout + "--help")

    def test_refused(self):
        self.refused("completion", words=["SHELL"])
        self.refused("completion", "bsh", words=["'bsh'", "did you mean 'bash'?"])
        self.refused("completion", "powershell", words=["'powershell'", "expected bash, zsh or fish"])


if __name__ == "__main__":
    unittest.main()
