#!/bin/sh
# Random small problems through `diagnose` and `spectrum`, in the test FuzzTests: COUNT of them (20000)
# from FIRST (0) on. A case that traps ends the test process; its number is printed, and the run goes on
# behind it. Run one again with `Scripts/fuzz.sh 1 NUMBER`.
set -u
cd "$(dirname "$0")/.."
count=${1:-20000}
first=${2:-0}
end=$((first + count))
chunk=500
log=$(mktemp -d)
trap 'rm -rf "$log"' EXIT
failed=0
skip=-1

# Cases $2 up to $2 + $1, all but those in $skip; what is said goes to $log/out.
run() {
  EIGENSTEP_FUZZ=$1 EIGENSTEP_FUZZ_FIRST=$2 EIGENSTEP_FUZZ_SKIP=$skip EIGENSTEP_FUZZ_LOG=$log \
    swift test -c release -Xswiftc -enable-testing --disable-xctest --disable-testable-imports \
    --skip-build --filter 'FuzzTests/randomProblems' >"$log/out" 2>&1
}

while [ "$first" -lt "$end" ]; do
  size=$((end - first < chunk ? end - first : chunk))
  rm -f "$log"/lane-*
  run "$size" "$first" || failed=1
  grep -aoE 'case [0-9]+: .*|Caught error: .*|lane [0-9]: .*' "$log/out"
  if grep -aq 'Test run with' "$log/out"; then
    first=$((first + size))
    echo "up to case $first of $end"
    continue
  fi
  # A case of some lane ended the process: each by itself tells which. The rest is run without it.
  found=0
  for case in $(cat "$log"/lane-*); do
    run 1 "$case"
    if ! grep -aq 'Test run with' "$log/out"; then
      echo "case $case ends the process"
      grep -aE ' in .*swift:[0-9]+' "$log/out" | head -8
      skip=$skip,$case
      found=1
    fi
  done
  if [ $found -eq 0 ]; then
    echo "the process ended for no case alone; its end:"
    tail -5 "$log/out"
    exit 1
  fi
done
exit $failed
