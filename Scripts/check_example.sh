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
table=Tests/Recordings/tables/collinear.csv
"$folder/DiagnoseExample" $table y >"$scratch/table"
"$folder/eigenstep" diagnose $table --target y | diff - "$scratch/table"
model=Tests/ModelTests/Models/jax
"$folder/DiagnoseExample" $model.onnx $model.npz cross-entropy >"$scratch/model"
"$folder/eigenstep" diagnose $model.onnx --data $model.npz --loss cross-entropy |
  diff - "$scratch/model"
echo "the example answers as the command does, for a table and a model file"
