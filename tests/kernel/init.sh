#!/bin/busybox sh
# shellcheck shell=dash
# Process 1 of an emulated kernel (tests/kernel/run.py): runs what /tests/list names, one after the other, and tells on the
# console. LIMIT: seconds for each, beyond which it has failed.
/bin/busybox mkdir -p /proc /sys /dev /tmp /run
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sys /sys
/bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t bpf bpf /sys/fs/bpf
/bin/busybox mkdir -p /sys/fs/cgroup
/bin/busybox mount -t cgroup2 cgroup /sys/fs/cgroup
/bin/busybox --install -s /bin
export PATH=/bin TMPDIR=/tmp SLUICE_TESTS_EMULATED=1
ip link set lo up
while read -r m; do
	insmod "/modules/$m" || echo "NOTE module $m does not load"
done < /modules/list
echo "KERNEL $(uname -r)"
# A kernel that hangs stops telling; one that is slow does not.
while sleep 2; do echo "ALIVE"; done &
while read -r name; do
	start=$(cut -d' ' -f1 /proc/uptime)
	timeout -s KILL "$(cat /tests/limit)" "/tests/$name" > /tmp/out 2>&1
	code=$?
	case $code in 0 | 77) ;; *) sed 's/^/  | /' /tmp/out ;; esac
	grep -i 'skip' /tmp/out | sed 's/^/NOTE /'
	echo "RESULT $name $code $start $(cut -d' ' -f1 /proc/uptime)"
done < /tests/list
dmesg | grep -E 'BUG|WARNING|Oops|Call Trace|general protection|seq # bug' | sed 's/^/DMESG /'
echo "FINISHED"
poweroff -f
