#!/bin/sh
# Runs on a Linux router in front of several relays: asks each of them every second and keeps the route to their common
# address to those that answer. An example to be changed; docs/SCALE.md explains it, tests/failover runs it.
#
#   sluice-ecmp-health.sh -r 203.0.113.10/32 -p 8080 192.0.2.11 192.0.2.12
#
# Any HTTP answer within the time counts as life, whatever its status: an upstream that fails is not the relay's death. A relay
# that shuts down refuses connections at once, while its streams may still end in peace.
# When none answers, the route stays as it was: then the check is more likely to be wrong than all relays to be dead.
set -eu

route='' port=80 path=/healthz interval=1 timeout=1 fall=2 rise=3 group=4000 buckets=128 idle=120 unbalanced=0

usage() {
	cat <<END
usage: $0 -r ROUTE [options] RELAY...
  -r ROUTE    the relays' common address, as a prefix: 203.0.113.10/32
  -p PORT     that each RELAY (an address that this host reaches directly) answers on (80)
  -u PATH     to ask for (/healthz)
  -i SECONDS  between two rounds of questions (1)
  -t SECONDS  within which an answer has to come (1)
  -f N        failures in a row until a relay is out (2)
  -s N        answers in a row until it is back (3)
  -g ID       of the nexthop group; the relays' own are ID+1, ID+2 (two for each) ... (4000)
  -b N        buckets of the group: into how many parts the flows are divided (128)
  -I SECONDS  a bucket without packets for so long may move to a relay that is back; longer than the heartbeat (120)
  -U SECONDS  after so long busy buckets are moved too, which breaks their connections; 0: never (0)
END
	exit 2
}

say() {
	echo "sluice-ecmp-health: $*" >&2
}

while getopts r:p:u:i:t:f:s:g:b:I:U: option; do
	case $option in
	r) route=$OPTARG ;;
	p) port=$OPTARG ;;
	u) path=$OPTARG ;;
	i) interval=$OPTARG ;;
	t) timeout=$OPTARG ;;
	f) fall=$OPTARG ;;
	s) rise=$OPTARG ;;
	g) group=$OPTARG ;;
	b) buckets=$OPTARG ;;
	I) idle=$OPTARG ;;
	U) unbalanced=$OPTARG ;;
	*) usage ;;
	esac
done
shift $((OPTIND - 1))
if [ -z "$route" ] || [ $# = 0 ]; then usage; fi

# Exit status 0: an HTTP answer came. HEAD, since the body of a GET might be an endless stream.
ask() {
	case $1 in
	*:*) host="[$1]" ;;
	*) host=$1 ;;
	esac
	exec curl --silent --head --output /dev/null --max-time "$timeout" "http://$host:$port$path"
}

# The group of all relays that are up, "ID/ID"; empty when there is none.
members() {
	n=0 list=''
	for relay; do
		n=$((n + 1))
		eval "up=\$up_$n"
		[ "$up" = 1 ] && list="$list${list:+/}$((group + 2 * n - 1))/$((group + 2 * n))"
	done
	echo "$list"
}

# Resilient: a relay's death moves its own flows only, and its return moves only those that are silent. With the ordinary
# kind of group every change would deal the flows anew and break streams of the healthy ones. Each relay is in the group twice,
# since with one member left the kernel would not look at the buckets, take all for idle, and move half of them at a return.
apply() {
	ip nexthop replace id "$group" group "$1" type resilient buckets "$buckets" idle_timer "$idle" unbalanced_timer "$unbalanced"
	ip route replace "$route" nhid "$group"
}

n=0
for relay; do
	n=$((n + 1))
	device=$(ip -o route get "$relay" | sed -n 's/.* dev \([^ ]*\).*/\1/p')
	ip nexthop replace id $((group + 2 * n - 1)) via "$relay" dev "$device"
	ip nexthop replace id $((group + 2 * n)) via "$relay" dev "$device"
	eval "up_$n=1 bad_$n=0 good_$n=0"
done
current=$(members "$@")
apply "$current"
say "route $route to $*"

while :; do
	n=0 pids=''
	for relay; do
		ask "$relay" &
		pids="$pids $!"
	done
	for pid in $pids; do
		n=$((n + 1))
		eval "up=\$up_$n bad=\$bad_$n good=\$good_$n"
		if wait "$pid"; then
			bad=0 good=$((good + 1))
		else
			good=0 bad=$((bad + 1))
		fi
		eval "relay=\${$n}"
		if [ "$up" = 1 ] && [ $bad -ge "$fall" ]; then
			up=0
			say "$relay is out: no answer $bad times"
		elif [ "$up" = 0 ] && [ $good -ge "$rise" ]; then
			up=1
			say "$relay is back: $good answers"
		fi
		eval "up_$n=$up bad_$n=$bad good_$n=$good"
	done
	wanted=$(members "$@")
	if [ -z "$wanted" ]; then
		[ "$current" = none ] || say "no relay answers: the route stays as it is"
		current=none
	elif [ "$wanted" != "$current" ] && apply "$wanted"; then
		current=$wanted
	fi
	sleep "$interval"
done
