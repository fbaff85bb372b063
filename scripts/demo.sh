#!/usr/bin/env bash
# A real Citadel site becomes one file, is verified, and becomes a site again that is the same. Run by `make demo`.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo build --release --locked
facts=$PWD/fixtures/site/facts.py
python=$CARGO_TARGET_DIR/ctz-venv/bin/python
export PATH=$CARGO_TARGET_DIR/release:$PATH

work=$(mktemp -d "${TMPDIR:-/tmp}/ctdl-dump-demo-XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'echo "The demo failed: the command above did not do what it should." >&2' ERR

bold() { if [ -t 1 ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi; }
run() { bold "\$ $*"; "$@"; }

mkdir "$work/old"
tar --zstd -xpf fixtures/site/small.tar.zst -C "$work/old"
cd "$work"
bold "A real site, made by a Citadel server of release 980 and stopped: users, rooms, mail, calendars, files, keys"
du -sh --apparent-size old/data old/files old/messages old/keys

run ctdl-dump export --site old -o site.ctz
run ctdl-dump verify site.ctz
run ctdl-dump info site.ctz
run ctdl-dump list site.ctz user
run ctdl-dump import site.ctz --site new
run ctdl-dump diff old new

bold "\$ zstd -dc site.ctz | tar tv | head     # in thirty years, without ctdl-dump"
{ zstd -dc site.ctz | tar tv 2>/dev/null || true; } | head

bold "And by Berkeley DB's own db5.3_dump, that shares no code with ctdl-dump: is it the same, table by table and file by file?"
# Visits are compressed in their table, each server's zlib in its own way; `diff` above has compared what is in them.
"$python" -B "$facts" old | grep -v '^table	05' >old.facts
"$python" -B "$facts" new | grep -v '^table	05' >new.facts
diff old.facts new.facts
echo "$(grep -c ^table new.facts) tables and $(grep -c ^file new.facts) files: all the same."

bold "Done: $(stat -c %s site.ctz) bytes of archive hold the whole site, and gave it back, record by record and byte by byte."
