# The commands of the project; each sets up what it needs first. ARGS="..." is passed on, PYTHON=... chooses a Python.

PYTHON ?= python3
BOOTSTRAP = @$(PYTHON) tools/bootstrap.py

.PHONY: run test lint bench wheel setup clean

run:    ## open the viewer, e.g. make run ARGS="path/to/model.pkl"
	$(BOOTSTRAP) run $(ARGS)

test:   ## lint, types, house rules and every test
	$(BOOTSTRAP) test $(ARGS)

lint:   ## ruff and pyright only
	$(BOOTSTRAP) lint

bench:  ## print the speed table
	$(BOOTSTRAP) bench $(ARGS)

wheel:  ## build a wheel, install it into an empty environment and run it there
	$(BOOTSTRAP) wheel $(ARGS)

setup:  ## set up for development, and no more
	$(BOOTSTRAP) setup

clean:  ## remove the environment and what builds leave behind
	$(BOOTSTRAP) clean
