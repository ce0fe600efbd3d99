# Ocean: one non-recursive makefile.  `make help` lists the targets.

.DEFAULT_GOAL := all
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
# V=1 shows the commands.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-4s %s\n' $(1) $@)
MAKEFLAGS += --no-builtin-rules

# The one list of Debian packages: to build, to run, to test.
PACKAGES := build-essential pkg-config \
	librabbitmq-dev libevent-dev libgsasl-dev libidn-dev libmsgpack-dev \
	libconfig-dev libjansson-dev libxxhash-dev libsqlite3-dev libxml2-dev \
	libssl-dev libcunit1-dev rabbitmq-server openssl python3 curl \
	python3-slixmpp go-sendxmpp profanity tmux ca-certificates \
	clang clang-format clang-tidy cppcheck libclang-rt-14-dev shellcheck

LIBRARIES := librabbitmq libevent_core libevent_pthreads libgsasl libidn \
	msgpack libconfig jansson libxxhash sqlite3 libxml-2.0 openssl

# build/<variant>/: release (default), debug, asan, tsan, fuzz, chaos (release
# with crash points: shared/base/crash.h; asan has them, too)
VARIANT ?= release
OUT := build/$(VARIANT)
BIN := $(if $(filter release,$(VARIANT)),build/bin,$(OUT)/bin)

ifeq ($(VARIANT),fuzz)
CC := clang
else ifeq ($(origin CC),default)
CC := gcc
endif

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion \
	-Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
	-Wpointer-arith -Wwrite-strings -Wcast-qual -Wcast-align -Wformat=2 \
	-Wundef -Wswitch-enum -Wvla -Wimplicit-fallthrough -Wnull-dereference \
	-Wredundant-decls
ifneq ($(findstring clang,$(CC)),)
WARNINGS += -Wmissing-variable-declarations -Wcomma -Wassign-enum \
	-Wconditional-uninitialized -Wunreachable-code
else
WARNINGS += -Wduplicated-cond -Wduplicated-branches -Wlogical-op \
	-Wjump-misses-init
endif
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif

HARDENING := -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	-fstack-clash-protection -fcf-protection=full
ifeq ($(findstring clang,$(CC)),)
HARDENING += -ftrivial-auto-var-init=zero
endif

FLAGS_release := -O2 -g $(HARDENING)
FLAGS_chaos := $(FLAGS_release) -DOCEAN_CRASH_POINTS
FLAGS_debug := -O0 -g3
FLAGS_asan := -O1 -g -DOCEAN_CRASH_POINTS -fsanitize=address,undefined \
	-fno-omit-frame-pointer -fno-sanitize-recover=all
FLAGS_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
FLAGS_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
	-fno-omit-frame-pointer -fno-sanitize-recover=all

PKG_CONFIG ?= pkg-config
PKG_CFLAGS := $(patsubst -I%,-isystem %,\
	$(shell $(PKG_CONFIG) --cflags $(LIBRARIES) 2>/dev/null))
PKG_LIBS := $(shell $(PKG_CONFIG) --libs $(LIBRARIES) 2>/dev/null)

CPPFLAGS += -std=c11 -D_GNU_SOURCE -Ishared $(PKG_CFLAGS)
CFLAGS += $(WARNINGS) $(FLAGS_$(VARIANT)) -fPIE -fno-common -pthread
LDFLAGS += -pie -pthread -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed \
	$(filter -fsanitize=%,$(subst fuzzer-no-link$(comma),,$(FLAGS_$(VARIANT))))
LDLIBS += $(PKG_LIBS)
comma := ,

DAEMONS := frontend delivery presence roster archive

SHARED_SOURCES := $(wildcard shared/base/*.c shared/xmpp/*.c shared/cluster/*.c)
SHARED_OBJECTS := $(SHARED_SOURCES:%.c=$(OUT)/obj/%.o)
ARCHIVE := $(OUT)/libocean.a

# Objects of a daemon's folder; without main.c for unit tests.
objects = $(patsubst %.c,$(OUT)/obj/%.o,$(wildcard $(1)/*.c))
parts = $(filter-out $(OUT)/obj/$(1)/main.o,$(call objects,$(1)))

# A folder without main.c gives no program.
PROGRAMS := $(foreach d,$(DAEMONS),\
	$(if $(wildcard $(d)/main.c),$(BIN)/ocean-$(d))) \
	$(if $(wildcard tool/oceanctl.c),$(BIN)/oceanctl)

UNIT_SOURCES := $(wildcard test/unit/*/test_*.c)
UNIT_TESTS := $(UNIT_SOURCES:test/unit/%.c=$(OUT)/test/unit/%)
SUPPORT_OBJECTS := $(patsubst %.c,$(OUT)/obj/%.o,\
	$(filter-out test/support/bus_probe.c,$(wildcard test/support/*.c)))
PROBES := $(patsubst test/support/%.c,$(OUT)/test/%,\
	$(wildcard test/support/*_probe.c))
FUZZERS := $(patsubst test/fuzz/%.c,build/fuzz/%,$(wildcard test/fuzz/fuzz_*.c))

ALL_SOURCES := $(SHARED_SOURCES) $(wildcard $(DAEMONS:%=%/*.c) tool/*.c)
ALL_CODE := $(ALL_SOURCES) $(wildcard shared/*/*.h $(DAEMONS:%=%/*.h) \
	tool/*.h test/unit/*/*.c test/unit/*/*.h test/support/*.[ch] \
	test/fuzz/*.c test/chaos/*.[ch])

.PHONY: all help deps up down status unit probes integration client check \
	check-run chaos-build crash-points poison lint lint-layers lint-ban \
	lint-options lint-cppcheck lint-tidy lint-shell format format-check asan \
	fuzz fuzzers chaos chaos-check chaos-driver resumptions mutants mutants-apply \
	install clean

all: $(PROGRAMS)

help:
	@echo 'make            build the daemons and oceanctl in build/bin'
	@echo 'make up         install what is missing, build, start a cluster;'
	@echo '                OPTIONS="--port N --broker-port N": other ports'
	@echo 'make down       stop it; make status: what runs'
	@echo 'make check      all tests; ends with "N passed, N failed"'
	@echo 'make unit | integration | client    one kind of test'
	@echo 'make crash-points   services die at every crash point HITS (20) times'
	@echo 'make poison         events that crash whoever handles them'
	@echo 'make asan       everything with address and undefined sanitizers'
	@echo 'make chaos      DURATION (600) seconds of faults under load, by SEED'
	@echo 'make resumptions    COUNT (100) of them while messages flow'
	@echo 'make mutants    is each broken rule noticed? MUTANTS=name,...'
	@echo 'make fuzz       each fuzz target for FUZZ_SECONDS (60)'
	@echo 'make lint | format | format-check | install | clean | deps'

# Packages.

SUDO := $(if $(filter 0,$(shell id -u)),,sudo)

deps:
	@missing=$$(for p in $(PACKAGES); do \
	    dpkg-query -W -f='$${db:Status-Status}\n' $$p 2>/dev/null \
	        | grep -qx installed || echo $$p; done); \
	if [ -n "$$missing" ]; then \
	    echo 'installing packages:' $$missing >&2; \
	    policy=/usr/sbin/policy-rc.d; made=; \
	    if [ ! -e $$policy ]; then made=1; \
	        printf '#!/bin/sh\nexit 101\n' | $(SUDO) tee $$policy >/dev/null; \
	        $(SUDO) chmod 755 $$policy; fi; \
	    trap '[ -z "$$made" ] || $(SUDO) rm -f '"$$policy" EXIT; \
	    apt-cache show librabbitmq-dev >/dev/null 2>&1 \
	        || $(SUDO) apt-get update -qq; \
	    $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
	        --no-install-recommends $$missing >/dev/null; \
	fi

# Compiling and linking.

$(OUT)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CPPFLAGS) $(if $(filter test/%,$<),-Itest/support) $(CFLAGS) \
	    -MMD -MP -c -o $@ $<

$(ARCHIVE): $(SHARED_OBJECTS)
	@mkdir -p $(@D)
	@rm -f $@
	$(call say,AR)
	$(Q)$(AR) rcs $@ $^

define daemon_rule
$(BIN)/ocean-$(1): $(call objects,$(1)) $(ARCHIVE)
	@mkdir -p $$(@D)
	$$(call say,LINK)
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS)
endef
$(foreach d,$(DAEMONS),$(eval $(call daemon_rule,$(d))))

$(BIN)/oceanctl: $(call objects,tool) $(ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# Tests mostly wait, so some of them share the machine; those that need it for
# themselves, because they make much load or speak of its speed, run alone.

JOBS ?= 3
SIDE_BY_SIDE := test/support/run-all -j $(JOBS)
ALONE := $(addprefix test/integration/,delivery_is_away_for_a_minute.py \
	silent_clients_slow_nobody.py slow_store_slows_only_its_own_flow.py)
INTEGRATION_TESTS := $(sort $(wildcard test/integration/[a-z]*.py))
CLIENT_TESTS := $(sort $(wildcard test/client/[a-z]*.py))

# Unit tests: one program per file; those of a daemon get its objects, those of
# tool/ everything but oceanctl.c.

define unit_rule
$(OUT)/test/unit/$(1)/%: $(OUT)/obj/test/unit/$(1)/%.o $(2) \
		$$(SUPPORT_OBJECTS) $(ARCHIVE)
	@mkdir -p $$(@D)
	$$(call say,LINK)
	$$(Q)$$(CC) $$(LDFLAGS) -o $$@ $$^ $$(LDLIBS) -lcunit
endef
$(foreach l,base xmpp cluster,$(eval $(call unit_rule,$(l),)))
$(foreach d,$(filter-out frontend,$(DAEMONS)),\
	$(eval $(call unit_rule,$(d),$(call parts,$(d)))))
# token_key.c takes long: who has the frontend's fixture does without.
TOKEN_KEY := $(OUT)/obj/frontend/token_key.o
$(eval $(call unit_rule,frontend,$(filter-out $(TOKEN_KEY),\
	$(call parts,frontend))))
$(addprefix $(OUT)/test/unit/frontend/test_,sasl_name seen token): $(TOKEN_KEY)
$(eval $(call unit_rule,tool,$(filter-out $(OUT)/obj/tool/oceanctl.o,\
	$(call objects,tool))))

$(OUT)/test/%_probe: $(OUT)/obj/test/support/%_probe.o $(ARCHIVE)
	@mkdir -p $(@D)
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

probes: $(PROBES)

.SECONDARY:

unit: $(UNIT_TESTS)
	@$(SIDE_BY_SIDE) $(UNIT_TESTS)

# Whole daemons in real clusters.

integration: all probes chaos-driver
	@$(SIDE_BY_SIDE) $(filter-out $(ALONE),$(INTEGRATION_TESTS)) -- $(ALONE)

client: all
	@$(SIDE_BY_SIDE) $(CLIENT_TESTS)

# Test builds only: services that kill themselves at every crash point, and
# events that crash their handler.  HITS: of each point.  CHAOS_VARIANT: which
# build; a signal has to kill, whatever a sanitizer would make of it.
CHAOS_VARIANT ?= chaos
CHAOS := OCEAN_BUILD=$(CURDIR)/build/$(CHAOS_VARIANT)/bin \
	ASAN_OPTIONS=handle_segv=0:handle_abort=0
HITS ?= 20

chaos-build:
	+@$(MAKE) --no-print-directory -j2 VARIANT=$(CHAOS_VARIANT) all >/dev/null

crash-points: chaos-build
	@$(CHAOS) /usr/bin/python3 test/chaos/crash_points.py --hits $(HITS)

poison: chaos-build
	@$(CHAOS) /usr/bin/python3 test/chaos/poisoned_event_goes_to_dead.py

# Faults under load (docs/CHAOS.md).  The driver has nothing of the server.

DURATION ?= 600
CHAOS_DRIVER := build/test/chaos_driver

$(CHAOS_DRIVER): $(wildcard test/chaos/*.[ch])
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -std=c11 -D_GNU_SOURCE $(WARNINGS) $(FLAGS_release) -fPIE -pie \
	    -o $@ $(filter %.c,$^)

chaos-driver: $(CHAOS_DRIVER)

chaos: chaos-build chaos-driver
	@$(CHAOS) test/chaos/run --duration $(DURATION) --crash-points all \
	    $(if $(SEED),--seed $(SEED))

# The minute that is part of `make check`: always the same one, with SIGKILL of
# a frontend, delivery and archive, SIGTERM of a frontend, and absent clients.
chaos-check: all chaos-driver
	@test/chaos/run --duration 60 --seed $(or $(SEED),1488)

# Broken rules that the tests have to notice.

MUTANTS ?=

# COUNT of resumptions, a third each plain, with a killed, with a stopped holder.
COUNT ?= 100
resumptions: all
	@/usr/bin/python3 test/chaos/resumptions.py --count $(COUNT)

mutants:
	@test/chaos/mutants/run $(subst $(comma), ,$(MUTANTS))

mutants-apply:
	@test/chaos/mutants/run --apply-only

asan:
	+@$(MAKE) VARIANT=asan all unit

# Unit tests and crash points with sanitizers, clusters with what is shipped.
check:
	@rm -f build/results
	+@$(MAKE) --no-print-directory WERROR=1 check-run RESULTS=build/results

check-run: export RESULTS := $(RESULTS)
check-run:
	+@$(MAKE) --no-print-directory -j2 WERROR=1 all probes \
	    chaos-driver >/dev/null
	+@$(MAKE) --no-print-directory -j2 WERROR=1 VARIANT=asan all >/dev/null
	@$(SIDE_BY_SIDE) 'make lint-layers' 'make lint-ban' 'make lint-options' \
	    'make format-check' 'make mutants-apply' || true
	+@$(MAKE) --no-print-directory -j2 WERROR=1 VARIANT=asan \
	    $(UNIT_TESTS:$(OUT)/%=build/asan/%) >/dev/null
	@$(SIDE_BY_SIDE) $(UNIT_TESTS:$(OUT)/%=build/asan/%) || true
	@$(SIDE_BY_SIDE) $(sort $(wildcard test/chaos/test_*.py)) \
	    'make crash-points HITS=1 CHAOS_VARIANT=asan' \
	    'make poison CHAOS_VARIANT=asan' \
	    $(filter-out $(ALONE),$(INTEGRATION_TESTS)) $(CLIENT_TESTS) \
	    -- $(ALONE) 'make chaos-check' || true
	@test/support/run-all --total

# Fuzzing.

FUZZ_SECONDS ?= 60

build/fuzz/fuzz_%: build/fuzz/obj/test/fuzz/fuzz_%.o build/fuzz/libocean.a
	$(call say,LINK)
	$(Q)$(CC) $(LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(LDLIBS)

fuzzers: $(FUZZERS)

fuzz:
	+@$(MAKE) --no-print-directory VARIANT=fuzz fuzzers
	@for f in $(FUZZERS); do n=$${f##*/fuzz_}; \
	    mkdir -p build/fuzz/corpus/$$n; echo "$$f"; \
	    $$f -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
	        -max_len=8192 $$(ls -d test/fuzz/$$n.dict 2>/dev/null \
	            | sed 's/^/-dict=/') \
	        build/fuzz/corpus/$$n $$(ls -d test/fuzz/corpus/$$n 2>/dev/null) \
	        2>&1 | tail -8; done

# Looking at the code.

lint: lint-layers lint-ban lint-options lint-shell lint-cppcheck lint-tidy

lint-layers:
	@tool/lint/layers

lint-ban:
	@tool/lint/banned

lint-options:
	@tool/lint/options

lint-shell:
	@shellcheck deploy/cluster tool/lint/* test/support/run-all .ci/run

lint-cppcheck:
	@cppcheck --quiet --std=c11 --enable=warning,performance,portability \
	    --inline-suppr --suppress=missingIncludeSystem \
	    --suppress=normalCheckLevelMaxBranches --error-exitcode=1 \
	    -D_GNU_SOURCE '-DTAILQ_FOREACH(a,b,c)=for(a=(b)->tqh_first;a;a=(a)->c.tqe_next)' \
	    '-DTAILQ_HEAD(a,b)=struct a {struct b *tqh_first, **tqh_last;}' \
	    '-DTAILQ_ENTRY(a)=struct {struct a *tqe_next, **tqe_prev;}' \
	    -Ishared $(ALL_SOURCES)

lint-tidy:
	@printf '%s\n' $(ALL_SOURCES) | xargs -P2 -n4 sh -c 'clang-tidy --quiet \
	    --warnings-as-errors="*" "$$@" -- $(CPPFLAGS) 2>/dev/null' lint-tidy

format:
	@clang-format -i $(ALL_CODE)

format-check:
	@clang-format --dry-run --Werror $(ALL_CODE)

# A cluster on this machine.  OPTIONS: more of `deploy/cluster up --help`.

OPTIONS ?=

up: deps
	+@$(MAKE) --no-print-directory -q all || echo 'building' >&2
	+@$(MAKE) --no-print-directory -j2 all >/dev/null
	@deploy/cluster up --frontends 2 --demo $(OPTIONS)

down status:
	@deploy/cluster $@

PREFIX ?= /usr/local
install: all
	install -d $(DESTDIR)$(PREFIX)/bin
	install -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin

clean:
	rm -rf build

-include $(shell find build -path build/mutants -prune -o -name '*.d' -print \
	2>/dev/null)
