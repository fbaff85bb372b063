#!/usr/bin/env bash
# All tests, and at the end one line that says how many. Run by `make test`, after `make check`.
set -euo pipefail
cd "$(dirname "$0")/.."

export CTZ_PYTHON=$CARGO_TARGET_DIR/ctz-venv/bin/python
log=$(mktemp)
# Not through a pipe: its end would be waited for as long as any process that a failed test has left behind. And the tests are not
# what runs in the background: a shell lets that ignore Ctrl-C, and so would every program that a test starts and interrupts.
tail --lines=+1 --follow "$log" &
shown=$!
trap 'kill "$shown" 2>/dev/null; rm -f "$log"' EXIT

status=0
cargo test --locked --no-fail-fast >"$log" 2>&1 || status=$?
# Time for the last lines to be shown.
sleep 1

awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
     END { printf "%d passed, %d failed, %d skipped\n", passed, failed, ignored }' "$log"
exit "$status"
