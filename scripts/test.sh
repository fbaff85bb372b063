#!/usr/bin/env bash
# All tests, and at the end one line that says how many. Run by `make test`, after `make check`.
set -euo pipefail
cd "$(dirname "$0")/.."

export CTZ_PYTHON=$CARGO_TARGET_DIR/ctz-venv/bin/python
log=$(mktemp)
trap 'rm -f "$log"' EXIT

status=0
cargo test --locked --no-fail-fast 2>&1 | tee "$log" || status=$?

awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
     END { printf "%d passed, %d failed, %d skipped\n", passed, failed, ignored }' "$log"
exit "$status"
