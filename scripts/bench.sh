#!/usr/bin/env bash
# Measures a release build on four synthetic sites and makes docs/speed.md again. Run by `make bench`; SCALE=5 makes the sites five times as large, SCALE=0.5 half as large,
# ROUNDS=5 measures more often. restic, borg and b3sum are measured where they are installed.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d "${TMPDIR:-/var/tmp}/ctdl-dump-bench-XXXXXX")
trap 'rm -rf "$work"' EXIT
scaled() { python3 -c "print(round($1 * ${SCALE:-1}))"; }

cargo build --release --locked --bins --examples
measure() {
    local name=$1
    shift
    "$CARGO_TARGET_DIR/release/examples/generate-site" "$work/$name" "$@"
    python3 benches/compare.py --program "$CARGO_TARGET_DIR/release/ctdl-dump" --site "$work/$name" --name "$name" --rounds "${ROUNDS:-3}"
    rm -rf "${work:?}/$name"
}

# Of such sizes that all of it takes a quarter of an hour at most, also on two processors that have other work.
measure text --messages "$(scaled 12000)" --attachments 0
measure attachments --messages "$(scaled 5000)" --attachments 0.19 --packed 0.875
measure small --messages "$(scaled 120000)" --users 600 --attachments 0 --longest-text 250
measure big --messages 100 --attachments 0 --big "$(scaled 150000000)" --bigs 2
python3 benches/page.py
