#!/bin/sh
# needs: sluice sluicectl sluice-bench
# modules: tls gcm ghash-generic ctr chacha20poly1305 aesni-intel
# files: lib/serving.sh
# Events over TLS, HTTP/1.1 and HTTP/2, encrypted by the kernel: a load judges every one, and the relay says that it was the kernel.
# shellcheck source=tests/kernel/inside/lib/serving.sh
. /files/serving.sh

serve inside-tls --tls-self-signed
for http in 1 2; do
	sluice-bench load --to https://127.0.0.1:8000/events --http $http --streams 20 --seconds 3 --warmup 1 > /tmp/load 2>&1 ||
		fail "the load is not content over HTTP/$http"
	cat /tmp/load
done
totals
grep tls /tmp/totals
awk '$1 == "tls_ktls" && $2 + 0 >= 20 { found = 1 } END { exit !found }' /tmp/totals || fail "the kernel did not encrypt"
end
