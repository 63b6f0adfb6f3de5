# shellcheck shell=sh
# For tests that want a relay that serves: an origin on port 8001 and the relay before it on 8000. To be sourced.

# What the test tells when it fails; a load writes into the second.
: > /tmp/relay.log
: > /tmp/load

fail() {
	echo "$1"
	cat /tmp/relay.log /tmp/load
	exit 1
}

# serve INSTANCE OPTION...: starts both, and waits until the relay listens.
serve() {
	instance=$1
	shift
	sluice-bench origin --listen 127.0.0.1:8001 --rate 20 > /tmp/origin.log 2>&1 &
	origin=$!
	sluice proxy --listen 127.0.0.1:8000 --to http://127.0.0.1:8001 --workers 2 --instance "$instance" \
		--admin /tmp/admin.sock "$@" > /tmp/relay.log 2>&1 &
	relay=$!
	n=0
	until grep -q 'listening on' /tmp/relay.log; do
		n=$((n + 1))
		[ $n -lt 100 ] || fail "the relay does not start"
		sleep 0.2
	done
}

# Writes the relay's totals to /tmp/totals.
totals() {
	sluicectl --admin /tmp/admin.sock totals > /tmp/totals || fail "the admin socket does not answer"
}

# Ends both: the relay with 0, and without pins; the next test wants their ports.
end() {
	kill -TERM "$relay"
	wait "$relay" || fail "the relay does not end with 0"
	kill "$origin"
	[ ! -e "/sys/fs/bpf/sluice/$instance" ] || fail "pins are left"
}
