#!/bin/sh
# Installs the wheel of dist/ in an environment of its own and runs the package's tests there, as a user has it: with
# no Swift on the PATH and nothing of the sources. test-python.sh jax|torch: those of that framework are among them.
set -eu
cd "$(dirname "$0")/.."
framework=$1
wheel=$(ls "$PWD"/dist/eigenstep-*.whl)
python=${PYTHON:-python3}
place=.eigenstep/python-$framework
# The large packages stay; the wheel is always the one that was built last.
[ -x "$place/bin/python" ] || "$python" -m venv "$place"
pip() { "$place/bin/python" -m pip --quiet --disable-pip-version-check "$@"; }
pip install pytest scipy
if [ "$framework" = torch ]; then
  # A wheel at hand (pip's find-links) or one of the index that TORCH_INDEX names is without CUDA perhaps, and a
  # tenth of the size.
  pip install --no-index --no-deps torch 2>/dev/null || true
  pip install torch ${TORCH_INDEX:+--index-url "$TORCH_INDEX"} || {
    [ -n "${TORCH_OPTIONAL:-}" ] || exit 1
    echo "PyTorch cannot be installed here: its tests are left out"
    exit 0
  }
  tests=python/tests/torch
else
  pip install jax optax scikit-learn pandas
  tests=python/tests
fi
pip install --force-reinstall --no-deps "$wheel"
pip install "$wheel"

program=$PWD/.build/${CONFIGURATION:-release}/eigenstep
# Variables of the build would find other libraries than the wheel's.
exec env -u LD_LIBRARY_PATH -u ORT_DYLIB_PATH -u PYTHONPATH -u EIGENSTEP_LIBRARY \
  PATH="$PWD/$place/bin:/usr/bin:/bin" OMP_NUM_THREADS=1 \
  EIGENSTEP_WHEEL="$wheel" EIGENSTEP_PROGRAM="$program" \
  python -m pytest -c python/pyproject.toml --rootdir python -p no:cacheprovider "$tests" \
  $([ "$framework" = torch ] || echo --ignore python/tests/torch)
