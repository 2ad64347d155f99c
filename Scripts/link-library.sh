#!/bin/sh
# Links what `swift build` compiled into the shared library of the Python package: link-library.sh FOLDER LIBRARY.
# FOLDER is .build/release or the like. Swift's runtime is linked in, so that nobody needs Swift to load it, and
# nothing but the functions of eigenstep.h can be seen from outside, so that it gets on with whatever else is
# loaded. LAPACK comes with OpenBLAS here.
set -eu
cd "$(dirname "$0")/.."
folder=$1
library=$2
objects=$folder/EigenstepC.product/Objects.LinkFileList
[ -f "$objects" ] || {
  echo "link-library.sh: $objects is missing; run \`make build\` first" >&2
  exit 1
}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$(dirname "$library")"

printf '{ global: eigenstep_*; local: *; };\n' >"$scratch/exports"
"${SWIFTC:-swiftc}" -emit-library -static-stdlib -module-name EigenstepC @"$objects" \
  -o "$scratch/library.so" -lopenblas -lz \
  -Xlinker --version-script="$scratch/exports" -Xlinker -soname="$(basename "$library")" \
  -Xlinker --gc-sections -Xlinker --as-needed -Xlinker -s
mv "$scratch/library.so" "$library"
