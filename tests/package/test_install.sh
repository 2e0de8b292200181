#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# The library as others get it: installed into a prefix that is then moved, and used from outside the source tree in every
# way that is offered. Each way builds the example programs of tests/embed and runs them.
# test_install.sh SOURCE BUILD PREFIX BLAS AMALGAMATION WAY...
#   PREFIX: of the build; BLAS: its pkg-config name; AMALGAMATION: folder of stoa.c and stoa.h
#   WAY: command, bench, pkg-config, static, all-static, cmake, meson, subproject, amalgamation
# Exit 77 (skipped) if a way's tool is missing and no other way failed.
set -eEuo pipefail
trap 'printf "test_install.sh: line %s: %s: failed\n" "$LINENO" "$BASH_COMMAND" >&2' ERR
source=$1 build=$2 prefix=$3 blas=$4 amalgamation=$5
shift 5
ways=("$@")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cc=${CC:-cc} cxx=${CXX:-c++}
# Neither the flags of a packager nor the build's own library may help.
unset DESTDIR CFLAGS CXXFLAGS CPPFLAGS LDFLAGS LD_LIBRARY_PATH

missing() {
  printf '%s: not installed\n' "$1"
  exit 77
}

meson install -C "$build" --no-rebuild --quiet --destdir "$work/staged"
mkdir "$work/a place"
moved="$work/a place/moved"
mv "$work/staged$prefix" "$moved"
pc=$(find "$moved" -name stoa.pc)
[ -n "$pc" ]
export PKG_CONFIG_PATH="${pc%/*}${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}"
lib=${pc%/pkgconfig/stoa.pc}

# fresh WAY: an empty folder with the examples, entered.
fresh() {
  mkdir "$work/$1"
  cd "$work/$1"
  cp "$source"/tests/embed/example_* .
}

# run FOLDER: all example programs in it.
run() {
  local program
  for program in conv2d allocator blas train_cpp pool_cpp; do
    "$1/$program" || return 1
  done
  "$1/train" model.safetensors
  "$1/predict" model.safetensors
}

# compile C_COMPILER LIBRARIES: all examples with $flags and libraries as words.
compile() {
  local name
  for name in conv2d train predict allocator; do
    "$1" -std=gnu11 -Wall -Wextra -Werror "${flags[@]}" "example_$name.c" -o "$name" "${@:2}" -lm -pthread
  done
  "$1" -std=gnu11 -Wall -Wextra -Werror "${flags[@]}" "${blas_flags[@]}" example_blas.c -o blas "${@:2}" \
    "${blas_libs[@]}" -lm -pthread
  "$cxx" -std=c++11 -Wall -Wextra -Werror "${flags[@]}" example_train.cpp -o train_cpp "${@:2}" -lm -pthread
  "$cxx" -std=c++11 -Wall -Wextra -Werror "${flags[@]}" example_pool.cpp -o pool_cpp "${@:2}" -lm -pthread
}

# words COMMAND...: its output as words into the array `out`; pkg-config quotes spaces with a backslash.
words() {
  eval "out=($("$@"))"
}

# The installed command finds its library and its recipes where it has been moved to, and has its man page.
try_command() {
  fresh command
  local recipes
  recipes=$(env -i HOME=/nonexistent PATH="$PATH" "$moved/bin/stoa" recipes)
  grep -q lenet5 <<<"$recipes"
  env -i HOME=/nonexistent PATH="$PATH" "$moved/bin/stoa" plan lenet5 --batch 8 >shown
  grep -q c1 shown
  [ -f "$moved/share/man/man1/stoa.1" ]
  cmp "$moved/share/doc/stoa/LICENSE" "$source/LICENSE"
}

# moved_bench ARGUMENT...: the installed bench with nothing but what was moved.
moved_bench() {
  env -i HOME=/nonexistent PATH="$PATH" "$moved/bin/stoa-bench" "$@"
}

# It brings its lists, recipes, peers and man page along, and runs on other CPUs than the one that built it.
try_bench() {
  fresh bench
  [ -f "$moved/share/man/man1/stoa-bench.1" ]
  moved_bench layers --filter 'lenet c1' --min-time 0.001 --no-naive >shown
  grep -q '^lenet c1 .*backward weights' shown
  # Those that are read are the moved ones.
  printf 'moved 1: linear n1 c2 k3\n' >"$moved/share/stoa/bench/layers.list"
  printf 'moved lenet5 test > 1 seeds 1\n' >"$moved/share/stoa/bench/seeds.list"
  cp "$moved/share/stoa/recipes/lenet5.ini" "$moved/share/stoa/recipes/moved.ini"
  [ "$(moved_bench layers --list | head -n 1)" = 'moved 1 forward' ]
  [ "$(moved_bench seeds --list)" = seeds/moved/lenet5 ]
  [ "$(moved_bench train moved --list)" = train/moved ]
  local peer
  for peer in onednn xnnpack; do
    if [ -e "$build/bench/peers/$peer.so" ]; then
      moved_bench layers --peer "$peer" --filter forward --min-time 0.001 --repetitions 1 >shown
      grep -q '^moved 1 ' shown
      rm "$lib/stoa/peers/$peer.so"
    fi
    if moved_bench layers --peer "$peer" 2>shown; then
      return 1
    fi
    grep -q 'no such peer' shown
  done
  # Built for this CPU: everything, because somebody wanted that, or nothing.
  local commands native
  commands=$(grep -c '"command":' "$build/compile_commands.json")
  native=$(grep -c -- '-march=native' "$build/compile_commands.json") || true
  [ "$native" = 0 ] || [ "$native" = "$commands" ]
}

try_pkg_config() {
  fresh pkg-config
  words pkg-config --cflags stoa
  flags=("${out[@]}")
  words pkg-config --libs stoa
  compile "$cc" "${out[@]}"
  LD_LIBRARY_PATH=$lib run .
}

# Everything the static library needs is in `pkg-config --static`.
try_static() {
  fresh static
  words pkg-config --cflags stoa
  flags=("${out[@]}")
  words pkg-config --static --libs stoa
  compile "$cc" "${out[@]/#-lstoa/-l:libstoa.a}"
  if ldd conv2d | grep libstoa; then
    return 1
  fi
  run .
}

# Programs without any shared library, where there is an archive of each one that is linked.
try_all_static() {
  fresh all-static
  local onnx
  onnx=$(pkg-config --print-requires-private stoa | grep -o libprotobuf-c) || true
  words pkg-config --libs "$blas" zlib jansson inih libpng libjpeg ${onnx:+"$onnx"}
  printf 'int main(void) { return 0; }\n' >empty.c
  "$cc" -static empty.c -o empty "${out[@]}" -lm -ldl -pthread || missing "an archive for each -l of ${out[*]}"
  words pkg-config --cflags stoa
  flags=(-static "${out[@]}")
  words pkg-config --static --libs stoa
  compile "$cc" "${out[@]}"
  if ldd conv2d; then
    return 1
  fi
  run .
}

try_cmake() {
  command -v cmake >/dev/null || missing cmake
  fresh cmake
  cp "$source"/tests/package/cmake/CMakeLists.txt .
  CC=$cc CXX=$cxx cmake -S . -B out -DCMAKE_PREFIX_PATH="$moved" -DBLAS_NAME="$blas" >log 2>&1 || {
    cat log
    return 1
  }
  cmake --build out >log 2>&1 || {
    cat log
    return 1
  }
  run out
  # Versions that this one cannot stand in for are refused.
  local version
  for version in 0.0 0.2 1.0; do
    sed "s/find_package(stoa 0.1 /find_package(stoa $version /" "$source"/tests/package/cmake/CMakeLists.txt >CMakeLists.txt
    if CC=$cc CXX=$cxx cmake -S . -B refused -DCMAKE_PREFIX_PATH="$moved" -DBLAS_NAME="$blas" >log 2>&1; then
      printf 'find_package(stoa %s) took %s\n' "$version" "$(pkg-config --modversion stoa)"
      return 1
    fi
    grep -q "requested version \"$version\"" log
  done
}

# use_meson OPTION...
use_meson() {
  cp "$source"/tests/package/meson/meson* .
  { CC=$cc CXX=$cxx meson setup out -Dblas_name="$blas" "$@" && ninja -C out; } >log 2>&1 || {
    cat log
    return 1
  }
}

try_meson() {
  fresh meson
  use_meson --wrap-mode=nofallback
  LD_LIBRARY_PATH=$lib run out
}

# The tree itself inside another build: only the library is built.
try_subproject() {
  fresh subproject
  mkdir subprojects
  ln -s "$source" subprojects/stoa
  use_meson --buildtype=debug --force-fallback-for=stoa
  [ ! -e out/subprojects/stoa/tests ]
  [ ! -e out/subprojects/stoa/src/cli/stoa ]
  [ ! -e out/subprojects/stoa/bench ]
  run out
}

# Two files in the program's own tree, with every compiler there is: optimised with gcc, which warns of more then; clang
# warns of the same without it.
try_amalgamation() {
  fresh amalgamation
  sed -i 's|<stoa/stoa.h>|"stoa.h"|' example_*
  cp "$amalgamation"/stoa.c "$amalgamation"/stoa.h .
  # Each of the two carries the licence, word for word.
  local file
  for file in stoa.c stoa.h; do
    head -n 30 "$file" | sed 's|^ \* \{0,1\}||; s| \*/$||' >licence
    diff <(sed -n "3,$(($(wc -l <"$source"/LICENSE) + 2))p" licence) "$source"/LICENSE
  done
  words pkg-config --cflags "$blas" zlib jansson inih libpng libjpeg
  flags=("${out[@]}")
  words pkg-config --libs "$blas" zlib jansson inih libpng libjpeg
  local compiler optimised
  for compiler in gcc clang; do
    command -v "$compiler" >/dev/null || continue
    optimised=-O1
    [ "$compiler" = gcc ] || optimised=-O0
    "$compiler" "$optimised" -fopenmp-simd -fno-trapping-math -Wall -Wextra -Werror "${flags[@]}" -c stoa.c
    nm --defined-only --extern-only stoa.o | awk 'NF == 3 { print $3 }' >globals
    if grep -v '^stoa_' globals; then
      return 1
    fi
    [ "$(uname -m)" != x86_64 ] || grep -q '^stoa_relu_avx512$' globals
    compile "$cc" stoa.o "${out[@]}" -ldl
    run .
  done
}

out=()
words pkg-config --cflags "$blas"
blas_flags=("${out[@]}")
words pkg-config --libs "$blas"
blas_libs=("${out[@]}")
for way in "${ways[@]}"; do
  start=$SECONDS
  (set -e; "try_${way//-/_}")
  printf '#### %s: %d s\n' "$way" $((SECONDS - start))
done
