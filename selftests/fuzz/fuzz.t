#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# fuzz.t - runs every fuzz target for FUZZ_SECONDS seconds (default 5)
#
# A run starts from the seeds and from what earlier runs found interesting, kept
# in BUILD/fuzz/corpus. On a crash the output says where the input lies; the target
# with that file as argument replays it. A found crash becomes a unit test.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1

fuzz=${BUILD:-build}/fuzz
seconds=${FUZZ_SECONDS:-5}
targets=(parse pmtu config frame msg channel checkpoint admin etcd model)

# Longest input worth trying, in bytes.
declare -A longest=([parse]=512 [pmtu]=256 [config]=1024 [frame]=16384 [msg]=16384 [channel]=1024
	[checkpoint]=4096 [admin]=4096 [etcd]=4096 [model]=2048)
# Where its seeds lie.
declare -A seeds=([parse]=$fuzz/seeds/parse [pmtu]=$fuzz/seeds/pmtu [config]=selftests/fuzz/seeds/config
	[frame]=$fuzz/seeds/frame [msg]=$fuzz/seeds/msg [channel]=$fuzz/seeds/channel
	[checkpoint]=selftests/fuzz/seeds/checkpoint [admin]=selftests/fuzz/seeds/admin
	[etcd]=selftests/fuzz/seeds/etcd [model]=docs/examples/networks)

run_target() { # target
	local dict=()

	[[ -f selftests/fuzz/$1.dict ]] && dict=("-dict=selftests/fuzz/$1.dict")
	mkdir -p "$fuzz/corpus/$1"
	"$fuzz/fuzz_$1" -max_total_time="$seconds" -max_len="${longest[$1]}" -timeout=10 \
		-rss_limit_mb=1024 -print_final_stats=1 -artifact_prefix="$fuzz/crash-$1-" \
		"${dict[@]}" "$fuzz/corpus/$1" "${seeds[$1]}" 2>&1
}

echo "1..${#targets[@]}"
n=0
failed=0
for target in "${targets[@]}"; do
	n=$((n + 1))
	if [[ ! -x $fuzz/fuzz_$target ]]; then
		echo "not ok $n - $target: $fuzz/fuzz_$target is not built; make fuzzers"
		failed=1
	elif output=$(run_target "$target"); then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' <<<"$output")
		echo "ok $n - $target: ${runs:-0} inputs in $seconds s"
	else
		tail -n 60 <<<"$output" | sed 's/^/# /'
		echo "not ok $n - $target: $(grep -o 'Test unit written to .*' <<<"$output" || echo "no input kept")"
		failed=1
	fi
done
exit "$failed"
