# What a newcomer runs. Each target does its own set-up; nothing is installed that is there already.

SHELL := bash
# rustup puts cargo here, and a shell without a login has not heard of it.
export PATH := $(PATH):$(HOME)/.cargo/bin
export CARGO_TARGET_DIR ?= $(CURDIR)/target

.PHONY: help setup demo test check bench static

help:
	@echo "make demo    build ctdl-dump, and see a real site become one file, be verified, and become a site again"
	@echo "make test    everything: format, lints, licences, unit and whole-path tests, the second reader, doc tests"
	@echo "make check   format, lints and licences only"
	@echo "make bench   measure against tar, zstd, restic, borg and db5.3_dump on synthetic sites, and make docs/speed.md again"
	@echo "make static  programs for old machines, x86-64 and i386, that need no library there"
	@echo "make setup   only what the others need: a few Debian packages, and a Python environment under target/"

setup:
	@scripts/setup.sh

demo: setup
	@scripts/demo.sh

test: check
	@scripts/test.sh

check: setup
	@scripts/check.sh

bench: setup
	@scripts/bench.sh

static: setup
	@scripts/static.sh
