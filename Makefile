# The two commands that matter: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/.installed-$(shell cat pyproject.toml constraints.txt | cksum | cut -d' ' -f1)

.PHONY: demo test test-parts test-whole check bench constraints clean help

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(STAMP):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Inland needs Python 3.11 or newer; set PYTHON=…"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@rm -f $(VENV)/.installed-*
	@touch $@

demo: $(STAMP) ## start a control plane, three regions and the page; Ctrl-C ends it
	@exec $(BIN)/inland demo

test: $(STAMP) ## every test (browser tests want Debian's chromium, caller tests flite)
	@$(MAKE) --no-print-directory --output-sync=line -j2 test-parts test-whole

# Whole systems mostly wait for speech; the parts, which compute, fill the time and stand back.
WHOLE = tests/inland/bench tests/system tests/web_demo
# Nodes that serve real peers have deadlines to keep (a worker that is silent for three seconds gets
# no calls), and mostly wait as well: they come after the parts, and stand back from nobody.
PEERS = tests/inland/demo tests/peers

test-parts: $(STAMP)
	@nice $(BIN)/pytest $(patsubst %,--ignore=%,$(WHOLE) $(PEERS)); parts=$$?; \
	$(BIN)/pytest -o cache_dir=.pytest_cache/peers $(PEERS) && exit $$parts

test-whole: $(STAMP)
	$(BIN)/pytest -o cache_dir=.pytest_cache/whole $(WHOLE)

check: $(STAMP) ## formatting, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(STAMP) ## the media, phone, turn and store benches, as in docs/benchmarks.md
	$(BIN)/inland bench media
	$(BIN)/inland bench sip
	$(BIN)/inland bench sip --srtp
	$(BIN)/inland bench turn
	$(BIN)/inland bench store

constraints: ## resolve again after a change of pyproject.toml (wants uv)
	uv pip compile --quiet --universal --python-version 3.11 --all-extras --group build \
	  --generate-hashes --no-header --no-annotate --no-emit-index-url \
	  -o constraints.txt pyproject.toml

clean: ## remove what was installed and cached
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
