#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Compares types and functions of the public headers with those that were recorded: what a program compiled before relies
# on. Exit 77 (skipped) without abigail-tools. Until version 1.0 the interface may change: look at what is reported, then
# refresh the record with --update.
# check_abi.sh [--update]
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
root=$PWD record=$PWD/tests/package/stoa.abi
for tool in abidw abidiff; do
  command -v "$tool" >/dev/null || {
    printf '%s: not installed\n' "$tool"
    exit 77
  }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A pointer to every exported function, compiled against the public headers alone: all of the interface, and nothing of
# what the library keeps to itself, whatever folder it was built in.
cd "$work" || exit 1
{
  printf '#include <stoa/stoa.h>\n'
  while read -r name; do
    printf '__typeof__(%s) *const interface_%s = %s;\n' "$name" "$name" "$name"
  done <"$root/tests/package/symbols.txt"
} >interface.c
"${CC:-cc}" -std=gnu11 -g -fPIC -shared -I "$root/include" interface.c -o interface.so || exit 1
abidw --no-show-locs --no-corpus-path --no-comp-dir-path --no-elf-needed --out-file now.abi interface.so || exit 1
if [ "${1:-}" = --update ]; then
  cat now.abi >"$record"
elif ! abidiff "$record" now.abi; then
  printf 'The interface differs from what was recorded. If that is meant: tests/package/check_abi.sh --update\n' >&2
  exit 1
fi
