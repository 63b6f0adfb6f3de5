# sluice: `make demo` shows it, `make test` proves it. Both install what they need (`make deps`, Debian 12, as root).
# Other builds of the same tree:  make BUILD=build-asan SAN=1 …

BUILD ?= build
CC := gcc
CLANG := clang
VERSION := 0.1.0

PKGS := libcyaml yaml-0.1 libcares jansson libcap-ng libseccomp libsystemd libssl libcrypto libbpf libnghttp2
CPPFLAGS += -D_GNU_SOURCE -Iinclude -Iuser -Itools -I$(BUILD)/gen -DSLUICE_VERSION='"$(VERSION)"'
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
BENCH_LIBS := $(shell pkg-config --libs libssl libcrypto libnghttp2 2>/dev/null)

LIB_SRC := $(filter-out user/main/sluice.c,$(wildcard user/*/*.c))
ifeq ($(wildcard bpf/build.mk),)
LIB_SRC := $(filter-out user/kern/%,$(LIB_SRC))
endif
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o)
BENCH_SRC := $(wildcard tools/bench/*.c)
VIEW_SRC := $(wildcard tools/view/*.c)
CTL_SRC := $(wildcard tools/ctl/*.c)
EXPORTER_SRC := $(wildcard tools/exporter/*.c)
EXPORTER_LIBS := $(shell pkg-config --libs libmicrohttpd 2>/dev/null)
CTL_LIBS := $(shell pkg-config --libs ncursesw 2>/dev/null)
CTL_TEST := $(wildcard tools/ctl/test/test_*.c)
DOCTOR_SRC := $(wildcard tools/doctor/*.c)
UNIT_SRC := $(wildcard tests/unit/test_*.c)
UNIT_BIN := $(UNIT_SRC:tests/unit/%.c=$(BUILD)/tests/%)
BENCH_TEST := $(wildcard tools/bench/test/test_*.c)
UNIT_BIN += $(BENCH_TEST:tools/bench/test/test_%.c=$(BUILD)/tests/test_bench_%)
UNIT_BIN += $(patsubst tools/view/test/test_%.c,$(BUILD)/tests/test_view_%,$(wildcard tools/view/test/test_*.c))
UNIT_BIN += $(patsubst tools/exporter/test/test_%.c,$(BUILD)/tests/test_exporter_%,$(wildcard tools/exporter/test/test_*.c))
EXPORTER_PARTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tools/exporter/main.c tools/exporter/http.c,$(EXPORTER_SRC)))
UNIT_BIN += $(patsubst tools/doctor/test/test_%.c,$(BUILD)/tests/test_doctor_%,$(wildcard tools/doctor/test/test_*.c))
UNIT_BIN += $(CTL_TEST:tools/ctl/test/test_%.c=$(BUILD)/tests/test_ctl_%)
CTL_PARTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tools/ctl/main.c,$(CTL_SRC)))
BENCH_PARTS := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tools/bench/main.c,$(BENCH_SRC)))
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
PROGRAMS := $(BUILD)/sluice $(if $(BENCH_SRC),$(BUILD)/sluice-bench) $(if $(CTL_SRC),$(BUILD)/sluicectl) $(if $(EXPORTER_SRC),$(BUILD)/sluice-exporter)

# `make V=1` shows the commands
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps deps-test build programs units fuzzers demo test test-asan-build lint bench bench-all bench-scale bench-plots install uninstall clean

all: deps
	$(Q)$(MAKE) --no-print-directory build
deps:
	$(Q)tools/build/deps.sh build
deps-test:
	$(Q)tools/build/deps.sh test
build: programs
programs: $(PROGRAMS)
units: $(UNIT_BIN) $(if $(EXPORTER_SRC),$(BUILD)/tests/exporter_fake) $(BUILD)/tests/fake_daemon
fuzzers: $(FUZZ_BIN)

# An origin, the relay and a stream through it; DEMO_SECONDS=10 ends by itself.
demo: deps
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)BUILD=$(BUILD) tools/demo/demo.sh

# Every suite, or some: make test SUITES="unit net". Ends with the number of tests.
SUITES ?=
test: deps-test
	$(Q)$(MAKE) --no-print-directory programs units bpf-tests fuzzers $(BUILD)/tests/h1_dump
	$(Q)$(MAKE) --no-print-directory BUILD=build-asan SAN=1 programs units
	$(Q)BUILD=$(BUILD) tests/run.py $(SUITES)

lint: deps-test
	$(Q)tools/lint/lint.sh

bench: deps-test
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)$(BUILD)/sluice-bench compare $(BENCH_FLAGS)

# Every scenario with every kind of client.
BENCH_OUT ?= $(BUILD)/bench
bench-all: deps-test
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)mkdir -p $(BENCH_OUT)
	$(Q)for s in events idle setup abort stall saturate; do for c in h1 tls h2; do \
		$(BUILD)/sluice-bench compare --scenario $$s --client $$c --rounds 3 --json $(BENCH_OUT)/$$s-$$c.json \
			$(BENCH_FLAGS) || exit 1; done; done

# The model of docs/SCALE.md, measured and put into the page: half an hour on a quiet machine.
bench-scale: deps-test
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)$(BUILD)/sluice-bench scale --plots docs/performance --page docs/SCALE.md $(BENCH_FLAGS)

# The plots, and the tables of docs/PERFORMANCE.md, once more from the figures that are kept beside them.
bench-plots: deps-test
	$(Q)$(MAKE) --no-print-directory programs
	$(Q)ls docs/performance/*.json >/dev/null 2>&1 || { echo 'bench-plots: no figures in docs/performance; docs/PERFORMANCE.md says how to make them'; exit 1; }
	$(Q)for f in docs/performance/*.json; do $(BUILD)/sluice-bench plots --from "$$f" --to docs/performance || exit 1; done
	$(Q)tools/bench/figures.py docs/PERFORMANCE.md docs/performance/*.json

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
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lmicrohttpd
$(BUILD)/sluice-bench: $(BENCH_SRC:%.c=$(BUILD)/%.o) $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(BENCH_LIBS)
# What sluicectl and the exporter read the daemon with.
$(BUILD)/libview.a: $(VIEW_SRC:%.c=$(BUILD)/%.o)
	$(Q)rm -f $@
	$(Q)ar rcs $@ $^
$(BUILD)/sluicectl: $(CTL_SRC:%.c=$(BUILD)/%.o) $(DOCTOR_SRC:%.c=$(BUILD)/%.o) $(BUILD)/libview.a $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(CTL_LIBS) -lcurl
$(BUILD)/tests/test_doctor_%: $(BUILD)/tools/doctor/test/test_%.o $(DOCTOR_SRC:%.c=$(BUILD)/%.o) $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcurl -lcmocka
$(BUILD)/tools/bench/page.o: tools/bench/page.html
$(BUILD)/sluice-exporter: $(EXPORTER_SRC:%.c=$(BUILD)/%.o) $(BUILD)/libview.a $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(EXPORTER_LIBS)
$(BUILD)/tests/test_exporter_%: $(BUILD)/tools/exporter/test/test_%.o $(EXPORTER_PARTS) $(BUILD)/libview.a $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka
$(BUILD)/tests/exporter_fake: $(BUILD)/tools/exporter/test/fake_daemon.o $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/user/status/page.o: user/status/page.html
$(BUILD)/tests/test_view_%: $(BUILD)/tools/view/test/test_%.o $(BUILD)/libview.a $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka
$(BUILD)/tests/fake_daemon: $(BUILD)/tools/ctl/test/fake_daemon.o $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)
$(BUILD)/tests/test_ctl_%: $(BUILD)/tools/ctl/test/test_%.o $(CTL_PARTS) $(DOCTOR_SRC:%.c=$(BUILD)/%.o) $(BUILD)/libview.a $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(CTL_LIBS) -lcurl -lcmocka
$(BUILD)/tests/test_bench_%: $(BUILD)/tools/bench/test/test_%.o $(BENCH_PARTS) $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) $(BENCH_LIBS) -lcmocka
$(BUILD)/tests/%: $(BUILD)/tests/unit/%.o $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka
$(BUILD)/tests/h1_dump: $(BUILD)/tests/fuzz/differential/h1_dump.o $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)

# libFuzzer is clang's: the parsers are compiled once more with it, nothing else is linked.
FUZZ_LIB := $(wildcard user/proto/*.c) user/base/buf.c
FUZZ_LIBS := -lnghttp2
$(BUILD)/fuzz/fuzz_conf: FUZZ_LIBS += -lcyaml -lyaml -ljansson
$(BUILD)/fuzz/fuzz_conf: $(wildcard user/conf/*.c) user/base/log.c
$(BUILD)/fuzz/%: tests/fuzz/%.c $(FUZZ_LIB)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)
	$(Q)$(CLANG) $(CPPFLAGS) -std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
		-o $@ $^ $(FUZZ_LIBS)

PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
UNITDIR ?= /lib/systemd/system
install: build
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/sbin $(BUILD)/sluice
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(filter-out $(BUILD)/sluice,$(PROGRAMS))
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/sluice/peers tools/bench/peers/*.conf
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/sluice/plots tools/bench/plots/*.gp
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/share/sluice conf/sluice-ecmp-health.sh
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/sluice conf/keepalived.conf.example
	install -D -m 644 conf/sluice.yaml.example $(DESTDIR)$(SYSCONFDIR)/sluice/sluice.yaml.example
	install -D -m 644 conf/sluice.service $(DESTDIR)$(UNITDIR)/sluice.service
	sed -i 's,@SBINDIR@,$(PREFIX)/sbin,; s,@SYSCONFDIR@,$(SYSCONFDIR),' $(DESTDIR)$(UNITDIR)/sluice.service
	install -D -m 644 conf/sluice-exporter.service $(DESTDIR)$(UNITDIR)/sluice-exporter.service
	sed -i 's,@BINDIR@,$(PREFIX)/bin,' $(DESTDIR)$(UNITDIR)/sluice-exporter.service
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/sluice/prometheus conf/prometheus/*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/sluice/grafana conf/grafana/*
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man8 docs/man/*.8
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/man/man5 docs/man/*.5
	install -D -m 644 conf/sluice.bash-completion $(DESTDIR)$(PREFIX)/share/bash-completion/completions/sluice
	for p in sluicectl sluice-exporter sluice-bench; do \
		install -D -m 644 conf/sluicectl.bash-completion $(DESTDIR)$(PREFIX)/share/bash-completion/completions/$$p; done
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/share/zsh/vendor-completions conf/_sluice
uninstall:
	rm -f $(DESTDIR)$(PREFIX)/sbin/sluice $(addprefix $(DESTDIR)$(PREFIX)/bin/,$(notdir $(filter-out $(BUILD)/sluice,$(PROGRAMS)))) \
		$(DESTDIR)$(UNITDIR)/sluice.service $(DESTDIR)$(UNITDIR)/sluice-exporter.service \
		$(DESTDIR)$(PREFIX)/share/man/man8/sluice-exporter.8 $(DESTDIR)$(PREFIX)/share/bash-completion/completions/sluice \
		$(addprefix $(DESTDIR)$(PREFIX)/share/bash-completion/completions/,sluicectl sluice-exporter sluice-bench) \
		$(DESTDIR)$(PREFIX)/share/zsh/vendor-completions/_sluice $(DESTDIR)$(PREFIX)/share/man/man8/sluicectl.8 \
		$(DESTDIR)$(PREFIX)/share/man/man8/sluice.8 $(DESTDIR)$(PREFIX)/share/man/man5/sluice.yaml.5

clean:
	rm -rf build build-*

-include bpf/build.mk
-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
