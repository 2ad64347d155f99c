#!/bin/sh
# Whether any sentence of a final report contradicts the report's own trials, in the test SentenceTests: over
# COUNT (200) seeded tables, networks and factorisations at rates from 0.1 to 3 times the limit. With a
# second argument those of that program, of any version: `Scripts/sentences.sh 200 PATH/eigenstep`.
# A contradiction is printed, and ends in failure.
set -u
cd "$(dirname "$0")/.."
EIGENSTEP_SENTENCES=${1:-200}
export EIGENSTEP_SENTENCES
if [ $# -gt 1 ]; then
  EIGENSTEP_PROGRAM=$(realpath "$2")
  export EIGENSTEP_PROGRAM
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
swift test -c release -Xswiftc -enable-testing --disable-xctest --disable-testable-imports \
  --filter 'SentenceTests/noSentence' >"$log" 2>&1
status=$?
grep -aE 'case [0-9]+: |lane [0-9]: |error: ' "$log" | sed 's/.*: case /case /'
grep -a 'Test run with' "$log"
exit $status
