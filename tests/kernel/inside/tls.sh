#!/bin/sh
# needs: sluice sluicectl sluice-bench
# modules: tls gcm ghash-generic ctr chacha20poly1305 aesni-intel
# Events over TLS, HTTP/1.1 and HTTP/2, encrypted by the kernel: a load judges every one, and the relay says that it was the kernel.
fail() {
	echo "$1"
	cat /tmp/relay.log /tmp/load
	exit 1
}

sluice-bench origin --listen 127.0.0.1:8001 --rate 20 > /tmp/origin.log 2>&1 &
origin=$!
sluice proxy --listen 127.0.0.1:8000 --to http://127.0.0.1:8001 --tls-self-signed --workers 2 --instance inside-tls \
	--admin /tmp/admin.sock > /tmp/relay.log 2>&1 &
relay=$!
: > /tmp/load
n=0
until grep -q 'listening on' /tmp/relay.log; do
	n=$((n + 1))
	[ $n -lt 100 ] || fail "the relay does not start"
	sleep 0.2
done
for http in 1 2; do
	sluice-bench load --to https://127.0.0.1:8000/events --http $http --streams 20 --seconds 3 --warmup 1 > /tmp/load 2>&1 ||
		fail "the load is not content over HTTP/$http"
	cat /tmp/load
done
sluicectl --admin /tmp/admin.sock totals > /tmp/totals || fail "the admin socket does not answer"
grep tls /tmp/totals
awk '$1 == "tls_ktls" && $2 + 0 >= 20 { found = 1 } END { exit !found }' /tmp/totals || fail "the kernel did not encrypt"
kill -TERM $relay
wait $relay || fail "the relay does not end with 0"
kill $origin
