# Copyright: (c) mlplatform contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

STEPS := unit modules site runtime versions lint sanity molecule package

.PHONY: help install demo try check test $(STEPS:%=test-%) test-faults test-large test-security docs changelog bench bench-stacks lock clean

help: ## lists the targets
	@awk -F ':.*## ' '/^[a-z].*## / { printf "make %-11s %s\n", $$1, $$2 }' Makefile
	@echo "make test-STEP   one step of the tests: $(STEPS)"
	@echo "make test-large  artifacts of 512 MB and of 6 GB, and further old databases to import"
	@echo "make test-security  an outside scanner (Prowler) over a deployed stack"
	@echo "make test-faults a death at each call of each run, and whatever else \`make test\` takes a sample of (40 minutes)"

install: ## makes .venv, with this checkout as the collection mlplatform.mlflow_aws
	@scripts/install .venv runtime

demo: ## deploys examples/team-x.yml on the embedded AWS and verifies it
	@scripts/install .venv runtime demo
	@.venv/bin/python scripts/demo.py

try: ## make demo, and then the real MLflow on this machine, to click around in until Ctrl-C (needs MariaDB or PostgreSQL)
	@scripts/install .venv runtime demo test
	@scripts/mlflow_venv --server-only
	@.venv/bin/python scripts/try.py

check: ## the quick checks of a change: format, types, lint, unit tests (2 minutes)
	@scripts/install .venv runtime demo test checks
	@.venv/bin/python scripts/run_tests.py unit lint

test: ## every test that needs no AWS account
	@scripts/install .venv runtime demo test checks
	@.venv/bin/python scripts/run_tests.py $(STEPS)

$(STEPS:%=test-%) test-faults test-large test-security: test-%:
	@scripts/install .venv runtime demo test checks
	@.venv/bin/python scripts/run_tests.py $*

docs: ## builds the docs site in .cache/docs/html
	@scripts/install .venv runtime checks
	@.venv/bin/python scripts/docs_site.py

changelog: ## moves the fragments into CHANGELOG.md, for the version in galaxy.yml (ARGS=--update-existing: where that is there already)
	@scripts/install .venv runtime checks
	@PATH="$(CURDIR)/.venv/bin:$$PATH" antsibull-changelog release --reload-plugins $(ARGS)

bench: ## measures the table of docs/performance.md beside Terraform, where that is here (40 minutes; ARGS=--one-stack: 20, --quick: 3)
	@scripts/install .venv runtime demo
	@.venv/bin/python scripts/bench.py $(ARGS)

bench-stacks: ## measures 10, 50 and 100 stacks in one run, for docs/many-stacks.md
	@scripts/install .venv runtime demo
	@.venv/bin/python scripts/bench.py --stacks 10,50,100 $(ARGS)

lock: ## pins the requirements anew
	@scripts/lock

clean: ## removes what the targets above have made
	rm -rf .venv .cache .ansible .pytest_cache .hypothesis .mypy_cache .ruff_cache tests/output *.tar.gz *.outputs.json
