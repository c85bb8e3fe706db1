# SPDX-License-Identifier: Apache-2.0
export CGO_ENABLED ?= 0
export GOFLAGS ?= -buildvcs=false
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "%-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build/lvs-ha, one static binary
	go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o build/lvs-ha ./cmd/lvs-ha

demo: ## two directors do the whole job in the lab, in about a minute (root)
	go run ./integration/demo

test: ## every test: unit, namespaces, lab kernel (root)
	go run ./integration/layers

test-unit: ## tests that need no root
	go run ./integration/layers unit

test-namespaces: ## tests in network namespaces of this kernel (root)
	go run ./integration/layers namespaces

test-kernel: ## tests on real IPVS, in the lab's virtual machine where need be (root)
	go run ./integration/layers kernel

test-long: ## the election simulated with 100,000 seeds
	go test ./internal/vrrp -run TestSimulation -timeout 60m -vrrp.seeds=100000

bench-failover: build ## silence at every kind of failover, beside keepalived; BENCH=-h for flags (root)
	go run ./integration/bench/failover $(BENCH)

bench-vrrp: build ## cost of 255 instances, jitter under load, a flood of adverts, beside keepalived (root)
	go run ./integration/bench/vrrp $(BENCH)

check: ## gofmt, vet, staticcheck, unit tests with the race detector
	test -z "$$(gofmt -l .)" || { gofmt -l . && false; }
	go vet ./...
	go tool staticcheck -checks all ./...
	CGO_ENABLED=1 go test -race ./...

clean: ## remove build/
	rm -rf build

.PHONY: help build demo test test-unit test-namespaces test-kernel test-long bench-failover bench-vrrp check clean
