# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# What suites share whose NICs, `left` and `right`, have a cable between them in sluice-softnic on the host, which serves them by
# $PROTOCOL: each in a namespace, with four queue pairs, driven by the guest's kernel. After lib.sh.

left=$(at "$NIC_LEFT")
right=$(at "$NIC_RIGHT")
used=0

# attach NAME BDF ADDRESS: the NIC's interface, with four queue pairs, into a namespace that may be there.
attach() {
    wait_for 10 test -e "$PCI/$2"/virtio*/net || return 1
    local interface
    interface=$(basename "$PCI/$2"/virtio*/net/*)
    ip netns list | grep -qw "$1" || ip netns add "$1"
    ethtool -L "$interface" combined 4
    ip link set "$interface" netns "$1"
    ip -n "$1" address add "$3/24" dev "$interface"
    ip -n "$1" link set "$interface" up
}
attach_both() { attach a "$left" 10.9.0.1 && attach b "$right" 10.9.0.2; }
interface_of() { basename "$PCI/$1"/virtio*/net/*; }
# negotiated BDF BIT: both sides want the feature.
negotiated() {
    local features
    features=$(cat "$PCI/$1"/virtio*/features)
    [ "${features:$2:1}" = 1 ]
}
# combined NAME: queue pairs in use, as ethtool says.
combined() { in_ns "$1" ethtool -l "$(in_ns "$1" ls /sys/class/net | grep -v '^lo$')" | awk '/^Combined/ { n = $2 } END { print n }'; }
ping_once() { in_ns a ping -c 1 -W 2 10.9.0.2; }
pings() { wait_for 10 ping_once && in_ns a ping -c 10 -i 0.05 -W 2 10.9.0.2 | grep -q ' 10 received'; }
# tcp MEGABYTES: by four streams, to the other namespace; the checksums of both sides are the same.
tcp() {
    local begun=${EPOCHREALTIME/./} receiver
    in_ns b "$GUEST/streams.py" receive 5555 4 > /tmp/received &
    receiver=$!
    wait_for 20 grep -q listening /tmp/received && in_ns a "$GUEST/streams.py" send 10.9.0.2 5555 4 "$1" > /tmp/sent || return 1
    wait $receiver || return 1
    sed -i 1d /tmp/received
    say "TCP: $1 MB in $(((${EPOCHREALTIME/./} - begun) / 1000)) ms"
    cat /tmp/sent
    [ "$(wc -l < /tmp/sent)" = 4 ] && cmp /tmp/sent /tmp/received
}
# The device's own account: `value FIELD`, the numbers of both NICs.
statistics() { statistics=$(host 20 softnic "$PROTOCOL"); }
value() { grep -oE "(^| )$1 [0-9]+" <<< "$statistics" | awk '{ printf "%s ", $2 }'; }
# carried PAIR: frames that both NICs sent and received on it.
carried() { value "pair$1_(sent|received)" | awk '{ for (i = 1; i <= NF; i++) n += $i; print n + 0 }'; }
# spread: datagrams of many flows from each processor, of which the kernel sends some on each queue.
# shellcheck disable=SC2016 # the inner shell's
spread() {
    local cpu
    for cpu in 0 1; do
        in_ns a taskset -c $cpu bash -c 'for port in {6001..6100}; do echo > /dev/udp/10.9.0.2/$port; done' 2> /dev/null
        in_ns b taskset -c $cpu bash -c 'for port in {6001..6100}; do echo > /dev/udp/10.9.0.1/$port; done' 2> /dev/null
    done
}
# used CMD…: while it runs, frames move on each pair, in packed rings.
used() {
    local pair earlier=() later=()
    statistics
    for pair in 0 1 2 3; do earlier+=("$(carried $pair)"); done
    spread
    "$@" || return
    statistics
    for pair in 0 1 2 3; do later+=("$(carried $pair)"); done
    say "$statistics" "before on each pair: ${earlier[*]}; after: ${later[*]}"
    for pair in 0 1 2 3; do [ $((later[pair] - earlier[pair])) -ge 20 ] || used=1; done
    [ "$(value packed)$(value lies)" = '1 1 0 0 ' ] || used=1
}
