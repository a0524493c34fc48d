# SPDX-License-Identifier: GPL-3.0-or-later
#
#   make             the programs, in build/
#   make install     the programs, and what belongs to them on a system
#   make check       all tests that this kernel can run: check-unit and check-e2e
#   make check-vm    tests in which the kernel has a part, under the distribution's stock one
#   make demo        a device, a router and an origin, and what interceptd does between them
#   make bench       interceptd beside other interceptors; BENCH='--size quick' for a first look
#   make bench-parts what single parts of it cost
#   make bench-scale what it costs where there is much of something; BENCH='--size quick', too
#   make check-cost  that the hot paths take no more instructions than they did
#   make fuzz        each parser for FUZZ_SECONDS;  make lint  style
#
# Variables: PREFIX, DESTDIR, SYSCONFDIR; CC (gcc or clang); SAN=address,undefined or SAN=thread, which
# builds into a folder of its own; TESTS, what pytest is given, JOBS, how many run at a time, and
# RERUNS, how often a test is tried again that fails; V=1 shows the commands.

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
SBINDIR    := $(PREFIX)/sbin
DATADIR    := $(PREFIX)/share
UNITDIR    ?= $(if $(filter /usr/local,$(PREFIX)),/etc,$(PREFIX)/lib)/systemd/system
CFLAGS     ?= -O2 -g
PYTHON     ?= /usr/bin/python3
FUZZ_CC    ?= clang
FUZZ_SECONDS ?= 60
TESTS      ?= tests/e2e
JOBS       ?= 2

comma := ,
BUILD := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
CTL_LIBS := ncursesw
LIBS  := libmnl libnftnl libnetfilter_queue libnetfilter_conntrack libssl libcrypto libhs libpcre2-8 inih jansson libcap-ng libseccomp yaml-0.1 ldns \
         libnghttp2 zlib libbrotlidec libzstd sqlite3

WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Werror
HARDEN   := -fstack-protector-strong -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2)
OPTIONS  := -std=c17 -D_GNU_SOURCE -Iengine -MMD -MP -pthread $(WARNINGS) $(HARDEN)
OPTIONS  += $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
LINKING  := -pie -pthread -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN))
FUZZING  := -std=c17 -D_GNU_SOURCE -Iengine -MMD -MP -g -O1 -fsanitize=fuzzer-no-link,address,undefined
FUZZING  += -fno-sanitize-recover=all
ifneq ($(filter-out clean uninstall lint format,$(or $(MAKECMDGOALS),all)),)
LIB_CFLAGS = $(eval LIB_CFLAGS := $$(shell pkg-config --cflags $(LIBS)) $(LLHTTP_CFLAGS))$(LIB_CFLAGS)
CTL_LINKS  = $(eval CTL_LINKS := $$(shell pkg-config --libs $(CTL_LIBS)))$(CTL_LINKS)
LIB_LINKS  = $(eval LIB_LINKS := $$(shell pkg-config --libs $(LIBS)) $(if $(LLHTTP),,-lllhttp))$(LIB_LINKS)
endif

SOURCES := $(wildcard engine/*/*.c)
PARTS   := $(filter-out engine/ctl/interceptctl.c,$(SOURCES))
# llhttp: where only its sources are packaged, as on Debian, they are built; else it is a library.
LLHTTP  := $(wildcard /usr/share/llhttp/*.c)
LLHTTP_CFLAGS := $(if $(LLHTTP),-isystem /usr/share/include/llhttp)
LLHTTP_PARTS  := $(LLHTTP:/usr/share/llhttp/%.c=llhttp/%.o)
LIBRARY := $(BUILD)/libengine.a
UNITS   := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/unit/*/*_test.c))
TARGETS := $(patsubst tests/fuzz/%_fuzz.c,%,$(wildcard tests/fuzz/*_fuzz.c))
REPLAYS := $(TARGETS:%=$(BUILD)/tests/fuzz/%_replay)
FUZZERS := $(TARGETS:%=build/fuzz/%)
BENCHES := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/bench/*_bench.c))

Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)	$@')

.PHONY: all install uninstall check check-unit check-e2e check-vm check-cost demo bench bench-parts bench-scale fuzz lint format clean
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BUILD)/interceptd $(BUILD)/interceptctl

$(BUILD)/interceptd: $(BUILD)/engine/main.o $(LIBRARY)
$(BUILD)/interceptctl: $(BUILD)/engine/ctl/interceptctl.o $(LIBRARY)
$(BUILD)/interceptctl: LDLIBS = $(CTL_LINKS)
$(BUILD)/interceptd $(BUILD)/interceptctl $(BENCHES):
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS) $(LINKING) $(LDFLAGS) -o $@ $^ $(LIB_LINKS) $(LDLIBS)

$(LIBRARY): $(PARTS:%.c=$(BUILD)/%.o) $(LLHTTP_PARTS:%=$(BUILD)/%)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) $(OPTIONS) $(CFLAGS) $(CPPFLAGS) $(LIB_CFLAGS) -c -o $@ $<

$(BUILD)/llhttp/%.o: /usr/share/llhttp/%.c
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) $(filter-out $(WARNINGS),$(OPTIONS)) $(CFLAGS) $(CPPFLAGS) $(LIB_CFLAGS) -c -o $@ $<

# ---- installing: starts nothing, and never overwrites a configuration ----

install:
	$(Q)$(if $(DESTDIR),,scripts/deps build run)
	$(Q)$(MAKE) all
	$(Q)scripts/install/files install '$(DESTDIR)' '$(SBINDIR)' '$(DATADIR)' '$(SYSCONFDIR)' '$(UNITDIR)'

uninstall:
	$(Q)scripts/install/files uninstall '$(DESTDIR)' '$(SBINDIR)' '$(DATADIR)' '$(SYSCONFDIR)' '$(UNITDIR)'

# ---- tests ----

check:
	$(Q)scripts/deps build run test
	$(Q)$(MAKE) check-unit
	$(Q)$(MAKE) check-e2e

$(UNITS): %: %.o $(LIBRARY)
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS) $(LINKING) $(LDFLAGS) -o $@ $^ $(LIB_LINKS) $(TEST_LINKS) -lcmocka

$(BUILD)/tests/unit/tap/decode_test: TEST_LINKS := -lbrotlienc

$(REPLAYS): $(BUILD)/tests/fuzz/%_replay: $(BUILD)/tests/fuzz/%_fuzz.o $(BUILD)/tests/fuzz/replay.o $(LIBRARY)
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS) $(LINKING) $(LDFLAGS) -o $@ $^ $(LIB_LINKS)

check-unit: $(UNITS) $(REPLAYS)
	$(Q)set -e; for test in $(UNITS); do $$test; done
	$(Q)set -e; for name in $(TARGETS); do $(BUILD)/tests/fuzz/$${name}_replay tests/fuzz/corpus/$$name; done

CLIENTS := $(patsubst tests/e2e/clients/%.c,$(BUILD)/clients/%,$(wildcard tests/e2e/clients/*.c))
$(BUILD)/clients/mbedtls_client: LDLIBS := -lmbedtls -lmbedx509 -lmbedcrypto
$(BUILD)/clients/wolfssl_client: LDLIBS := -lwolfssl -pthread
$(CLIENTS): $(BUILD)/clients/%: tests/e2e/clients/%.c
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(CC) -std=c17 -D_GNU_SOURCE $(WARNINGS) $(CFLAGS) -o $@ $< $(LDLIBS)

check-e2e: all $(CLIENTS)
	$(Q)INTERCEPTD_BUILD=$(abspath $(BUILD)) $(PYTHON) -m pytest -q -n $(JOBS) -p no:cacheprovider \
		--durations=10 --durations-min=20 $(if $(RERUNS),--reruns $(RERUNS) -rR) $(TESTS)

# What the kernel has a part in; all else takes long under emulation, and would tell nothing new. Of the
# unit tests, some of the threads' need a root who may raise limits, as not every container's may.
VM_UNITS := $(BUILD)/tests/unit/core/thread_test
VM_TESTS := $(patsubst %,tests/e2e/test_%.py,bypassed control devices faults ignore intercept learned names \
	passthrough quic ruleset signer)
check-vm: all $(VM_UNITS)
	$(Q)set -e; for test in $(VM_UNITS); do scripts/vm $$test; done
	$(Q)scripts/vm $(MAKE) check-e2e RERUNS=$(RERUNS) INTERCEPTD_PATIENCE=10 \
		TESTS='$(if $(filter tests/e2e,$(TESTS)),$(VM_TESTS),$(TESTS))'

build/fuzz/%.o: %.c
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) $(FUZZING) $(LIB_CFLAGS) -c -o $@ $<

build/fuzz/llhttp/%.o: /usr/share/llhttp/%.c
	$(call say,CC)
	$(Q)mkdir -p $(@D) && $(FUZZ_CC) $(FUZZING) $(LIB_CFLAGS) -c -o $@ $<

$(FUZZERS): build/fuzz/%: build/fuzz/tests/fuzz/%_fuzz.o $(PARTS:%.c=build/fuzz/%.o) $(LLHTTP_PARTS:%=build/fuzz/%)
	$(call say,LINK)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -o $@ $^ $(LIB_LINKS) $(CTL_LINKS)

fuzz: $(FUZZERS)
	$(Q)scripts/fuzz $(FUZZ_SECONDS) $(TARGETS)

# ---- seeing and measuring ----

demo: all
	$(Q)scripts/demo $(BUILD)

# BENCH="--size quick --rounds 1": what tests/bench/compare.py is told; or tests/bench/scale.py.
bench: all $(BUILD)/tests/bench/load_client $(BUILD)/tests/bench/floor
	$(Q)scripts/deps build run bench
	$(Q)INTERCEPTD_BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/compare.py $(BENCH)

bench-scale: all $(BUILD)/tests/bench/load_client
	$(Q)scripts/deps build run bench
	$(Q)INTERCEPTD_BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/scale.py $(BENCH)

$(BUILD)/tests/bench/floor: $(BUILD)/tests/bench/floor.o
$(BUILD)/tests/bench/load_client: $(BUILD)/tests/bench/load_client.o $(BUILD)/tests/bench/load_connection.o
$(BUILD)/tests/bench/floor $(BUILD)/tests/bench/load_client:
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS) $(LINKING) $(LDFLAGS) -o $@ $^ -lssl -lcrypto

$(BUILD)/tests/bench/hot_paths: %: %.o $(LIBRARY)
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS) $(LINKING) $(LDFLAGS) -o $@ $^ $(LIB_LINKS)

# GUARD=--update: the counts of today are kept, for this compiler.
check-cost: $(BUILD)/tests/bench/hot_paths
	$(Q)$(PYTHON) tests/bench/instructions.py $(GUARD) $< '$(CC)'

$(BENCHES): %: %.o $(LIBRARY)
bench-parts: all $(BENCHES)
	$(Q)set -e; for bench in $(BENCHES); do $$bench; done
	$(Q)INTERCEPTD_BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/ignored_bench.py
	$(Q)INTERCEPTD_BUILD=$(abspath $(BUILD)) $(PYTHON) tests/bench/readers.py

lint:
	$(Q)scripts/lint

format:
	$(Q)find engine tests -name '*.[ch]' -exec clang-format -i {} +

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
