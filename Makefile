# From a fresh clone, two commands: `make demo` and `make test`. Both set up .venv first. `make help` lists the rest.

# Python 3.11 or newer.
PYTHON ?= python3
# On Linux without an NVIDIA GPU: the address of PyTorch's CPU packages (README, "Install"); saves gigabytes.
TORCH_INDEX ?=
# Thousands of pictures the demo shows to the network; empty: what the preset says.
KIMG ?=
# Folder of the demo's run.
DEMO ?= runs/demo

BIN := .venv/bin
INSTALLED := .venv/.installed
SEEDS := 0-35

.PHONY: help demo test check lint format bench

help:
	@echo 'make demo     use the model in the package, then train a small StyleGAN2 and show what came out (KIMG=.. shortens it)'
	@echo 'make test     run the tests'
	@echo 'make check    what a change has to pass: format, lint, types, tests'
	@echo 'make lint     format, lint and types alone'
	@echo 'make format   rewrite the code in the common format'
	@echo 'make bench    measure the speed of training and synthesis on this machine'
	@echo 'Variables: PYTHON=python3.12, TORCH_INDEX=<address of PyTorch CPU packages>'

$(INSTALLED): pyproject.toml constraints.txt tests/oracles.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo 'limner needs Python 3.11 or newer; name one, such as: make $(MAKECMDGOALS) PYTHON=python3.12' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --no-deps -r tests/oracles.txt
	@touch $@

demo: $(INSTALLED)
	$(BIN)/limner generate avatars --seeds $(SEEDS) --grid --out $(DEMO)-avatars
	$(BIN)/limner mix avatars --rows 1,2 --cols 3-6 --layers coarse --out $(DEMO)-avatars/mix.png
	$(BIN)/limner edit avatars 1-5 --direction avatars/directions/Beard --out $(DEMO)-avatars/beard.png
	@echo
	@echo 'These are of the model in the package; now one of your own is trained.'
	$(BIN)/limner train --data samples --preset stylegan2-tiny --resolution 32 --out $(DEMO) $(if $(KIMG),--kimg $(KIMG))
	$(BIN)/limner generate $(DEMO) --seeds $(SEEDS) --grid --out $(DEMO)/pictures
	@echo
	@echo 'Done. Look at'
	@echo '  $(DEMO)-avatars                        what the model in the package draws, mixed and edited'
	@echo '  $(DEMO)/pictures/grid.png              new faces, one for each of the seeds $(SEEDS)'
	@echo '  $(DEMO)/samples/before_after.png       the same seeds before and after training'
	@echo '  $(DEMO)/report.html                    the whole run on one page: open it in a browser'
	@ls $(DEMO)-avatars/grid.png $(DEMO)-avatars/mix.png $(DEMO)-avatars/beard.png >/dev/null
	@ls $(DEMO)/pictures/grid.png $(DEMO)/samples/before_after.png $(DEMO)/report.html >/dev/null

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

check: lint test

lint: $(INSTALLED)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy

format: $(INSTALLED)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: $(INSTALLED)
	$(BIN)/python benchmarks/speed.py
