# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# traffic.sh - what scenarios send, and what they ask the counters afterwards
#
# Everything is bounded in count and time. A ping passes only when every single
# request is answered: the first packet of a flow is never lost.

declare -A STREAM				# name to id of the receiving process

answered() { # FROM ADDRESS COUNT WAIT ANSWERS: so many of the requests are answered
	on "$1" ping -n -q -c "$3" -i 0.05 -W "$4" "$2" >"$TMP/ping" 2>&1 || true
	grep -q " $5 received" "$TMP/ping" || {
		cat "$TMP/ping"
		return 1
	}
}

# pings FROM ADDRESS [COUNT]: all requests are answered.
pings() { answered "$1" "$2" "${3:-3}" 2 "${3:-3}"; }

# no_ping FROM ADDRESS: two requests, and not a single answer.
no_ping() { answered "$1" "$2" 2 0.5 0; }

# Both families, all requests.
reaches() { pings "$1" "$(ip4 "$2")" "${3:-3}" && pings "$1" "$(ip6 "$2")" "${3:-3}"; }

listening() { [[ -n $(on "$1" ss -Hln "$2" "sport = $3") ]]; } # NAMESPACE --tcp|--udp PORT

payload() {
	[[ -s $TMP/payload ]] || head -c "${PAYLOAD:-300000}" /dev/urandom >"$TMP/payload"
}

# transfer FROM TO ADDRESS [PORT]: a file over TCP arrives as it was sent.
transfer() {
	local port=${4:-5000} family=4 address=$3 receiver
	[[ $3 == *:* ]] && family=6 address="[$3]"
	payload
	rm -f "$TMP/arrived"
	background "$2" "$TMP/socat" timeout 15 socat -u \
		"TCP$family-LISTEN:$port,reuseaddr" "CREATE:$TMP/arrived"
	receiver=$!
	on "$1" timeout 15 socat -u "OPEN:$TMP/payload" \
		"TCP$family:$address:$port,retry=100,interval=0.05" || {
		end "$receiver"
		return 1
	}
	wait "$receiver" || {
		cat "$TMP/socat"
		return 1
	}
	cmp "$TMP/payload" "$TMP/arrived"
}

# stream NAME FROM TO ADDRESS COUNT RATE: numbered UDP packets in the background.
stream() {
	background "$3" "$TMP/$1.recv" "$PYTHON" "$NET/stream.py" receive "$4" 7000 "$5"
	# shellcheck disable=SC2034 # for scenarios that end a stream themselves
	STREAM[$1]=$!
	soon 5 grep -q listening "$TMP/$1.recv"
	background "$2" "$TMP/$1.send" "$PYTHON" "$NET/stream.py" send "$4" 7000 "$5" "$6"
}

# stream_result NAME: waits for the end and says "received 5000 lost 0 twice 0 late 0".
stream_result() {
	soon 60 grep -q '^received' "$TMP/$1.recv" || true
	tail -n 1 "$TMP/$1.recv"
}

stream_seen() { tail -n 1 "$TMP/$1.recv" | awk '/so far/ { print $3; seen = 1 } END { if (!seen) print 0 }'; }

# capture NAMESPACE ARGUMENT...: tcpdump, into $TMP/seen, until end_capture.
capture() {
	local ns=$1
	shift
	background "$ns" "$TMP/seen" tcpdump -l -n --immediate-mode "$@"
	CAPTURE=$!
	soon 5 grep -q 'listening on' "$TMP/seen"
}

# Lets a busy machine catch up first: nothing new for a while.
end_capture() {
	local size=''
	until [[ $size == "$(stat -c %s "$TMP/seen")" ]]; do
		size=$(stat -c %s "$TMP/seen")
		sleep 0.3
	done
	end "$CAPTURE" INT
}

# ---- counters --------------------------------------------------------------

# dropped HOST PORT REASON: packets so far.
dropped() { ask "$1" "[.ports[] | select(.name == \"$2\") | .drops[\"$3\"] // 0] | add // 0" drops; }
# used HOST PORT FIELD: one figure of the port's books.
used() { ask "$1" ".ports[] | select(.name == \"$2\") | .usage[\"$3\"]" drops; }

drops_more_than() { # HOST PORT REASON BEFORE
	(($(dropped "$1" "$2" "$3") > $4))
}

# Reckons from the single figures, not from what the agent says about them.
# shellcheck disable=SC2016 # dollars belong to jq
open_books() { # HOST
	ask "$1" 'select(([.ports[].usage.in] | add // 0) == 0) | "no port has seen a frame"' drops
	ask "$1" '
		.ports[] | .usage as $u
		| (.drops | to_entries | map(select(.key != "hub_overflow").value) | add // 0) as $drops
		| ($u.in + $u.resumed - $u.out - $u.replied - $u.passed - $u.punted - $drops) as $gap
		| select($gap != 0 or (.closes | not))
		| "port \(.name): in \($u.in) + resumed \($u.resumed) != out \($u.out) + replied \($u.replied)" +
		  " + passed \($u.passed) + punted \($u.punted) + drops \($drops), off by \($gap)"' drops
	ask "$1" '
		([.ports[] | select(.kind == "hub" or .kind == "hub_far") | .drops | del(.hub_overflow) | .[]]
		 | add // 0) as $lost
		| .hub | select(.punted != .resumed + $lost + .overflow)
		| "hub: punted \(.punted) != resumed \(.resumed) + lost \($lost) + overflow \(.overflow)"' drops
}

books_closed() { [[ -z $(open_books "$1") ]]; }

# books_close [HOST...]: the last question of every scenario. Traffic may be under way for a moment.
books_close() {
	(($#)) || set -- "${HOSTS[@]}"
	local h
	for h in "$@"; do
		soon 5 books_closed "$h" || true
		is "host $h: the counters of every port close" "$(open_books "$h")" ""
	done
}
