#!/bin/sh
# Runs Examples/Diagnose, which `EIGENSTEP_EXAMPLES=1 swift build` builds, on a table and on a model file, and
# compares what it prints with what the command does.
set -eu
cd "$(dirname "$0")/.."
folder=.build/${CONFIGURATION:-release}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

lines=$(wc -l <Examples/Diagnose/main.swift)
[ "$lines" -le 10 ] || {
  echo "Examples/Diagnose/main.swift has $lines lines, and at most ten were promised" >&2
  exit 1
}
"$folder/DiagnoseExample" Examples/wine.csv class >"$scratch/table"
"$folder/eigenstep" diagnose Examples/wine.csv --target class | diff - "$scratch/table"
"$folder/DiagnoseExample" Examples/digits.onnx Examples/digits.npz cross-entropy >"$scratch/model"
"$folder/eigenstep" diagnose Examples/digits.onnx --data Examples/digits.npz --loss cross-entropy |
  diff - "$scratch/model"
echo "the example answers as the command does, for a table and a model file"
