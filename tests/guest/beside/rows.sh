# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# Rows of instructions a packet, for the suites that measure them.
program=${program:-$TREE/build/tests/guest/beside/beside}

# ranges: of what the program said, those whose lines are told apart.
ranges() { sed -nE '/^range image/d; s/^range ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+) ([^ ]+)$/\1,\2,\3,\4,\5/p'; }

# one NIC PATH RUN LEFT RIGHT KIND BEST-OR-BASE EAL-OPTIONS…: one process, one row.
one() {
    local nic=$1 path=$2 run=$3 left=$4 right=$5 kind=$6 isa=$7 said status counted
    shift 7
    said=$(timeout 120 "$program" "$kind" "$left" "$right" "${turns:-512}" "$isa" -l 0 -m 128 --no-telemetry "$@" 2>&1)
    status=$?
    # shellcheck disable=SC2046 # words
    counted=$(host 20 counts $(ranges <<< "$said"))
    say "$nic $path $run: $(tail -n 1 <<< "$said") $counted"
    if [ "$status" != 0 ] || [[ $counted != region=1\ * ]]; then
        say "$said"
        return 1
    fi
    say "@@row nic=$nic path=$path run=$run kernel=$(uname -r) $(tail -n 1 <<< "$said") $counted"
}
