# sluice: `make demo` shows it, `make test` proves it. Both install what they need (`make deps`, Debian 12, as root).
# Other builds of the same tree:  make BUILD=build-asan SAN=1 …

BUILD ?= build
CC := gcc
CLANG := clang
VERSION := 0.1.0

PKGS := libcyaml libcares jansson libcap-ng libseccomp libsystemd libbpf
CPPFLAGS += -D_GNU_SOURCE -Iinclude -Iuser -I$(BUILD)/gen -DSLUICE_VERSION='"$(VERSION)"'
WARN := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2 -Wundef
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu11 -fno-strict-aliasing -fstack-protector-strong $(WARN)
LDFLAGS += -Wl,-z,relro,-z,now -pie
CFLAGS += -fPIE
ifdef SAN
CFLAGS += -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
LDFLAGS += -fsanitize=address,undefined
endif
CFLAGS += $(shell pkg-config --cflags $(PKGS) 2>/dev/null)
LDLIBS := $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm

LIB_SRC := $(filter-out user/main/sluice.c,$(wildcard user/*/*.c))
ifeq ($(wildcard bpf/build.mk),)
LIB_SRC := $(filter-out user/kern/%,$(LIB_SRC))
endif
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
BENCH_SRC := $(wildcard tools/bench/*.c)
CTL_SRC := $(wildcard tools/ctl/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
PROGRAMS := $(BUILD)/sluice $(if $(BENCH_SRC),$(BUILD)/sluice-bench) $(if $(CTL_SRC),$(BUILD)/sluicectl)

# `make V=1` shows the commands
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps build demo test test-unit test-net test-fuzz test-asan lint bench install clean programs units

all: deps
	$(MAKE) --no-print-directory build
build: programs units
programs: $(PROGRAMS)
units: $(UNIT_BIN)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/libsluice.a: $(LIB_OBJ)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^

$(BUILD)/sluice: $(BUILD)/user/main/sluice.o $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/sluice-bench: $(BENCH_SRC:%.c=$(BUILD)/%.o) $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/sluicectl: $(CTL_SRC:%.c=$(BUILD)/%.o) $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

clean:
	rm -rf build build-*

-include bpf/build.mk
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
