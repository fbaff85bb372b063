#!/usr/bin/env bash
# All tests, and at the end one line that says how many. Run by `make test`, after `make check`.
set -euo pipefail
cd "$(dirname "$0")/.."

export CTZ_PYTHON=$CARGO_TARGET_DIR/ctz-venv/bin/python
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Not through a pipe: its end would be waited for as long as any process that a failed test has left behind.
cargo test --locked --no-fail-fast >"$log" 2>&1 &
tail --lines=+1 --follow --pid=$! "$log"
status=0
wait $! || status=$?

awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
     END { printf "%d passed, %d failed, %d skipped\n", passed, failed, ignored }' "$log"
exit "$status"
