#!/bin/sh
# SPDX-License-Identifier: MIT
# What the libraries define for others: the shared one exactly the names of a list, the static ones nothing without the
# prefix, as a static library hides nothing. test_symbols.sh LIST SHARED STATIC...
set -u
export LC_ALL=C
list=$1 shared=$2
shift 2
failed=0

# Names that sanitizers, coverage and 32-bit x86 add are not the library's.
globals() {
    nm --defined-only --extern-only "$@" | awk 'NF == 3 && $3 !~ /^__(odr_asan|asan|gcov|llvm|start|stop|x86)/ { print $3 }' | sort -u
}

found=$(globals --dynamic "$shared") || exit 1
[ -n "$found" ] || { echo "$shared exports nothing" >&2; exit 1; }
if ! printf '%s\n' "$found" | diff -u "$list" -; then
    echo "exported symbols differ from the list. A new function is added to it; one that goes or changes needs a new" >&2
    echo "STOA_SOVERSION. Update: nm -D --defined-only $shared | awk '{ print \$3 }' | LC_ALL=C sort -u >$list" >&2
    failed=1
fi
for library in "$@"; do
    count=$(globals "$library" | wc -l)
    strangers=$(globals "$library" | grep -v '^stoa_')
    if [ "$count" -lt 50 ] || [ -n "$strangers" ]; then
        printf '%s: %s global symbols, without the prefix stoa_:\n%s\n' "$library" "$count" "$strangers" >&2
        failed=1
    fi
done
exit $failed
