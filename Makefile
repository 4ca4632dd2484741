# Every target is a line or two that calls something readable; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: demo test bench sim chaos conformance lint images e2e-up e2e-down help

SCHEDULES ?= 200000
ROUNDS ?= 20
CLOUD ?= linux

demo: ## A three-node cluster with Signpost: pods ping each other, a node joins, one leaves (KEEP=1 keeps it, CLOUD=aws in a VPC)
	@./e2e/setup.sh cluster
	@./scripts/build.sh $(CLOUD) && ./scripts/bin.sh signpost-e2e demo --cloud $(CLOUD)

test: ## Lint, unit, property, simulation, integration and end-to-end tests, with one summary
	@./e2e/setup.sh cluster lint conformance
	@./scripts/test.sh

bench: ## Ours in turns with kube-controller-manager and the reference CNI plugins, the engine alone (BENCH=--quick)
	@./e2e/setup.sh cluster bench
	@./scripts/bench.sh $(BENCH)

sim: ## Random schedules against the engine (SCHEDULES=200000)
	@./e2e/setup.sh
	@cargo run -q --release -p signpost-sim -- --schedules $(SCHEDULES)

chaos: ## Faults on a real cluster while its pods ping each other (ROUNDS=20, SEED=… repeats)
	@./e2e/setup.sh cluster
	@./scripts/build.sh && ./scripts/images/previous.sh
	@./scripts/bin.sh signpost-e2e chaos --rounds $(ROUNDS) $(if $(SEED),--seed $(SEED))

conformance: ## Kubernetes' own tests of networking on clusters of each kind (CONFORMANCE="--mode bridge --proxy nftables")
	@./e2e/setup.sh cluster conformance
	@./scripts/build.sh && ./scripts/bin.sh signpost-e2e conformance $(CONFORMANCE)

lint: ## Format, clippy with warnings as errors, documentation, licences
	@./e2e/setup.sh lint
	@./scripts/lint.sh

images: ## Images of controller and node agent for amd64 and arm64, in target/images (ARCHES="amd64")
	@./scripts/images.sh

e2e-up: ## A cluster with Signpost to explore; says how to reach and how to end it (UP=--to-install: to install it yourself)
	@./e2e/setup.sh cluster
	@./scripts/build.sh $(CLOUD) && ./scripts/bin.sh signpost-e2e up --cloud $(CLOUD) $(UP)

e2e-down: ## End the cluster that `make e2e-up` or `KEEP=1 make demo` left running
	@./scripts/build.sh && ./scripts/bin.sh signpost-e2e down

help: ## This list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
