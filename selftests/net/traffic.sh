# shellcheck shell=bash
# SPDX-License-Identifier: BSD-2-Clause
#
# traffic.sh - what scenarios send, and what they ask the counters afterwards
#
# Everything is bounded in count and time. A ping passes only when every single
# request is answered: the first packet of a flow is never lost.

declare -A STREAM SENDER			# name to ids of the receiving and the sending process
STREAM_MAX=1000000				# of a stream that goes on until it is ended

# No two are under way at once: one ping that sends them all gives up on the last answers 50 ms
# after the last request, and a busy machine may keep a first packet for longer than that.
answered() { # FROM ADDRESS COUNT [PING-OPTION...]: all requests are answered
	local i
	for ((i = 0; i < $3; i++)); do
		on "$1" ping -n -q -c 1 -W 2 "${@:4}" "$2" >"$TMP/ping" 2>&1 || {
			echo "request $((i + 1)) of $3:"
			cat "$TMP/ping"
			return 1
		}
	done
}

# pings FROM ADDRESS [COUNT]: all requests are answered.
pings() { answered "$1" "$2" "${3:-3}"; }

# no_ping FROM ADDRESS: two requests, and not a single answer.
no_ping() {
	on "$1" ping -n -q -c 2 -i 0.05 -W 0.5 "$2" >"$TMP/ping" 2>&1 || true
	grep -q " 0 received" "$TMP/ping" || {
		cat "$TMP/ping"
		return 1
	}
}

# Both families, all requests.
reaches() { pings "$1" "$(ip4 "$2")" "${3:-3}" && pings "$1" "$(ip6 "$2")" "${3:-3}"; }

listening() { [[ -n $(on "$1" ss -Hln "$2" "sport = $3") ]]; } # NAMESPACE --tcp|--udp PORT

payload() {
	[[ -s $TMP/payload ]] || head -c "${PAYLOAD:-300000}" /dev/urandom >"$TMP/payload"
}

# transfer FROM TO ADDRESS [PORT]: a file over TCP arrives as it was sent. It is written in large
# pieces, so that there are super-packets however fast the answers come.
transfer() {
	local port=${4:-5000} family=4 address=$3 receiver
	[[ $3 == *:* ]] && family=6 address="[$3]"
	payload
	rm -f "$TMP/arrived"
	background "$2" "$TMP/socat" timeout 60 socat -u \
		"TCP$family-LISTEN:$port,reuseaddr" "CREATE:$TMP/arrived"
	receiver=$!
	on "$1" timeout 60 socat -u -b 131072 "OPEN:$TMP/payload" \
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

# stream NAME FROM TO ADDRESS RATE [COUNT]: numbered UDP packets in the background. Without COUNT
# the stream goes on until stream_stop or stream_end, however long what it accompanies takes.
stream() {
	local count=${6:-$STREAM_MAX}
	background "$3" "$TMP/$1.recv" "$PYTHON" "$NET/stream.py" receive "$4" 7000 "$count"
	# shellcheck disable=SC2034 # for scenarios that end a stream themselves
	STREAM[$1]=$!
	soon 5 grep -q listening "$TMP/$1.recv"
	background "$2" "$TMP/$1.send" "$PYTHON" "$NET/stream.py" send "$4" 7000 "$count" "$5"
	SENDER[$1]=$!
}

stream_stop() { end "${SENDER[$1]}"; }

# stream_end NAME: stops it and says how it went but for how many packets it had: "lost 0 twice 0 late 0".
stream_end() {
	local result
	stream_stop "$1"
	result=$(stream_result "$1")
	[[ $result =~ ^received\ [1-9] ]] || echo "nothing received"
	echo "${result#received * }"
}

# stream_result NAME: waits for the end and says "received 5000 lost 0 twice 0 late 0".
stream_result() {
	soon 60 grep -q '^received' "$TMP/$1.recv" || true
	tail -n 1 "$TMP/$1.recv"
}

stream_seen() { tail -n 1 "$TMP/$1.recv" | awk '/so far/ { print $3; seen = 1 } END { if (!seen) print 0 }'; }
stream_beyond() { (($(stream_seen "$1") >= $2)); }

# stream_moves NAME [N]: N more packets arrive from now on.
stream_moves() { soon 20 stream_beyond "$1" $(($(stream_seen "$1") + ${2:-100})); }

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
