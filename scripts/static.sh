#!/usr/bin/env bash
# Makes static programs that run on old machines, for x86-64 and i386: they need no library there, only Linux 3.2 or newer. Run by `make static`.
# Berkeley DB is compiled from its source: of the directory CTDL_DUMP_LIBDB_SRC, or of Debian's package, from where this machine gets its packages.
# Then both programs make an archive of the same real site, and the archives must be the same, byte by byte.
set -euo pipefail
cd "$(dirname "$0")/.."

machines=${*:-x86_64 i686}
profile=${CTDL_DUMP_PROFILE:-release}
place=$(realpath -m "$CARGO_TARGET_DIR")/static
zig=$place/zig-venv
work=$place/work
mkdir -p "$work"

need() { command -v "$1" >/dev/null || { echo "make static calls $1, which is not here. $2" >&2; exit 1; }; }
need rustup "Install Rust with rustup, as https://rustup.rs says: it brings the standard library for other machines."

packages=()
if [ -z "${CTDL_DUMP_LIBDB_SRC:-}" ] && [ ! -d "$work/db/dist" ]; then
  if ! command -v apt-get >/dev/null; then
    echo "The source of Berkeley DB 5.3 is wanted. Unpack it, and name its directory (the one with dist/ and src/) in CTDL_DUMP_LIBDB_SRC." >&2
    exit 1
  fi
  command -v dpkg-source >/dev/null || packages+=(dpkg-dev)
fi
command -v make >/dev/null || packages+=(make)
if [ ${#packages[@]} -gt 0 ]; then
  install="apt-get install -y --no-install-recommends ${packages[*]}"
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "Installing ${packages[*]}"
    DEBIAN_FRONTEND=noninteractive $install >/dev/null </dev/null
  elif [ -t 0 ] && command -v apt-get >/dev/null; then
    read -r -p "Missing: ${packages[*]}. Run 'sudo $install' now? [y/N] " answer
    case $answer in
      [yY]*) sudo $install ;;
      *) echo "Nothing was installed. Run 'sudo $install', then run this again." >&2; exit 1 ;;
    esac
  else
    echo "Missing: ${packages[*]} (names of Debian packages). Install them, then run this again." >&2
    exit 1
  fi
fi

# The C compiler for other machines comes as a Python package, and so does what calls it for cargo.
wanted="ziglang==0.17.1 cargo-zigbuild==0.24.1"
if [ "$(cat "$zig/installed" 2>/dev/null)" != "$wanted" ]; then
  echo "Making a Python environment with a C compiler in $zig"
  python3 -m venv --clear "$zig"
  # shellcheck disable=SC2086
  "$zig/bin/pip" --quiet --disable-pip-version-check install $wanted
  echo "$wanted" >"$zig/installed"
fi
export PATH=$zig/bin:$PATH

source=${CTDL_DUMP_LIBDB_SRC:-$work/db}
if [ ! -d "$source/dist" ]; then
  # Lists of sources for this one call, made of the machine's own: nothing of its set-up changes, and no root is needed.
  apt=$work/apt
  rm -rf "$apt" && mkdir -p "$apt"/{parts,lists/partial,cache/archives/partial}
  cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sed -n 's/^deb /deb-src /p' >"$apt/sources.list" || true
  for file in /etc/apt/sources.list.d/*.sources; do
    if [ -f "$file" ]; then sed 's/^Types:.*/Types: deb-src/' "$file" >"$apt/parts/${file##*/}"; fi
  done
  options=(-q -o "Dir::Etc::sourcelist=$apt/sources.list" -o "Dir::Etc::sourceparts=$apt/parts"
    -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache")
  echo "Fetching the source of Berkeley DB 5.3"
  (
    cd "$apt"
    apt-get "${options[@]}" update && apt-get "${options[@]}" source --download-only db5.3
    # Its own check of signatures wants keys that are rarely here; apt-get has compared the digests that the signed list names.
    dpkg-source --no-check -x db5.3_*.dsc "$apt/unpacked"
  ) >"$apt/log" 2>&1 ||
    { tail -5 "$apt/log"; echo "That failed. Unpack Debian's source package db5.3, and name its directory in CTDL_DUMP_LIBDB_SRC." >&2; exit 1; }
  rm -rf "$work/db" && mv "$apt/unpacked" "$work/db"
fi
source=$(realpath "$source")
[ -x "$source/dist/configure" ] || { echo "$source is not the source of Berkeley DB: it has no dist/configure." >&2; exit 1; }

# libdb for one machine. The C of 2013 is no error here, and traps for undefined behaviour would want a library of the compiler's.
libdb() {
  local machine=$1 target=${1/i686/x86}-linux-musl build=$work/libdb-$1
  rm -rf "$build" && mkdir -p "$build/bin"
  printf '#!/bin/sh\nexec "%s/bin/python" -m ziglang cc -target %s "$@"\n' "$zig" "$target" >"$build/bin/cc"
  for tool in ar ranlib; do printf '#!/bin/sh\nexec "%s/bin/python" -m ziglang %s "$@"\n' "$zig" "$tool" >"$build/bin/$tool"; done
  chmod +x "$build"/bin/*
  (
    cd "$build"
    CC=$build/bin/cc AR=$build/bin/ar RANLIB=$build/bin/ranlib \
      CFLAGS="-O2 -fno-sanitize=undefined -std=gnu11 -D_GNU_SOURCE -Wno-implicit-function-declaration -Wno-implicit-int -Wno-int-conversion -Wno-incompatible-function-pointer-types" \
      "$source/dist/configure" --build="$(uname -m)-linux" --host="$machine-linux" --disable-shared --enable-static --disable-cxx --disable-java
    make -j"$(nproc)" libdb.a
  ) >"$build/log" 2>&1 || { tail -5 "$build/log" >&2; echo "Berkeley DB for $machine can't be compiled; $build/log says more." >&2; exit 1; }
}

for machine in $machines; do
  target=$machine-unknown-linux-musl
  if [ ! -f "$work/libdb-$machine/libdb-5.3.a" ]; then
    echo "Compiling Berkeley DB for $machine"
    libdb "$machine"
  fi
  rustup -q target add "$target"
  CTDL_DUMP_LIBDB_DIR=$work/libdb-$machine cargo zigbuild --locked --profile "$profile" --target "$target" --bin ctdl-dump
  cp "$CARGO_TARGET_DIR/$target/${profile/#dev/debug}/ctdl-dump" "$place/ctdl-dump-$machine"
done

echo "Comparing what the programs make of one site"
site=$work/site
rm -rf "$site" && mkdir "$site"
tar --zstd -xpf fixtures/site/small.tar.zst -C "$site"
first=${machines%% *}
# An archive says when it was made, to the second: so all begin with one, and again where that was not enough.
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  python3 -c 'import time; time.sleep(1 - time.time() % 1)'
  exports=()
  for machine in $machines; do
    rm -f "$work/$machine.ctz"
    "$place/ctdl-dump-$machine" -q export --site "$site" -o "$work/$machine.ctz" &
    exports+=($!)
  done
  for export in "${exports[@]}"; do wait "$export"; done
  taken=$(for machine in $machines; do "$place/ctdl-dump-$machine" info "$work/$machine.ctz" | grep '^taken'; done | sort -u | wc -l)
  [ "$taken" -gt 1 ] || break
done
for machine in $machines; do
  program=$place/ctdl-dump-$machine archive=$work/$machine.ctz
  cmp "$work/$first.ctz" "$archive"
  rm -rf "$work/new-$machine"
  "$program" -q verify "$archive"
  "$program" -q import "$archive" --site "$work/new-$machine" >/dev/null
  "$program" diff "$site" "$work/new-$machine" >/dev/null
  echo "$program: $(stat -c %s "$program") bytes"
done
[ "$first" = "$machines" ] || echo "They make the same archive, byte by byte."
