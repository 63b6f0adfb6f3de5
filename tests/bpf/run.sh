#!/bin/sh
# Runs the BPF test binaries given, one after the other, as root. Without root or BPF: says so, and fails nothing.
set -u
if [ "$(id -u)" != 0 ]; then
	echo "tests/bpf: skipped: needs root (BPF programs, network namespaces)"
	exit 0
fi
if [ ! -e /sys/kernel/btf/vmlinux ]; then
	echo "tests/bpf: skipped: this kernel has no BTF"
	exit 0
fi
failed=0
for t in "$@"; do
	out=$("$t" 2>&1)
	code=$?
	if [ "$code" = 0 ]; then
		echo "ok   $(basename "$t"): $(echo "$out" | grep -c '\[       OK \]') tests"
		echo "$out" | grep -i 'skip' | sed 's/^/     /'
	else
		echo "$out"
		echo "FAIL $(basename "$t") ($code)"
		failed=1
	fi
done
exit $failed
