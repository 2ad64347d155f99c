#!/bin/sh
# Builds Examples/Client, a package that depends on this one, and runs it from another folder, where it finds ONNX
# Runtime by where it lies itself; then with a library that is not there, to see what it is told.
set -eu
cd "$(dirname "$0")/.."
root=$PWD
build=${CLIENT_BUILD:-$root/.build/client}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

${SWIFT:-swift} build --package-path Examples/Client --scratch-path "$build" --product Client
printf 'sharpness 9.333333333333334\nstable below 0.2143\n' >"$scratch/right"
client=$build/debug/Client
(cd "$scratch" && env -u ORT_DYLIB_PATH "$client" >printed)
diff "$scratch/right" "$scratch/printed"

status=0
(cd "$scratch" && ORT_DYLIB_PATH="$scratch/none.so" "$client" >errors 2>&1) || status=$?
[ "$status" -ne 0 ] && grep -q 'set ORT_DYLIB_PATH to a working one' "$scratch/errors" || {
  echo "a client without ONNX Runtime is not told what to do:" >&2
  cat "$scratch/errors" >&2
  exit 1
}
echo "a package that depends on this one builds, and finds ONNX Runtime"
