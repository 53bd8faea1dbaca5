#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# lint.t - scripts/lint, one check a test
set -u
cd "$(dirname "$0")/../.." || exit 1
mapfile -t checks < <(scripts/lint --list)
echo "1..${#checks[@]}"
n=0
for check in "${checks[@]}"; do
	n=$((n + 1))
	if found=$(scripts/lint "$check" 2>&1); then
		echo "ok $n - $check"
	else
		echo "not ok $n - $check"
		printf '%s\n' "${found//$'\n'/$'\n'# }" | sed '1s/^/# /' >&2
	fi
done
