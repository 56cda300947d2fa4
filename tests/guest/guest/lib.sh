# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# What suites share; a suite begins with: . "$GUEST/lib.sh"
# From the agent: TREE (the source tree), GUEST (this folder), CHANNEL, SUITE, KERNEL, MODEL, TRANSPORT, NIC_ROLE=SLOT.

readonly DEVBIND=$TREE/build/apps/devbind/sluice-devbind
readonly TESTPMD=$TREE/build/apps/testpmd/sluice-testpmd
readonly PCI=/sys/bus/pci/devices

say() { printf '%s\n' "$*"; }

# --- results ---
pass() { printf '@@case %s pass\n' "$1"; }
fail() {
    printf '@@case %s fail %s\n' "$1" "${*:2}"
    return 1
}
# verdict NAME STATUS REASON
verdict() { if [ "$2" = 0 ]; then pass "$1"; else fail "$1" "$3"; fi; }
# check NAME CMD…: a case that passes when CMD does; its output is the reason when it does not. CMD runs in a subshell.
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        pass "$name"
    else
        printf '%s\n' "$output"
        fail "$name" "$* said: $(tail -n 1 <<< "$output")"
    fi
}

# --- the host (host/services.py) ---
# host SECONDS REQUEST…: prints the answer's lines.
host() {
    local seconds=$1 line end
    shift
    end=$((SECONDS + seconds))
    exec 4<> "$CHANNEL"
    line=
    printf '@@host %s\n' "$*" >&4
    while IFS= read -r -t $((end - SECONDS + 1)) -u 4 line; do
        case $line in
        =*) printf '%s\n' "${line#=}" ;;
        .) break ;;
        esac
    done
    exec 4>&-
    [ "${line:-}" = . ]
}
# In a subshell: a session leader that opens the channel would hang it up when it ends.
qmp() { (host 10 qmp "$@"); }

# --- devices ---
# at SLOT: the device behind the root port of that slot.
at() {
    local path
    for path in "$PCI/0000:00:$(printf %02x "$1").0"/0000:*; do
        [ ! -e "$path/vendor" ] || echo "${path##*/}"
    done
}
link_name() {
    local target
    [ -e "$1" ] || return 0
    target=$(readlink "$1")
    echo "${target##*/}"
}
driver_of() { link_name "$PCI/$1/driver"; }
group_of() { link_name "$PCI/$1/iommu_group"; }

# hugepages MIB
hugepages() {
    mountpoint -q /dev/hugepages || mount -t hugetlbfs none /dev/hugepages
    echo $(($1 / 2)) > /proc/sys/vm/nr_hugepages
    [ "$(cat /proc/sys/vm/nr_hugepages)" = $(($1 / 2)) ]
}

# The PCI driver that stands for a transport.
pci_driver() {
    case $1 in
    dpdk | vfio) echo vfio-pci ;;
    sluice_pci) echo sluice-pci ;;
    esac
}
module_file() { echo "$TREE/build/kmod/$KERNEL/sluice_pci.ko"; }
# load_driver TRANSPORT [MODULE PARAMETERS…]
load_driver() {
    case $1 in
    sluice_pci) [ -d /sys/module/sluice_pci ] || insmod "$(module_file)" "${@:2}" ;;
    *) modprobe vfio-pci ;;
    esac
}
# bind DRIVER BDF…: by sluice-devbind where it is built, by sysfs elsewhere.
bind() {
    local driver=$1 bdf
    shift
    if [ -x "$DEVBIND" ]; then
        "$DEVBIND" -b "$driver" "$@"
    else
        sysfs_bind "$driver" "$@"
    fi
    for bdf; do
        [ "$(driver_of "$bdf")" = "$driver" ] || return 1
    done
}
sysfs_bind() {
    local driver=$1 bdf
    shift
    for bdf; do
        sysfs_unbind "$bdf"
        echo "$driver" > "$PCI/$bdf/driver_override"
        echo "$bdf" > /sys/bus/pci/drivers_probe
    done
}
sysfs_unbind() {
    local bdf
    for bdf; do
        [ ! -e "$PCI/$bdf/driver" ] || echo "$bdf" > "$PCI/$bdf/driver/unbind"
        echo > "$PCI/$bdf/driver_override"
    done
}

# --- network namespaces on the kernel's NICs ---
# netns NAME SLOT ADDRESS/BITS
netns() {
    local bdf interface
    modprobe virtio_net
    bdf=$(at "$2")
    wait_for 10 test -e "$PCI/$bdf"/virtio*/net || return 1
    interface=$(basename "$PCI/$bdf"/virtio*/net/*)
    ip netns add "$1"
    ip link set "$interface" netns "$1"
    ip -n "$1" link set lo up
    ip -n "$1" address add "$3" dev "$interface"
    ip -n "$1" link set "$interface" up
}
in_ns() { ip netns exec "$@"; }
# listens NAME PORT
listens() { in_ns "$1" ss -Htln "sport = :$2" | grep -q .; }

# --- waiting: naps are counted, since the clock leaps while another guest measures ---
# wait_for SECONDS CMD…
wait_for() {
    local naps=$(($1 * 10))
    shift
    until "$@" > /dev/null 2>&1; do
        ((naps-- > 0)) || return 1
        sleep 0.1
    done
}

# --- an application under test ---
# app_start CMD…: in the background; its output is in $APP_LOG, its standard input stays open.
app_start() {
    APP_LOG=$(mktemp /tmp/app.XXXXXX)
    APP_INPUT=$APP_LOG.in
    mkfifo "$APP_INPUT"
    exec 5<> "$APP_INPUT"
    stdbuf -oL "$@" <&5 > "$APP_LOG" 2>&1 5>&- &
    APP_PID=$!
}
app_runs() { kill -0 "$APP_PID" 2> /dev/null; }
# app_wait PATTERN SECONDS: until its output has such a line.
app_wait() {
    local naps=$(($2 * 5))
    until grep -qE -- "$1" "$APP_LOG"; do
        app_runs && ((naps-- > 0)) || return 1
        sleep 0.2
    done
}
app_say() { printf '%s\n' "$*" >&5; }
# app_stop SIGNAL [SECONDS]: returns its status; killed when it does not end.
app_stop() {
    local status=0
    kill -s "$1" "$APP_PID" 2> /dev/null
    wait_for "${2:-15}" app_ended || {
        say "it does not end on $1"
        kill -s KILL "$APP_PID"
    }
    wait "$APP_PID" || status=$?
    exec 5>&-
    return "$status"
}
app_ended() { ! app_runs; }

# --- forwarding between two devices, by our application or by DPDK's ---
# forward_start TRANSPORT BDF BDF [TESTPMD OPTIONS…]
forward_start() {
    local transport=$1 left=$2 right=$3
    shift 3
    case $transport in
    dpdk) app_start dpdk-testpmd -l 0-1 -m 128 --no-telemetry -a "$left" -a "$right" -- --total-num-mbufs=16384 "$@" ;;
    *) app_start "$TESTPMD" -l 0-1 -m 128 -a "$left" -a "$right" -- "$@" ;;
    esac
    if ! app_wait 'packet forwarding - ports' 60; then
        tail -n 20 "$APP_LOG"
        return 1
    fi
}
# forward_stop: ends it by a signal, with its report.
forward_stop() { app_stop INT; }
# forward_quit: ends it at its prompt, with its report.
forward_quit() {
    app_say stop
    app_say quit
    wait_for 20 app_ended && app_stop INT
}
# cell_facts TRANSPORT BDF: what sysfs and the application say of where this runs, for the host to hold against the cell.
cell_facts() {
    local bound opened line
    bound=$(driver_of "$2")
    if [ "$1" = dpdk ]; then
        opened=$(grep -o "Probe PCI driver: net_[a-z0-9_]* .*$2" "$APP_LOG" | cut -d' ' -f4)
        [ "$bound" != vfio-pci ] || [ -z "$opened" ] || opened=dpdk
    else
        line=$(grep -m1 -E "^Port 0: $2, driver" "$APP_LOG")
        opened=$(sed -nE 's/.*, transport ([^,]*),.*/\1/p' <<< "$line")
        [[ $line == *", kernel driver $bound,"* ]] || opened="$opened, though the port is not on $bound"
        say "$line"
    fi
    case $opened:$bound in
    vfio*:vfio-pci) opened=vfio ;;
    sluice*:sluice-pci) opened=sluice_pci ;;
    esac
    say "@@cell model=$MODEL transport=${opened// /_} kernel=$(uname -r | sed -E 's/^([0-9]+\.[0-9]+).*/\1/') release=$(uname -r) ${*:3}"
}

# The awk programs below read the application's log, where two programs write alike.
# live: the latest of its periodic statistics, in one line.
live() {
    tail -n 40 "$APP_LOG" | awk '
        /NIC statistics for port/ { for (i = 1; i < NF; i++) if ($i == "port") port = $(i + 1) }
        { for (i = 1; i < NF; i++) if ($i ~ /^[RT]X-packets:$/) seen[port, substr($i, 1, 2)] = $(i + 1) }
        END { for (p = 0; p < 2; p++) printf "port %d: rx %d tx %d  ", p, seen[p, "RX"], seen[p, "TX"] }'
}
# reported PORT rx|tx: packets, from the closing report's section for that port.
reported() {
    awk -v port="$1" -v key="${2^^}-packets:" '
        /Forward statistics for port/ { here = $0 ~ "port " port " " }
        /Accumulated/ { here = 0 }
        here { for (i = 1; i < NF; i++) if ($i == key) value = $(i + 1) }
        END { print value }' "$APP_LOG"
}
