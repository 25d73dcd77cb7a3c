# make run     everything from nothing to a server with its URL printed
# make test    everything from nothing to all tests
# Both install missing packages first (deploy/packages.txt says which and why)
# and build the kernel and the image into the cache, unless it has them.

GO ?= go
ARGS ?=

# A build that cannot reach a C library would silently lack SQLite.
export CGO_ENABLED = 1

.PHONY: run setup bundle build kernel image test test-catalog test-kathara lint bench clean

run: build kernel image
	@exec bin/patchbay serve $(ARGS)

setup:
	@deploy/setup $(USE)

bundle: setup
	@$(GO) run ./static/bundle

build: bundle
	@mkdir -p bin
	@$(GO) build -trimpath -o bin/patchbay ./cmd/patchbay
	@CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o bin/guestd ./cmd/guestd

kernel: build
	@bin/patchbay kernel build
	@bin/patchbay kernel build debian-6.1

image: build
	@bin/patchbay image build

# What runs in parallel within a package is mostly labs that wait for networks.
PARALLEL ?= 4

# go test comes last, so that its own lines close the output.
test: build kernel image lint
	CI=true $(GO) test -race -timeout 30m -parallel $(PARALLEL) ./...

# All built-in labs, each with its solution, untouched, and with its wrong
# solutions; "make test" takes a part that changes from day to day.
# RUNS=10 looks for those that now and then come out differently.
RUNS ?= 1
test-catalog: build kernel image
	CI=true PATCHBAY_CATALOG=all $(GO) test -race -timeout 10h -parallel $(PARALLEL) -count $(RUNS) -run 'TestLabs$$' -v ./cmd/patchbay

# Public labs of Kathará, as they were fetched into the folder LABS: they are
# under another licence and no part of Patchbay.
test-kathara: build kernel image
	CI=true PATCHBAY_KATHARA_LABS=$(abspath $(LABS)) $(GO) test -tags kathara -timeout 3h -run 'TestKathara' -v ./cmd/patchbay

lint: bundle
	@unformatted=$$(gofmt -l cmd guest labs migrations static/*.go static/bundle vnet web); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w is due for:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet -tags kathara ./...
	$(GO) tool staticcheck ./...

bench: build kernel image
	@deploy/setup bench
	@bin/patchbay bench boot
	@bin/patchbay bench memory
	@bin/patchbay bench wire

# The cache of kernels and images stays; "patchbay kernel list" shows where.
clean:
	rm -rf bin static/node_modules
	find static/dist -mindepth 1 ! -name .gitkeep -delete
