#!/usr/bin/env bash
# Compares the shared library's types and functions with those that were recorded. Exit 77 without abigail-tools.
# Until version 1.0 the interface may change: look at what is reported and refresh the record with --update.
# check_abi.sh [--update] LIBRARY, compiled with -g
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
record=tests/package/stoa.abi
command -v abidw >/dev/null && command -v abidiff >/dev/null || exit 77
update=false
if [ "${1:-}" = --update ]; then
  update=true
  shift
fi
[ $# = 1 ] || {
  printf 'usage: %s [--update] LIBRARY\n' "$0" >&2
  exit 2
}
now=$(mktemp)
trap 'rm -f "$now"' EXIT
abidw --exported-interfaces-only --no-elf-needed --no-show-locs --no-corpus-path --no-comp-dir-path \
  --suppressions tests/package/private.abignore --out-file "$now" "$1" || exit 1
# Where the tree lies is no part of the interface.
sed -i "s#path='[^']*/\(src\|kernels\)/#path='\1/#" "$now"
grep -q '<function-decl' "$now" || {
  printf '%s: no types in it; compile with -g\n' "$1" >&2
  exit 1
}
if $update; then
  cat "$now" >"$record"
elif ! abidiff "$record" "$now"; then
  printf 'The interface differs from %s. If that is meant: %s --update LIBRARY\n' "$record" "$0" >&2
  exit 1
fi
