# make demo    build, load real customers, ask a dozen questions, show the answers
# make test    build and pass every test
# make run     a server to keep, on ./data
# make check   formatting, lints, documentation, architecture, licences
# make bench   SegBench with every peer at USERS users (default 10,000,000), into benches/results
# make bench-100m    the same at 100 million users: hours, 24 GB of memory, 50 GB of disk
# make bench-behaviour  questions about what USERS users did, EVENTS events, with two peers
# make bench-behaviour-peers  what peers take for the behaviour benchmark: USERS users, EVENTS events
# make bench-check   the benchmarks' answers at a size that crosses block and shard borders
# make bench-docs    the plot and docs/performance.md from what lies in benches/results
# make bench-kernels the loops under every query

SHELL := /bin/bash
# ccache stands in for the compilers where it is installed: RocksDB then compiles once a machine.
export PATH := /usr/lib/ccache:$(HOME)/.cargo/bin:$(PATH)
USERS ?= 10000000
PEERS ?= croaring,redis,duckdb,chdb
EVENTS ?= $(shell expr $(USERS) '*' 20)
BEHAVIOUR_PEERS ?= duckdb,chdb
DATA ?= data

.PHONY: prepare build demo run test check bench bench-100m bench-behaviour \
	bench-behaviour-peers bench-build \
	bench-check bench-docs bench-kernels

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
	benches/peers/prepare target/peers
	target/release/segbench run --users $(USERS) --peers $(PEERS) --python target/peers/bin/python \
		--work-dir target/bench --json benches/results/$(USERS).json --markdown benches/results/$(USERS).md

bench-100m:
	$(MAKE) bench USERS=100000000

bench-behaviour: bench-build
	benches/peers/prepare target/peers
	target/release/segbench behaviour run --users $(USERS) --events $(EVENTS) --peers $(BEHAVIOUR_PEERS) \
		--python target/peers/bin/python --work-dir target/bench \
		--json benches/results/behaviour/$(USERS).json --markdown benches/results/behaviour/$(USERS).md

bench-behaviour-peers: bench-build
	benches/peers/prepare target/peers
	target/release/segbench behaviour peers --users $(USERS) --events $(EVENTS) --peers $(BEHAVIOUR_PEERS) \
		--python target/peers/bin/python --work-dir target/bench

bench-docs: bench-build
	target/release/segbench plot benches/results/*.json --out benches/results/times.svg
	target/release/segbench doc benches/results/*.json --doc docs/performance.md
	test -z "$(wildcard benches/results/behaviour/*.json)" || target/release/segbench behaviour doc \
		benches/results/behaviour/*.json --doc docs/performance.md

bench-kernels: prepare
	cargo bench --locked -p tessera-engine --bench kernels

# One partition of more than 2^20 users: several blocks, and the border between two shards.
bench-check: bench-build
	TESSERA_PARTITIONS=1 target/release/segbench run --users 1200000 --runs 3 --no-writes
	TESSERA_PARTITIONS=1 target/release/segbench behaviour run --users 1100000 --events 4000000 --runs 3
