#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# reload.t - a configuration is taken as a whole or refused as a whole
#
#	red-1 (0.11) --- a ==== core ==== b --+-- red-3 (0.13)
#	                                      +-- red-4 (0.14)
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"

hosts a b
network red 100
instance red-1 a red 11
instance red-3 b red 13
instance red-4 b red 14
start
ok "before: red-1 reaches red-3" reaches red-1 red-3
ok "before: red-1 reaches red-4" reaches red-1 red-4
cp "$TMP/a.yaml" "$TMP/good.yaml"

# refused WHAT FIELD SED-SCRIPT [LINE]: the changed file is refused, naming file, line and
# field. The line is the one that changed, unless another is given.
refused() {
	local line message
	sed "$3" "$TMP/good.yaml" >"$TMP/a.yaml"
	line=$({ cmp "$TMP/good.yaml" "$TMP/a.yaml" || true; } | sed 's/.* line //')
	line=${4:-$line}
	if message=$(ctl a reload 2>&1); then
		message="reload succeeded"
	fi
	has "$1: refused with file, line $line and field $2" "$message" "a\.yaml:$line: .*$2"
	is "$1: the agent says so" "$(ask a .last_reload.ok status)" false
	fails "$1: --check refuses it too" "$BUILD/mirachd" --check --config "$TMP/a.yaml"
}

stream running red-1 red-3 "$(ip4 red-3)" 500
refused "a MAC that is none" mac 's/mac: "02:00:00:64:00:0b"/mac: "02:00:00:64:00"/'
refused "an unknown field" colour 's/^  name: host-a/  colour: red/'
refused "a remote in a network that is not there" network 's/network: red, prefix: "10.0.0.13/network: green, prefix: "10.0.0.13/'
refused "an address outside every subnet" addresses 's/addresses: \[10.0.0.11/addresses: [10.9.0.11/' \
	"$(grep -n 'name: red-1' "$TMP/good.yaml" | cut -d: -f1)"
refused "a broken file" YAML 's/^networks:/networks: [/' '[0-9]+'
is "the stream never noticed" "$(stream_end running)" "lost 0 twice 0 late 0"
ok "the old configuration is still in force: red-1 reaches red-4" reaches red-1 red-4

# A remote goes away under its own traffic.
stream gone red-1 red-3 "$(ip4 red-3)" 500
stream_moves gone 200
grep -v "$(ip4 red-3)/32" "$TMP/good.yaml" >"$TMP/a.yaml"
before=$(dropped a red-1 no_route)
ok "without red-3's IPv4 address: reloads" ctl a reload
capture b -i up0 -Q in 'udp dst port 4789'
ok "they are dropped as no_route" soon 10 drops_more_than a red-1 no_route "$((before + 100))"
end_capture
is "its flow stopped at once: packets to it on the underlay afterwards" \
	"$(grep -c "$(ip4 red-3)" "$TMP/seen" || true)" 0
ok "its IPv6 address is still reached" pings red-1 "$(ip6 red-3)"
stream_stop gone
end "${STREAM[gone]}"

cp "$TMP/good.yaml" "$TMP/a.yaml"
kill -HUP "${AGENT[a]}"
ok "SIGHUP with the good file: red-1 reaches red-3 again" soon 5 reaches red-1 red-3
is "and the last reload is good" "$(ask a .last_reload.ok status)" true

# A vport goes away and comes back.
sed -e '/name: red-1/,/guest_device:/d' -e 's/^vports:$/vports: []/' "$TMP/good.yaml" >"$TMP/a.yaml"
ok "without red-1: reloads" ctl a reload
ok "red-1 reaches nobody" no_ping red-1 "$(ip4 red-3)"
is "no program is left on its device" "$(on a ip -j link show dev red-1 | jq -r '.[].xdp.mode // 0')" 0
cp "$TMP/good.yaml" "$TMP/a.yaml"
ok "with red-1 again: reloads" reload a
ok "red-1 reaches red-3" reaches red-1 red-3
books_close
finish
