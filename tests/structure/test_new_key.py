#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A new key of [train] is a member of the option struct and a row of src/train/keys.c: the tree is copied, both are added, and
recipes, settings, option structs filled in C and the list of keys know it. Usage: test_new_key.py SOURCE BUILD
"""

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

SOURCE, BUILD = (pathlib.Path(argument).resolve() for argument in sys.argv[1:])
TARGET = "tests/recipe/test_recipe_recipe"
MEMBER = ("} stoa_train_options;", "    size_t probe; /**< a key that only this test knows */\n} stoa_train_options;")
ROW = ("static const struct stoa_key keys[] = {\n",
       'static const struct stoa_key keys[] = {\n    NUMBER("probe", SIZE, probe, "4", 2, 9, "what only this test knows"),\n')
PROGRAM = r"""
#include <stdio.h>
#include <string.h>
#include <stoa/recipe.h>
#include "train/options.h"

static const char text[] = "[model]\ninput = 2x2x1\nf = flatten\n\n[train]\nprobe = 3\n";
static const char sentence[] = "probe: found '99', expected a number from 2 to 9";
static int wrong;

static void expect(const char *what, int good) {
    if (!good) {
        printf("%s\n", what);
        wrong = 1;
    }
}

int main(void) {
    stoa_context *context;
    stoa_recipe *recipe;
    stoa_recipe_info info;
    stoa_recipe_key key;
    struct stoa_train_settings settings;
    if (stoa_context_create(NULL, &context) != STOA_OK ||
        stoa_recipe_load_memory(context, "r", text, sizeof text - 1, &recipe) != STOA_OK) {
        puts(stoa_context_error(context));
        return 1;
    }
    stoa_recipe_describe(recipe, &info);
    expect("a recipe reads it", info.train.probe == 3);
    expect("a recipe's text says it", strcmp(stoa_recipe_text(recipe), text) == 0);
    expect("it can be set", stoa_recipe_set(context, recipe, "probe", "7") == STOA_OK);
    stoa_recipe_describe(recipe, &info);
    expect("what is set counts", info.train.probe == 7 && strstr(stoa_recipe_text(recipe), "probe = 7\n"));
    expect("a setting has its range", stoa_recipe_set(context, recipe, "probe", "99") == STOA_ERR_ARGUMENT &&
                                          strcmp(stoa_context_error(context), sentence) == 0);
    expect("a struct has the same range",
           stoa_train_settings_read(context, &(stoa_train_options){.probe = 99}, &settings) == STOA_ERR_ARGUMENT &&
               strcmp(stoa_context_error(context), sentence) == 0);
    expect("zero means the default", stoa_train_settings_read(context, &(stoa_train_options){.probe = 0}, &settings) == STOA_OK &&
                                         settings.options.probe == 4);
    int listed = 0;
    for (size_t i = 0; stoa_recipe_key_at(i, &key); i++) {
        listed += strcmp(key.name, "probe") == 0 && strcmp(key.section, "train") == 0 && strcmp(key.fallback, "4") == 0 &&
                  strcmp(key.expected, "a number from 2 to 9") == 0;
    }
    expect("it is listed", listed == 1);
    stoa_recipe_free(recipe);
    stoa_context_free(context);
    return wrong;
}
"""


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        sys.exit(f"{path}: found {text.count(old)} places for the new line, expected 1")
    path.write_text(text.replace(old, new), encoding="utf-8")


def commands():
    """How the files that know the option struct are compiled, by their path in the tree."""
    found = {}
    for entry in json.loads((BUILD / "compile_commands.json").read_text(encoding="utf-8")):
        path = pathlib.Path(os.path.normpath(os.path.join(entry["directory"], entry["file"])))
        inside = path.relative_to(SOURCE) if path.is_relative_to(SOURCE) else pathlib.Path()
        if inside.parts[:2] in (("src", "train"), ("src", "recipe")) and "stoa-internal" in entry["command"]:
            words = [word for word in shlex.split(entry["command"]) if not re.match(r"-(O|g|M[DQF]|o$|c$)", word)]
            found[inside] = [word for word in words if not word.endswith((".c", ".o", ".d"))]
    return found


def compile_file(command, tree, path, out):
    words = [*command, "-O0", f"-I{tree / 'include'}", f"-I{tree / 'src'}", f"-I{tree}"]
    # Before the folders of the tree itself.
    compiler = next(i for i, word in enumerate(words) if word.startswith("-"))
    words = words[:compiler] + words[-3:] + words[compiler:-3]
    done = subprocess.run([*words, "-c", str(path), "-o", str(out)], cwd=BUILD, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else None


def link_command(objects, out):
    """As a test of recipes is linked, with other objects: what they hold is not taken from the library."""
    lines = subprocess.run(["ninja", "-C", BUILD, "-t", "commands", TARGET], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    words = shlex.split(lines[-1])
    place = next(i for i, word in enumerate(words) if word.startswith(f"{TARGET}.p/"))
    words[words.index("-o") + 1] = str(out)
    return words[:place] + [str(path) for path in objects] + words[place + 1:]


def main():
    with tempfile.TemporaryDirectory() as folder:
        tree = pathlib.Path(folder)
        shutil.copytree(SOURCE / "include", tree / "include")
        shutil.copytree(SOURCE / "src", tree / "src")
        shutil.copytree(SOURCE / "kernels", tree / "kernels")
        change(tree / "include" / "stoa" / "train.h", *MEMBER)
        change(tree / "src" / "train" / "keys.c", *ROW)
        (tree / "src" / "recipe" / "probe.c").write_text(PROGRAM, encoding="utf-8")
        known = commands()
        if len(known) < 10:
            sys.exit(f"{BUILD}: found how {len(known)} files are compiled, expected those of src/train and src/recipe")
        known[pathlib.Path("src/recipe/probe.c")] = known[pathlib.Path("src/recipe/recipe.c")]
        objects = [tree / f"{number}.o" for number in range(len(known))]
        with concurrent.futures.ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
            jobs = [pool.submit(compile_file, command, tree, tree / path, out)
                    for (path, command), out in zip(known.items(), objects)]
        failures = [job.result() for job in jobs if job.result()]
        if failures:
            sys.exit("\n".join(failures))
        subprocess.run(link_command(objects, tree / "probe"), cwd=BUILD, check=True)
        sys.exit(subprocess.run([tree / "probe"], check=False).returncode)


main()
