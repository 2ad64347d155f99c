#!/usr/bin/env bash
# Installs what Eigenstep needs beside Swift: OpenBLAS with LAPACKE and zlib, by the platform's
# package manager, and ONNX Runtime's C library, from the `onnxruntime` wheel, into .eigenstep/.
# With `tests`, also the conformance cases of the `onnx` package, and TensorBoard to open logs with. Does nothing where all is there. Never
# touches the user's Python packages.
set -euo pipefail
cd "$(dirname "$0")/.."

# Tested with 1.31.1. Eigenstep asks for version 17 of the C interface, so older ones will not do.
ONNXRUNTIME_VERSIONS='onnxruntime>=1.17,<1.32'
STORE=.eigenstep
# What the conformance tests are generated from; docs/operators.md names the version in use.
ONNX_VERSIONS='onnx>=1.19,<2'
# What opens the event files of training runs in the tests.
TENSORBOARD_VERSIONS='tensorboard>=2.16,<3'

say() { printf 'bootstrap: %s\n' "$*"; }
fail() { printf 'bootstrap: %s\n' "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    fail "not root and no sudo here: run '$*' as root, then this again."
  fi
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

install_packages() { # apt | dnf | pacman | apk, one argument each, words split on purpose
  # shellcheck disable=SC2086
  if command -v apt-get >/dev/null; then
    # The lists of a new machine are missing or out of date.
    apt_install $1 2>/dev/null || { as_root apt-get update && apt_install $1; }
  elif command -v dnf >/dev/null; then
    as_root dnf install -y $2
  elif command -v pacman >/dev/null; then
    as_root pacman -S --needed --noconfirm $3
  elif command -v apk >/dev/null; then
    as_root apk add $4
  else
    fail "no apt-get, dnf, pacman or apk here: install OpenBLAS, LAPACKE and zlib with their \
headers, pip for python3, then run this again."
  fi
}

c_compiler() {
  local candidate
  for candidate in "${CC:-}" clang cc gcc; do
    [ -n "$candidate" ] && command -v "$candidate" && return 0
  done
  return 1
}

# True if a program that calls BLAS, LAPACK and zlib compiles and links as Package.swift links it.
libraries_link() {
  local compiler scratch status=0
  compiler=$(c_compiler) || fail "no C compiler found, though Swift brings clang: is Swift complete?"
  scratch=$(mktemp -d)
  cat >"$scratch/probe.c" <<'PROBE'
#include <cblas.h>
#include <lapacke.h>
#include <zlib.h>
int main(void) {
  double a = 2, w = 0;
  LAPACKE_dsyev(LAPACK_COL_MAJOR, 'N', 'U', 1, &a, 1, &w);
  return cblas_ddot(1, &a, 1, &w, 1) > 0 && crc32(0, 0, 0) == 0 ? 0 : 1;
}
PROBE
  "$compiler" "$scratch/probe.c" -o "$scratch/probe" -llapacke -lopenblas -lz \
    >"$scratch/log" 2>&1 || status=1
  rm -rf "$scratch"
  return $status
}

ensure_swift() {
  command -v "${SWIFT:-swift}" >/dev/null \
    || fail "no swift on the PATH: install Swift 6.0 or later from swift.org, then run this again."
}

ensure_libraries() {
  [ "$(uname -s)" = Darwin ] && return 0 # Accelerate and zlib come with the system
  [ -d /usr/include/openblas ] && export CPATH="/usr/include/openblas:/usr/include/lapacke:${CPATH:-}"
  libraries_link && return 0
  say "installing OpenBLAS, LAPACKE and zlib"
  install_packages 'libopenblas-dev liblapacke-dev zlib1g-dev' \
    'openblas-devel lapack-devel zlib-devel' 'openblas blas-openblas zlib' \
    'openblas-dev lapack-dev zlib-dev'
  [ -d /usr/include/openblas ] && export CPATH="/usr/include/openblas:/usr/include/lapacke:${CPATH:-}"
  libraries_link || fail "OpenBLAS, LAPACKE and zlib are installed, but a program that includes cblas.h, \
lapacke.h and zlib.h does not link with -llapacke -lopenblas -lz: set CPATH and LIBRARY_PATH to their folders."
}

have_pip() { python3 -m pip --version >/dev/null 2>&1; }

# Leaves a wheel in the folder $1. The C library does not care for the Python version, so a
# Python too new or too old for the wheels takes one made for another.
download_wheel() {
  local version
  python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
    --dest "$1" "$ONNXRUNTIME_VERSIONS" 2>"$1/log" && return 0
  for version in 3.13 3.12 3.11; do
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: \
      --implementation cp --python-version "$version" --dest "$1" "$ONNXRUNTIME_VERSIONS" \
      2>>"$1/log" && return 0
  done
  tail -n 3 "$1/log" >&2
  return 1
}

without_onnxruntime() {
  printf 'bootstrap: %s\n' "$*" \
    "Eigenstep works without ONNX Runtime, slowly: --executor reference." >&2
}

ensure_onnxruntime() {
  local scratch library
  if [ -n "${ORT_DYLIB_PATH:-}" ]; then
    say "using ONNX Runtime at ORT_DYLIB_PATH=$ORT_DYLIB_PATH"
    return 0
  fi
  for library in "$STORE"/onnxruntime/libonnxruntime.*; do
    [ -e "$library" ] && return 0
  done
  command -v python3 >/dev/null || {
    without_onnxruntime "no python3 here to fetch ONNX Runtime with: install python3 and run this \
again, or set ORT_DYLIB_PATH to a libonnxruntime."
    return 0
  }
  if ! have_pip; then
    say "installing pip for python3"
    (install_packages python3-pip python3-pip python-pip py3-pip) || true
    have_pip || {
      without_onnxruntime "python3 has no pip, and installing it failed: install pip and run this \
again, or set ORT_DYLIB_PATH to a libonnxruntime."
      return 0
    }
  fi
  say "fetching ONNX Runtime ($ONNXRUNTIME_VERSIONS) into $STORE/onnxruntime"
  mkdir -p "$STORE"
  scratch=$(mktemp -d "$STORE/onnxruntime.XXXXXX")
  # shellcheck disable=SC2064
  trap "rm -rf '$scratch'" EXIT
  mkdir "$scratch/wheel" "$scratch/library"
  if ! download_wheel "$scratch/wheel"; then
    without_onnxruntime "pip found no onnxruntime wheel for this machine (above is what it said)."
    return 0
  fi
  python3 - "$scratch/wheel" "$scratch/library" <<'EXTRACT'
import glob, os, sys, zipfile
wheel, library = sys.argv[1:]
with zipfile.ZipFile(glob.glob(os.path.join(wheel, "*.whl"))[0]) as archive:
    for name in archive.namelist():
        base = os.path.basename(name)
        if name.startswith("onnxruntime/capi/libonnxruntime") or name in (
            "onnxruntime/LICENSE", "onnxruntime/ThirdPartyNotices.txt"
        ):
            with open(os.path.join(library, base), "wb") as file:
                file.write(archive.read(name))
plain = [n for n in os.listdir(library) if n.startswith("libonnxruntime.")]
if not plain:
    sys.exit("the wheel holds no libonnxruntime")
short = "libonnxruntime.dylib" if sys.platform == "darwin" else "libonnxruntime.so"
if short not in plain:
    os.symlink(sorted(plain)[0], os.path.join(library, short))
EXTRACT
  chmod 755 "$scratch/library"
  rm -rf "$STORE/onnxruntime"
  mv "$scratch/library" "$STORE/onnxruntime"
  say "ONNX Runtime is in $STORE/onnxruntime"
}

# The cases of the conformance tests, which are skipped without them.
ensure_conformance() {
  [ -f "$STORE/conformance/VERSION" ] && return 0
  say "fetching $ONNX_VERSIONS into $STORE/onnx, to generate the conformance cases"
  if ! python3 -m pip install --quiet --disable-pip-version-check --no-warn-script-location \
    --upgrade --target "$STORE/onnx" "$ONNX_VERSIONS"; then
    say "pip could not install onnx (above is what it said): the conformance tests will be skipped."
    return 0
  fi
  rm -rf "$STORE/conformance.new"
  if ! PYTHONPATH="$STORE/onnx" python3 -W ignore Scripts/generate-conformance.py \
    "$STORE/conformance.new" >/dev/null; then
    say "the cases could not be generated: the conformance tests will be skipped."
    return 0
  fi
  rm -rf "$STORE/conformance"
  mv "$STORE/conformance.new" "$STORE/conformance"
  say "the conformance cases are in $STORE/conformance"
}

# TensorBoard's own reader, without which logs are not opened.
ensure_tensorboard() {
  [ -d "$STORE/tensorboard/tensorboard" ] && return 0
  say "fetching $TENSORBOARD_VERSIONS into $STORE/tensorboard, to open logs with"
  rm -rf "$STORE/tensorboard.new"
  if ! python3 -m pip install --quiet --disable-pip-version-check --no-warn-script-location \
    --target "$STORE/tensorboard.new" "$TENSORBOARD_VERSIONS"; then
    say "pip could not install tensorboard (above is what it said): logs will not be opened."
    rm -rf "$STORE/tensorboard.new"
    return 0
  fi
  rm -rf "$STORE/tensorboard"
  mv "$STORE/tensorboard.new" "$STORE/tensorboard"
}

ensure_swift
ensure_libraries
ensure_onnxruntime
if [ "${1:-}" = tests ]; then
  ensure_conformance
  ensure_tensorboard
fi
