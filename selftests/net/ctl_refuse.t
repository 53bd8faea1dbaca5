#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# ctl_refuse.t - what a host refuses from a controller, and that nobody notices
#
#	red-1 (0.11) --+-- a ==== core ==== b ----- red-3 (0.13)
#	red-2 (0.12) --+            |
#	                      controller
#
# A numbered stream runs through all of it, and through changes that do not concern it.
# shellcheck source=selftests/net/lib.sh
. "${0%/*}/lib.sh"
# shellcheck source=selftests/net/control.sh
. "$NET/control.sh"

hosts a b
network red 100
network blue 200
instance red-1 a red 11
instance red-2 a red 12
instance red-3 b red 13
controlled
peer_start
for h in a b; do
	tell "$h"
	agent_launch "$h"
done
for h in a b; do
	soon 20 agent_ready "$h"
done
ok "before: red-1 reaches red-3" reaches red-1 red-3
stream through red-1 red-3 "$(ip4 red-3)" 400
good=$(revision a)

# refused WHAT ID SED [TEXT]: the update is answered with an error that names the object.
refused() {
	local before
	before=$(peer_said '^ack host-a .* error')
	ok "$1: is told to host a" told a "$3"
	number "$1: it refuses" "$(peer_said '^ack host-a .* error')" -gt "$before"
	has "$1: it names the object" "$(grep '^ack host-a .* error' "$TMP/peer.log" | tail -1)" \
		"\"ids\": \[\"$2\"\]"
	is "$1: it stays where it was" "$(revision a)" "$good"
}
refused "a MAC that is none" vport/t.red-1 's/mac: "02:00:00:64:00:0b"/mac: "02:00:00:64:00"/'
refused "a network that is not there" vport/t.red-2 '/name: red-2/,/mac/s/network: red/network: green/'
refused "an address outside every subnet" vport/t.red-1 's/addresses: \[10.0.0.11/addresses: [10.9.0.11/'
refused "one VNI for two networks" network/t.red 's/vni: 200/vni: 100/'
has "status says so" "$(ctl a status)" 'last refusal +network/t.red: .*taken by .*network/t.blue'

# Bytes that are no part of the protocol end the session; the next one is as before.
json_frame() { printf "$(printf '\\x%02x' $((${#1} >> 24 & 255)) $((${#1} >> 16 & 255)) $((${#1} >> 8 & 255)) $((${#1} & 255)))%s" "$1"; }
tell a
soon 10 peer_says '^ack host-a .* ok|^same host-a' 0
say_raw() { mv "$TMP/raw" "$TMP/want/host-a.raw"; } # whole, or the peer would send the half it sees
garbage() { # WHAT TEXT: of $TMP/raw
	local before
	before=$(peer_said '^hello host-a')
	say_raw
	ok "$1: a new session begins" soon 30 peer_says '^hello host-a' "$before"
	has "$1: the log says why" "$(grep 'no controller' "$TMP/a.log" | tail -1)" "$2"
}
json_frame '{"msg":"update","seq":1,"revision":1,"del":["vport/t.red-1"]}' >"$TMP/raw"
cat "$TMP/raw" "$TMP/raw" >"$TMP/raw2" && mv "$TMP/raw2" "$TMP/raw"
garbage "a replayed frame" 'update 1 came again'
json_frame '{"msg":"update","seq":900,"revision":1,"more":true}' >"$TMP/raw"
json_frame '{"msg":"update","seq":899,"revision":1,"del":["vport/t.red-1"]}' >>"$TMP/raw"
garbage "an older update in the middle of one" 'update 899 in the middle of update 900'
printf '\x7f\xff\xff\xff' >"$TMP/raw"
garbage "an oversized frame" 'frame of 2147483647 bytes'
before=$(peer_said '^error host-a unknown message')
json_frame '{"msg":"dance"}' >"$TMP/raw"
say_raw
ok "an unknown message is answered, the session goes on" soon 10 peer_says '^error host-a unknown message' "$before"
ok "host a is connected" connected a

# Two that arrive together, the second bad: the first is in force all the same.
update_frame() { # SEQ ID SPEC MORE
	json_frame "{\"msg\":\"update\",\"seq\":$1,\"revision\":$1,\"set\":[{\"id\":\"$2\",\"v\":\"00112233445566778899aabbccddeeff\",\"spec\":$3}],\"more\":$4}"
}
update_frame 950 network/t.green '{"vni":300}' false >"$TMP/raw"
update_frame 951 network/t.pink '{"vni":0}' false >>"$TMP/raw"
say_raw
ok "of two updates that come together the bad one is refused" soon 10 peer_says '^ack host-a 951 error .*t.pink' 0
is "and the good one is in force" "$(peer_said '^ack host-a 950 ok')" 1
is "its revision too" "$(revision a)" 950

# One whose leader died is dropped when the next leader speaks; the session goes on.
sessions=$(peer_said '^hello host-a')
objects_before=$(ask a .controller.objects status)
update_frame 955 network/t.begun '{"vni":302}' true >"$TMP/raw"
update_frame 956 network/t.green '{"vni":303}' false >>"$TMP/raw"
say_raw
ok "another update in the middle of one is taken" soon 10 peer_says '^ack host-a 956 ok' 0
is "of the one nothing is left" "$(ask a .controller.objects status) $(ask a .controller.revision status)" \
	"$objects_before 956"
is "in the same session" "$(peer_said '^hello host-a')" "$sessions"

# One that is cut off is as if it had never come.
update_frame 960 network/t.cut '{"vni":301}' true >"$TMP/raw"
objects_before=$(ask a .controller.objects status)
before=$(peer_said '^raw host-a')
say_raw
soon 10 peer_says '^raw host-a' "$before"
peer_stop KILL
ok "the controller dies in the middle of an update" soon 20 disconnected a
is "nothing of it is here" "$(ask a .controller.objects status)" "$objects_before"
peer_start
ok "a new one takes what it does not want back" soon 20 peer_says '^ack host-a .* ok' 0
is "and leaves the rest" "$(ask a .controller.objects status)" "$((objects_before - 1))"

# A change of something else under the stream.
for i in 1 2 3; do
	ok "blue gets another gateway, change $i" told a "/name: blue/,/prefix/s/prefix: 10.0.0.0/prefix: 10.$i.0.0/;/name: blue/,/prefix/s/gateway: 10.0.0.1/gateway: 10.$i.0.1/"
done
ok "red-2 leaves" told a '/name: red-2/,/guest_device:/d'
ok "red-2 reaches nobody" no_ping red-2 "$(ip4 red-3)"
is "the stream lost nothing in all this" "$(stream_end through)" "lost 0 twice 0 late 0"

# Who shows the wrong papers is not talked to.
CERT_OF[a]=host-host-b
agent_stop a
agent_launch a
ok "another host's certificate is refused before it is shown" soon 20 complains a 'is host:host-b, and this is host:host-a'
ok "traffic goes on" reaches red-1 red-3
agent_stop a
CERT_OF[a]=''
peer_stop TERM
cp "$CA/host-host-b.crt" "$CA/controller-c1.crt"
cp "$CA/host-host-b.key" "$CA/controller-c1.key"
peer_start
agent_launch a
ok "a host that plays controller is not believed" soon 20 complains a 'certificate'
ok "traffic goes on" reaches red-1 red-3
books_close
finish
