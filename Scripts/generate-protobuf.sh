#!/bin/sh
# Regenerates Sources/OnnxBackend/Messages/onnx.pb.swift from onnx.proto beside it.
# Needs `protoc` on the path; builds `protoc-gen-swift` from the package's own swift-protobuf.
set -eu
cd "$(dirname "$0")/.."
command -v protoc >/dev/null || { echo "protoc is missing: install protobuf-compiler" >&2; exit 1; }
swift package resolve
scratch="${PROTOBUF_SCRATCH:-.build/protoc-gen-swift}"
swift build --package-path .build/checkouts/swift-protobuf --scratch-path "$scratch" \
  --product protoc-gen-swift
protoc --plugin=protoc-gen-swift="$scratch/debug/protoc-gen-swift" \
  --proto_path=Sources/OnnxBackend/Messages \
  --swift_opt=Visibility=Internal --swift_out=Sources/OnnxBackend/Messages onnx.proto
