#!/usr/bin/env bash
# Measures a release build on a synthetic site. Run by `make bench`; MESSAGES=100000 makes the site larger.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d "${TMPDIR:-/var/tmp}/ctdl-dump-bench-XXXXXX")
trap 'rm -rf "$work"' EXIT

cargo build --release --locked --bins --examples
"$CARGO_TARGET_DIR/release/examples/generate-site" "$work/site" --messages "${MESSAGES:-20000}"
python3 benches/compare.py --program "$CARGO_TARGET_DIR/release/ctdl-dump" --site "$work/site" "$@"
