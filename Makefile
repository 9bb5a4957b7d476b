# make help tells what there is; everything needs only Python 3.11 or later.

PYTHON     ?= python3
DESTDIR    ?=
PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc

VENV    := .venv
RUNTIME := $(VENV)/.runtime
TEST    := $(VENV)/.test
IN_VENV := $(VENV)/bin/python
PIP     := $(IN_VENV) -m pip --disable-pip-version-check --quiet

# A cut-off run must not leave a file that looks finished.
.DELETE_ON_ERROR:

.PHONY: help
help:
	@echo 'make demo       run the daily job over a real log and show the alerts'
	@echo 'make test       lint, check types, run every test'
	@echo 'make soak       follow a log through a thousand random schedules of rotation'
	@echo 'make bench      measure speed and memory beside other programs; SIZE=1000 sets the MB of a log'
	@echo 'make install    install on this machine, as root'
	@echo 'make uninstall  remove that again, except botalert.conf and the state'
	@echo 'make man        write the man pages into build/man'
	@echo 'make clean      remove what building and testing left here'
	@echo
	@echo 'PYTHON=$(PYTHON)  the Python to use, 3.11 or later'
	@echo 'PREFIX=$(PREFIX)  where programs go'
	@echo 'SYSCONFDIR=$(SYSCONFDIR)  where botalert.conf and cron.daily are; botalert looks in /etc unless -c tells it'
	@echo 'DESTDIR=$(DESTDIR)  put before both, to make a package'

# ---- The virtual environment, made anew when setup.py changes.

# What tells a missing or old Python from a missing venv, each with its remedy.
define CHECK_PYTHON
	@command -v '$(PYTHON)' > /dev/null || { \
	  echo '$(PYTHON): not found. Install Python 3.11 or later, or name it: make PYTHON=/path/to/python3' >&2; exit 1; }
	@'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "$(PYTHON): is $$('$(PYTHON)' --version 2>&1). botalert needs 3.11 or later; name one: make PYTHON=/path/to/python3" >&2; exit 1; }
	@'$(PYTHON)' -c 'import ensurepip, venv' 2> /dev/null || { \
	  echo '$(PYTHON): cannot make a virtual environment. On Debian: apt install python3-venv' >&2; exit 1; }
endef

$(RUNTIME): setup.py
	$(CHECK_PYTHON)
	@echo 'setting up $(VENV) ...'
	@rm -rf $(VENV)
	@'$(PYTHON)' -m venv $(VENV)
	@$(PIP) install --editable .
	@touch $@

$(TEST): $(RUNTIME)
	@echo 'installing what the tests need ...'
	@$(PIP) install --editable '.[test]'
	@touch $@

# ---- Trying it.

.PHONY: demo
demo: $(RUNTIME)
	@$(IN_VENV) tests/demo.py

# Files are spread over the processors; the tests of one file share what they
# built, and those that use the kernel's log come one after the other.
.PHONY: test
test: $(TEST)
	$(IN_VENV) -m ruff check .
	$(IN_VENV) -m ruff format --check .
	$(IN_VENV) -m mypy
	$(IN_VENV) -m pytest --numprocesses auto --dist loadfile --cov --cov-report term:skip-covered

.PHONY: soak
soak: $(TEST)
	BOTALERT_SCHEDULES=1000 $(IN_VENV) -m pytest --numprocesses auto tests/test_history.py

.PHONY: bench
bench: $(TEST)
	@PYTHONPATH=tests $(IN_VENV) -m benchmark $(SIZE)

.PHONY: man
man: $(RUNTIME)
	@$(IN_VENV) docs/build_man.py build/man

.PHONY: clean
clean:
	rm -rf $(VENV) build dist *.egg-info .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# ---- Installing. Debian forbids pip to touch the system's Python (PEP 668),
# so botalert and what it needs get a directory of their own.

LIBRARY   := $(PREFIX)/lib/botalert
PROGRAM   := $(PREFIX)/sbin/botalert
SHARE     := $(PREFIX)/share/botalert
MAN       := $(PREFIX)/share/man
CONF      := $(SYSCONFDIR)/botalert.conf
TEMPLATES := $(SYSCONFDIR)/botalert/templates
CRON      := $(SYSCONFDIR)/cron.daily/botalert

.PHONY: install
install: man
	@set -eu; umask 022; root='$(DESTDIR)'; \
	new="$$root$(LIBRARY).new"; \
	rm -rf "$$new" build/lib build/bdist.*; \
	$(PIP) install --no-compile --target "$$new" .; \
	rm -rf "$$new/bin" "$$root$(LIBRARY)"; \
	mv "$$new" "$$root$(LIBRARY)"; \
	'$(PYTHON)' -m compileall -q -s "$$root" "$$root$(LIBRARY)"; \
	\
	install -d "$$root$(PREFIX)/sbin"; \
	interpreter=$$('$(PYTHON)' -c 'import sys; print(sys.executable)'); \
	printf '%s\n' \
	  "#!$$interpreter -I" \
	  '# Nothing of the caller, be it his directory or his PYTHONPATH, is imported.' \
	  'import os, sys' '' \
	  'here = os.path.dirname(os.path.realpath(__file__))' \
	  'sys.path.insert(0, os.path.join(os.path.dirname(here), "lib", "botalert"))' '' \
	  'from botalert.cli import main' '' \
	  'if __name__ == "__main__":' '    sys.exit(main())' \
	  > "$$root$(PROGRAM)"; \
	chmod 755 "$$root$(PROGRAM)"; \
	\
	install -d "$$root$(SHARE)/templates" "$$root$(SHARE)/signals" "$$root$(TEMPLATES)"; \
	install -m 644 templates/* "$$root$(SHARE)/templates"; \
	install -m 644 botalert/signals/* "$$root$(SHARE)/signals"; \
	install -d "$$root$(MAN)/man5" "$$root$(MAN)/man7" "$$root$(MAN)/man8"; \
	install -m 644 build/man/botalert.conf.5 "$$root$(MAN)/man5"; \
	install -m 644 build/man/botalert-signals.7 "$$root$(MAN)/man7"; \
	install -m 644 build/man/botalert.8 "$$root$(MAN)/man8"; \
	\
	install -d "$$root$(SYSCONFDIR)/cron.daily"; \
	sed 's|/usr/local/sbin|$(PREFIX)/sbin|' cron/botalert > "$$root$(CRON)"; \
	chmod 755 "$$root$(CRON)"; \
	\
	if [ ! -e "$$root$(CONF)" ]; then \
	  install -m 644 botalert.conf "$$root$(CONF)"; \
	elif cmp -s botalert.conf "$$root$(CONF)"; then \
	  rm -f "$$root$(CONF).new"; \
	else \
	  install -m 644 botalert.conf "$$root$(CONF).new"; \
	  echo "$$root$(CONF): was changed and is kept. The shipped one is beside it: $$root$(CONF).new"; \
	fi
	@echo 'botalert is installed. Set the recipients and the interface in $(CONF), then try: botalert check'

.PHONY: uninstall
uninstall:
	rm -rf '$(DESTDIR)$(LIBRARY)' '$(DESTDIR)$(SHARE)'
	rm -f '$(DESTDIR)$(PROGRAM)' '$(DESTDIR)$(CRON)' '$(DESTDIR)$(CONF).new'
	rm -f '$(DESTDIR)$(MAN)/man5/botalert.conf.5' '$(DESTDIR)$(MAN)/man8/botalert.8'
	rm -f '$(DESTDIR)$(MAN)/man7/botalert-signals.7'
	@echo 'kept: $(CONF), $(TEMPLATES), and the state in /var/lib/botalert'
