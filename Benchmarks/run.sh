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
    fsspec tqdm einops matplotlib
  "${pip[@]}" --no-deps torch nvidia-cuda-runtime nvidia-cuda-cupti nvidia-cudnn-cu13 \
    nvidia-cublas nvidia-cusparselt-cu13 nvidia-nccl-cu13 nvidia-nvshmem-cu13 nvidia-cufft \
    nvidia-curand nvidia-cusolver nvidia-cusparse nvidia-nvjitlink nvidia-cufile \
    nvidia-cuda-nvrtc nvidia-nvtx
  "${pip[@]}" --no-deps 'pyhessian>=0.1' 'hessian-eigenthings>=1.0.0a5' \
    'curvlinops-for-pytorch>=3' backpack-for-pytorch einconv linear_operator jaxtyping wadler-lindig \
    onnxscript onnx_ir torch-lr-finder pytorch_optimizer
  "${pip[@]}" onnx packaging safetensors
}

PARTS=(products training models spectra pinns sweep tracking schedules rates door)
parts=("${PARTS[@]}")
for part in "${PARTS[@]}"; do
  if [ "${1:-}" = "$part" ]; then parts=("$1") && shift && break; fi
done
if [[ "${1:-}" =~ ^[a-z] ]]; then
  echo "there is no part $1; there are ${PARTS[*]}" >&2
  exit 64
fi
# Each part has options of its own, and files of its own.
if [ "${#parts[@]}" -gt 1 ] && [[ " $* " = *" --json"* ]]; then
  echo "--json is of one part: name it first, as in run.sh sweep --json PATH" >&2
  exit 64
fi
if ! "$VENV/bin/python" -W ignore -c \
  'import torch, jax, numpy, sklearn, onnxscript, pyhessian, curvlinops, hessian_eigenthings, torch_lr_finder, pytorch_optimizer' \
  2>/dev/null; then
  echo "installing PyTorch, JAX and the peers into $VENV (several gigabytes on Linux)" >&2
  python3 -m venv "$VENV"
  install_peers
fi
# SwiftPM does not look for new files in a package that is depended on by path: plan anew.
touch Benchmarks/Package.swift
"${SWIFT:-swift}" build -c release --package-path Benchmarks

# `rates` asks the program itself.
if [[ " ${parts[*]} " = *" rates "* ]]; then
  "${SWIFT:-swift}" build -c release -Xswiftc -enable-testing --product eigenstep
fi
# `door` asks the Python package.
if [[ " ${parts[*]} " = *" door "* ]]; then
  "${SWIFT:-swift}" build -c release --product EigenstepC
  export EIGENSTEP_LIBRARY="$PWD/.build/release/libEigenstepC.so" OMP_NUM_THREADS=1
fi
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
