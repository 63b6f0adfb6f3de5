#!/bin/bash
# What `make demo` runs once all is built: an event source, sluice in front of it, and one stream through both, shown event by
# event. The relay's address is also a page to open in a browser.
#
#   DEMO_SECONDS=10          ends by itself; exit 0 only when events came through the relay whole and in order
#   DEMO_LISTEN=ADDR:PORT    where the relay listens (127.0.0.1:8080, or the next free port)
#   DEMO_RATE=4              events a second
#   BUILD=build              where the programs are
set -u

cd "$(dirname "$0")/../.." || exit 1
build=${BUILD:-build}
seconds=${DEMO_SECONDS:-}
rate=${DEMO_RATE:-4}
origin_pid='' relay_pid='' watch_pid=''
dir=$(mktemp -d /tmp/sluice-demo.XXXXXX) || exit 1

# Ends one process that we started: asks, waits three seconds, insists.
end() {
	local pid=$1
	[ -n "$pid" ] || return 0
	kill -TERM "$pid" 2>/dev/null
	for _ in $(seq 60); do
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.05
	done
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
}

# shellcheck disable=SC2317 # the trap below runs it
cleanup() {
	end "$watch_pid"
	end "$relay_pid"
	end "$origin_pid"
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 143' TERM HUP

fail() {
	echo "demo: $1" >&2
	[ -s "${2:-}" ] && sed 's/^/    /' "$2" >&2
	exit 1
}

# Waits until the process `$1` has said in the file `$2` where it listens.
wait_listening() {
	for _ in $(seq 200); do
		grep -q 'listening on' "$2" && return 0
		kill -0 "$1" 2>/dev/null || return 1
		sleep 0.05
	done
	return 1
}

# True when something answers there. Trying to bind would not tell: two relays may share a port (SO_REUSEPORT), and the
# kernel would then spread the demo's connections over both.
taken() {
	(exec 3<>"/dev/tcp/$1/$2") 2>/dev/null
}

start_relay() {
	: >"$dir/relay"
	setsid "$build/sluice" proxy --listen "$1" --to "http://$origin" --instance "demo-$$" 2>"$dir/relay" </dev/null &
	relay_pid=$!
	wait_listening "$relay_pid" "$dir/relay" && return 0
	end "$relay_pid"
	relay_pid=''
	return 1
}

[[ $seconds =~ ^([0-9]+(\.[0-9]+)?)?$ ]] || fail "DEMO_SECONDS: allowed: a number of seconds; found: $seconds"
for program in sluice sluice-bench; do
	[ -x "$build/$program" ] || fail "$build/$program is not there: run make first"
done

# In sessions of their own, both: Ctrl-C is for `watch` and for us, and these two end last.
setsid "$build/sluice-bench" origin --listen 127.0.0.1:0 --rate "$rate" --size 120 2>"$dir/origin" </dev/null &
origin_pid=$!
wait_listening "$origin_pid" "$dir/origin" || fail "the event source did not start:" "$dir/origin"
origin=$(sed -n 's/.*listening on //p' "$dir/origin")

if [ -n "${DEMO_LISTEN:-}" ]; then
	listen=$DEMO_LISTEN
	start_relay "$listen" || fail "the relay did not start on $listen:" "$dir/relay"
else
	for port in $(seq 8080 8179); do
		taken 127.0.0.1 "$port" && continue
		listen=127.0.0.1:$port
		start_relay "$listen" && break
	done
	[ -n "$relay_pid" ] || fail "the relay did not start:" "$dir/relay"
fi

# A wildcard is no address to connect to.
url=http://$listen
url=${url/0.0.0.0:/127.0.0.1:}
url=${url/\[::\]:/[::1]:}

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$'\033[1m' plain=$'\033[0m'
else
	bold='' plain=''
fi
cat <<EOF

${bold}sluice demo${plain}
  event source   http://$origin
  relay          ${bold}$url/${plain}    <- open this page in a browser
  or             curl -N $url/events

One stream through the relay, ${seconds:+for $seconds s, }with the time from the source's send() to this terminal:

EOF

# In the background, since bash runs traps only between commands: a TERM must end the demo at once. Ctrl-C reaches `watch` too,
# which ends the stream and says how it went.
trap : INT
"$build/sluice-bench" watch --to "$url/events" ${seconds:+--seconds "$seconds"} &
watch_pid=$!
wait "$watch_pid"
status=$?
while kill -0 "$watch_pid" 2>/dev/null; do
	wait "$watch_pid"
	status=$?
done
watch_pid=''
if [ "$status" -ne 0 ]; then
	echo "demo: events did not come through the relay as they should (status $status)" >&2
	sed 's/^/    relay: /' "$dir/relay" >&2
fi
exit "$status"
