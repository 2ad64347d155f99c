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

# What Foundation's archives need of each other; swiftc names only those that sources import.
foundation='-Xlinker --start-group -lFoundation -lFoundationEssentials -lFoundationInternationalization
  -lCoreFoundation -l_FoundationCShims -l_FoundationCollections -l_FoundationICU -Xlinker --end-group'
printf '{ global: eigenstep_*; local: *; };\n' >"$scratch/exports"
# shellcheck disable=SC2086
"${SWIFTC:-swiftc}" -emit-library -static-stdlib -module-name EigenstepC @"$objects" \
  -o "$scratch/library.so" $foundation -lopenblas -lz \
  -Xlinker --version-script="$scratch/exports" -Xlinker -soname="$(basename "$library")" \
  -Xlinker -z -Xlinker defs -Xlinker --gc-sections -Xlinker --as-needed -Xlinker -s \
  2>"$scratch/log" || { cat "$scratch/log" >&2; exit 1; }
mv "$scratch/library.so" "$library"
