#!/usr/bin/env bash
# Installs the peers in .eigenstep/bench-venv, builds our workers, and runs NAME.py of each part with the arguments
# given; with a part's name as the first argument, that part alone.
set -euo pipefail
cd "$(dirname "$0")/.."
VENV=.eigenstep/bench-venv

install_peers() {
  local pip=("$VENV/bin/python" -m pip install --quiet --disable-pip-version-check)
  if "${pip[@]}" -r Benchmarks/requirements.txt; then return; fi
  # PyTorch's wheel needs its CUDA libraries to import on x86-64 Linux, but not what those need.
  echo "the plain install failed; installing PyTorch without resolving its dependencies" >&2
  "${pip[@]}" numpy scipy scikit-learn jax filelock typing-extensions sympy mpmath networkx jinja2 \
    fsspec tqdm einops
  "${pip[@]}" --no-deps torch nvidia-cuda-runtime nvidia-cuda-cupti nvidia-cudnn-cu13 \
    nvidia-cublas nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvshmem-cu13 nvidia-cufft \
    nvidia-curand nvidia-cusolver nvidia-cusparse nvidia-nvjitlink nvidia-cufile \
    nvidia-cuda-nvrtc nvidia-nvtx
  "${pip[@]}" --no-deps 'pyhessian>=0.1' 'hessian-eigenthings>=1.0.0a5' \
    'curvlinops-for-pytorch>=3' backpack-for-pytorch einconv linear_operator jaxtyping wadler-lindig \
    onnxscript onnx_ir
  "${pip[@]}" onnx packaging safetensors
}

if [ "${1:-}" = schedules ]; then
  shift
  touch Benchmarks/Package.swift
  "${SWIFT:-swift}" build -c release --package-path Benchmarks --product schedule-sweep
  exec Benchmarks/.build/release/schedule-sweep "$@"
fi
if ! "$VENV/bin/python" -W ignore -c \
  'import torch, jax, numpy, sklearn, onnxscript, pyhessian, curvlinops, hessian_eigenthings' \
  2>/dev/null; then
  echo "installing PyTorch, JAX and the peers into $VENV (several gigabytes on Linux)" >&2
  python3 -m venv "$VENV"
  install_peers
fi
# SwiftPM does not look for new files in a package that is depended on by path: plan anew.
touch Benchmarks/Package.swift
"${SWIFT:-swift}" build -c release --package-path Benchmarks

case "${1:-}" in
  products | training | models | spectra | pinns | sweep) parts=("$1") && shift ;;
  *) parts=(products training models spectra pinns sweep) ;;
esac
status=0
for part in "${parts[@]}"; do
  script=$part.py
  [ "$part" = products ] && script=bench.py
  "$VENV/bin/python" "Benchmarks/$script" "$@" || status=$?
done
# Bounds and residuals of 10,000 random matrices against LAPACK's eigenvalues.
case " ${parts[*]} " in
  *" spectra "*) Benchmarks/.build/release/spectra-sweep 10000 400 || status=$? ;;
esac
exit "$status"
