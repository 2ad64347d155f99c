#!/bin/sh
# check-c-interface.sh [--sanitized] FOLDER: compiles and runs the example of docs/c-interface.md with the libEigenstepC.so
# of FOLDER, such as .build/release, then calls that library at random. With --sanitized, of a build with
# --sanitize=address, the calls alone.
set -eu
cd "$(dirname "$0")/.."
sanitized=
[ "$1" = --sanitized ] && { sanitized=yes; shift; }
library=$(cd "$1" && pwd)/libEigenstepC.so
sequences=${SEQUENCES:-10000}
swift=$(dirname "$(dirname "$(readlink -f "$(command -v "${SWIFT:-swift}")")")")
# A library that was linked by `swift build` loads Swift's runtime.
export LD_LIBRARY_PATH="$swift/lib/swift/linux${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"

if [ -n "$sanitized" ]; then
  runtime=$(ls "$swift"/lib/clang/*/lib/linux/libclang_rt.asan-x86_64.so | head -1)
  # Python's own memory counts as leaked when it ends.
  ASAN_OPTIONS=detect_leaks=0:halt_on_error=1 LD_PRELOAD=$runtime PYTHONMALLOC=malloc \
    python3 Scripts/c-interface-calls.py "$library" --sequences "$sequences"
  exit
fi

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
sed -n '/^```c$/,/^```$/p' docs/c-interface.md | sed '1d;$d' >"$scratch/valley.c"
for compiler in "${CC:-}" clang cc gcc; do
  [ -n "$compiler" ] && command -v "$compiler" >/dev/null && break
done
"$compiler" -std=c11 -Wall -Wextra -Wno-unused-parameter -Werror -I Sources/CEigenstep/include \
  "$scratch/valley.c" "$library" -Wl,-rpath,"$(dirname "$library")" -Wl,--allow-shlib-undefined -o "$scratch/valley"
"$scratch/valley" >"$scratch/said"
# The Hessian at the start is [[1330, 480], [480, 200]].
grep -q '1,506' "$scratch/said" || {
  echo "the example of docs/c-interface.md does not find the largest eigenvalue, 1,506:" >&2
  cat "$scratch/said" >&2
  exit 1
}
python3 Scripts/c-interface-calls.py "$library" --sequences "$sequences"
python3 Scripts/c-interface-calls.py "$library" --resident 1000
echo "the C interface keeps its promises"
