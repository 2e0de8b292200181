#!/bin/sh
# SPDX-License-Identifier: MIT
# Every public header compiles as the only include of a file: compile_headers.sh INCLUDE_FOLDER LANGUAGE STANDARD COMPILER...
# Exit 77 (skipped) without a compiler.
include=$1 language=$2 standard=$3
shift 3
[ $# -gt 0 ] || exit 77
failed=0 seen=0
for header in "$include"/stoa/*.h; do
    name=stoa/${header##*/}
    seen=$((seen + 1))
    # Twice: the guard holds.
    printf '#include <%s>\n#include <%s>\nint main(void) { return 0; }\n' "$name" "$name" |
        "$@" -x "$language" "$standard" -pedantic-errors -Wall -Wextra -Wshadow -Wundef -Werror -I "$include" -fsyntax-only - || {
        echo "$name does not compile alone as $language" >&2
        failed=1
    }
done
[ "$seen" -gt 5 ] || { echo "found $seen headers in $include/stoa" >&2; failed=1; }
exit $failed
