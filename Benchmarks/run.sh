#!/usr/bin/env bash
# Installs the peers in .eigenstep/bench-venv, builds our worker, and runs bench.py with the
# arguments given.
set -euo pipefail
cd "$(dirname "$0")/.."
VENV=.eigenstep/bench-venv

install_peers() {
  local pip=("$VENV/bin/python" -m pip install --quiet --disable-pip-version-check)
  if "${pip[@]}" -r Benchmarks/requirements.txt; then return; fi
  # PyTorch's wheel needs its CUDA libraries to import on x86-64 Linux, but not what those need.
  echo "the plain install failed; installing PyTorch without resolving its dependencies" >&2
  "${pip[@]}" numpy jax filelock typing-extensions sympy mpmath networkx jinja2 fsspec
  "${pip[@]}" --no-deps torch nvidia-cuda-runtime nvidia-cuda-cupti nvidia-cudnn-cu13 \
    nvidia-cublas nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvshmem-cu13 nvidia-cufft \
    nvidia-curand nvidia-cusolver nvidia-cusparse nvidia-nvjitlink nvidia-cufile \
    nvidia-cuda-nvrtc nvidia-nvtx
}

if ! "$VENV/bin/python" -c 'import torch, jax, numpy' 2>/dev/null; then
  echo "installing PyTorch and JAX into $VENV (several gigabytes on Linux)" >&2
  python3 -m venv "$VENV"
  install_peers
fi
# SwiftPM does not look for new files in a package that is depended on by path: plan anew.
touch Benchmarks/Package.swift
"${SWIFT:-swift}" build -c release --package-path Benchmarks
exec "$VENV/bin/python" Benchmarks/bench.py "$@"
