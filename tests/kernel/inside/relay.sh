#!/bin/sh
# needs: sluice sluicectl sluice-bench
# End to end: an origin, the relay on the splice lane, unprivileged and under seccomp, and a load that judges every event.
fail() {
	echo "$1"
	cat /tmp/relay.log /tmp/load
	exit 1
}

sluice-bench origin --listen 127.0.0.1:8001 --rate 20 > /tmp/origin.log 2>&1 &
origin=$!
sluice proxy --listen 127.0.0.1:8000 --to http://127.0.0.1:8001 --lane splice --workers 2 --instance inside \
	--admin /tmp/admin.sock > /tmp/relay.log 2>&1 &
relay=$!
: > /tmp/load
n=0
until grep -q 'listening on' /tmp/relay.log; do
	n=$((n + 1))
	[ $n -lt 100 ] || fail "the relay does not start"
	sleep 0.2
done
sluice-bench load --to http://127.0.0.1:8000/events --streams 20 --seconds 4 --warmup 1 > /tmp/load 2>&1 &
load=$!
sleep 4
sluicectl --admin /tmp/admin.sock --json streams > /tmp/streams || fail "the admin socket does not answer"
spliced=$(grep -o '"lane": *"splice"' /tmp/streams | wc -l)
[ "$spliced" -ge 18 ] || fail "only $spliced of 20 streams are on the splice lane"
wait $load || fail "the load is not content"
sluicectl --admin /tmp/admin.sock totals > /tmp/totals || fail "the admin socket does not answer"
awk '$1 == "spliced_bytes" && $2 + 0 > 100000 { found = 1 } END { exit !found }' /tmp/totals || fail "$(cat /tmp/totals)"
kill -TERM $relay
wait $relay || fail "the relay does not end with 0"
kill $origin
[ ! -e /sys/fs/bpf/sluice/inside ] || fail "pins are left"
cat /tmp/load
