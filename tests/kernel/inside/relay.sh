#!/bin/sh
# needs: sluice sluicectl sluice-bench
# files: lib/serving.sh
# End to end: an origin, the relay on the splice lane, unprivileged and under seccomp, and a load that judges every event.
# shellcheck source=tests/kernel/inside/lib/serving.sh
. /files/serving.sh

serve inside --lane splice
sluice-bench load --to http://127.0.0.1:8000/events --streams 20 --seconds 4 --warmup 1 > /tmp/load 2>&1 &
load=$!
sleep 4
sluicectl --admin /tmp/admin.sock --json streams > /tmp/streams || fail "the admin socket does not answer"
spliced=$(grep -o '"lane": *"splice"' /tmp/streams | wc -l)
[ "$spliced" -ge 18 ] || fail "only $spliced of 20 streams are on the splice lane"
wait $load || fail "the load is not content"
totals
awk '$1 == "spliced_bytes" && $2 + 0 > 100000 { found = 1 } END { exit !found }' /tmp/totals || fail "$(cat /tmp/totals)"
end
cat /tmp/load
