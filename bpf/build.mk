# The BPF objects, their skeletons, and the tests of user/kern. Included by the Makefile, which sets BUILD, CLANG, CC and the flags.
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
BPF_ARCH := $(shell $(CC) -print-multiarch)
# -mcpu=v3: atomics that return the old value, which are full barriers (5.12)
BPF_CFLAGS := -target bpf -mcpu=v3 -std=gnu11 -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -Iinclude -Ibpf \
	$(if $(BPF_ARCH),-I/usr/include/$(BPF_ARCH))


BPF_SKEL := $(patsubst bpf/%.bpf.c,$(BUILD)/gen/%.skel.h,$(wildcard bpf/*.bpf.c))

$(BUILD)/bpf/%.bpf.o: bpf/%.bpf.c
	@mkdir -p $(@D)
	$(CLANG) $(BPF_CFLAGS) -MMD -MP -MT $@ -MF $(@:.o=.d) -c -o $@.tmp $<
	$(BPFTOOL) gen object $@ $@.tmp
	@rm -f $@.tmp

$(BUILD)/gen/%.skel.h: $(BUILD)/bpf/%.bpf.o
	@mkdir -p $(@D)
	$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(patsubst user/kern/%.c,$(BUILD)/user/kern/%.o,$(wildcard user/kern/*.c)): $(BPF_SKEL)

BPF_TEST_SRC := $(wildcard tests/bpf/test_*.c)
BPF_TEST_LIB := $(filter-out $(BPF_TEST_SRC),$(wildcard tests/bpf/*.c))
BPF_TEST_BIN := $(BPF_TEST_SRC:tests/bpf/%.c=$(BUILD)/tests-bpf/%)

.PHONY: bpf bpf-tests test-bpf test-kernels
bpf: $(BPF_SKEL)
bpf-tests: $(BPF_TEST_BIN)

$(BUILD)/tests-bpf/%: $(BUILD)/tests/bpf/%.o $(BPF_TEST_LIB:%.c=$(BUILD)/%.o) $(BUILD)/libsluice.a
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS) -lcmocka

# As root, on this kernel. One binary after the other.
test-bpf: bpf-tests
	tests/bpf/run.sh $(BPF_TEST_BIN)

# The same on Debian's kernels under emulation, and tests/kernel/inside/.
test-kernels: bpf-tests
	$(Q)$(MAKE) --no-print-directory programs
	tests/kernel/run.py --build $(BUILD)
