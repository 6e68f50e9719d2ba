# The few commands of daily work. All of them use .venv, which is made here and
# made again when the lock changes. Neither root nor HAProxy nor gdb is needed.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint fix docs samples bench lock schema clean

RUN := .venv/bin/python
READY := .venv/.ready
SAMPLE := samples/requeue-race-2.9.6

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

demo: $(READY) ## triage a real core, its log and its configuration
	.venv/bin/haproxy-forensics triage $(SAMPLE)/core.zst $(SAMPLE)/worker.log $(SAMPLE)/haproxy.cfg --symbols samples/symbols

test: lint ## lint, then every test
	$(RUN) -m pytest -n 2 $(PYTEST)

lint: $(READY) ## ruff and mypy
	$(RUN) -m ruff check .
	$(RUN) -m mypy

fix: $(READY) ## what ruff can mend by itself
	$(RUN) -m ruff check --fix .

docs: $(READY) ## write the generated documents, and check that all tell the truth
	PYTHONPATH=. $(RUN) tools/make_docs.py
	$(RUN) -m pytest -q tests/test_docs.py tests/test_architecture.py

samples: $(READY) ## make the samples again (Debian on x86-64, root, gdb; see samples/README.md)
	$(RUN) -m samples.lab all
	$(RUN) -m samples.packs
	$(RUN) -m samples.golden

bench: $(READY) ## side by side with gdb, eu-stack and drgn, where they are installed
	@$(RUN) -m benchmarks $(BENCH)

schema: $(READY) ## the JSON Schema of the report
	@.venv/bin/haproxy-forensics schema

# ---- the environment ----

PIP := $(RUN) -m pip --disable-pip-version-check -qq
LOCK := build/lock/bin/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --quiet --upgrade

$(READY): requirements/dev.txt pyproject.toml
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	    if "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then break; fi; python=; \
	done; \
	if [ -z "$$python" ]; then \
	    echo "error: no Python 3.11 or newer found" >&2; echo >&2; \
	    echo "hint: install one, or name it: \`make PYTHON=/path/to/python3.12 ...\`" >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	    echo "error: \`$$python\` cannot make a virtual environment" >&2; echo >&2; \
	    echo "hint: on Debian and Ubuntu, install \`python3-venv\`" >&2; exit 1; \
	fi; \
	echo "making .venv with `command -v "$$python"`" >&2; \
	"$$python" -m venv --clear .venv
	@echo "installing the locked dependencies" >&2
	@$(PIP) install --require-hashes --requirement requirements/dev.txt
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@$(RUN) -m compileall -q forensics
	@touch $@

lock: ## newest versions of all dependencies into requirements/
	@test -x build/lock/bin/uv || { python3 -m venv --clear build/lock && build/lock/bin/python -m pip --quiet install uv; }
	$(LOCK) --output-file requirements/runtime.txt
	$(LOCK) --group dev --constraint requirements/runtime.txt --output-file requirements/dev.txt

clean: ## everything that can be made again, but for .lab
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
