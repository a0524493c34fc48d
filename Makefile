# SPDX-License-Identifier: GPL-3.0-or-later
#
#   make            the programs, in build/
#   make install    and what belongs to them; scripts/deps first
#   make check      all tests that this kernel can run; scripts/deps first
#
# Variables: PREFIX, DESTDIR, SYSCONFDIR; CC (gcc or clang); SAN=address,undefined or SAN=thread
# builds into a folder of its own; V=1 shows the commands.

PREFIX     ?= /usr/local
SYSCONFDIR ?= /etc
SBINDIR    ?= $(PREFIX)/sbin
MANDIR     ?= $(PREFIX)/share/man
UNITDIR    ?= $(if $(filter /usr/local,$(PREFIX)),/etc/systemd/system,$(PREFIX)/lib/systemd/system)
COMPDIR    ?= $(PREFIX)/share/bash-completion/completions
DATADIR    ?= $(PREFIX)/share/interceptd

comma := ,
BUILD := build$(if $(SAN),/san-$(subst $(comma),-,$(SAN)))
LIBS  := libmnl libnftnl libnetfilter_queue libssl libcrypto libhs libpcre2-8 inih jansson libcap-ng

CFLAGS   ?= -O2 -g
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Werror
HARDEN   := -fstack-protector-strong -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2)
OPTIONS  := -std=c17 -D_GNU_SOURCE -Iengine -MMD -MP -pthread $(WARNINGS) $(HARDEN)
OPTIONS  += $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)
LINKING  := -pie -pthread -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN))
packages  = $(shell pkg-config $(1) $(LIBS))

ENGINE  := $(filter-out engine/main.c engine/ctl/interceptctl.c,$(wildcard engine/*/*.c))
OBJECTS := $(ENGINE:%.c=$(BUILD)/%.o)
LIBRARY := $(BUILD)/libengine.a
UNITS   := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/*/*_test.c))
FUZZERS := $(patsubst tests/fuzz/%_fuzz.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(wildcard tests/bench/*.c))

Q := $(if $(V),,@)
say = $(if $(V),,@echo '  $(1)	$@')

.PHONY: all install uninstall check check-unit check-e2e check-vm demo bench fuzz lint format clean
.DELETE_ON_ERROR:

all: $(BUILD)/interceptd $(BUILD)/interceptctl

$(BUILD)/interceptd: $(BUILD)/engine/main.o $(LIBRARY)
$(BUILD)/interceptctl: $(BUILD)/engine/ctl/interceptctl.o $(LIBRARY)
$(BUILD)/interceptd $(BUILD)/interceptctl:
	$(call say,LINK)
	$(Q)$(CC) $(CFLAGS) $(LINKING) $(LDFLAGS) -o $@ $^ $(call packages,--libs)

$(LIBRARY): $(OBJECTS)
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/%.o: %.c
	$(call say,CC)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(OPTIONS) $(CFLAGS) $(CPPFLAGS) $(call packages,--cflags) -c -o $@ $<

clean:
	rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
