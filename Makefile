# make demo    build, load real customers, ask a dozen questions, show the answers
# make test    build and pass every test
# make run     a server to keep, on ./data
# make check   formatting, lints, documentation, architecture, licences
# make bench   SegBench at USERS users (default 1,000,000)
# make bench-check   SegBench's answers at a size that crosses block and shard borders

SHELL := /bin/bash
# ccache stands in for the compilers where it is installed: RocksDB then compiles once a machine.
export PATH := /usr/lib/ccache:$(HOME)/.cargo/bin:$(PATH)
USERS ?= 1000000
DATA ?= data

.PHONY: prepare build demo run test check bench bench-build bench-check

prepare:
	@.ci/prepare

build: prepare
	cargo build --release --locked -p tessera-server -p tessera-client

demo: build
	@tests/demo.sh

run: build
	target/release/tessera-server --data-dir $(DATA)

test: prepare
	cargo build --release --locked --workspace --all-targets
	cargo test --release --locked --workspace

check: prepare
	.ci/check

bench-build: prepare
	cargo build --release --locked -p tessera-server -p tessera-client -p tessera-benches

bench: bench-build
	target/release/segbench run --users $(USERS)

# One partition of more than 2^20 users: several blocks, and the border between two shards.
bench-check: bench-build
	TESSERA_PARTITIONS=1 target/release/segbench run --users 1200000 --runs 3
