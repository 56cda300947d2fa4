# shellcheck shell=bash
# SPDX-License-Identifier: BSD-3-Clause
# What the suites config_diff, config_diff_all and config_capture share; lib.sh comes first. Variables: seed, percent.

readonly DIFF=$TREE/build/tests/guest/config_diff/config_diff
readonly KNOWN_KERNELS=$TREE/tests/guest/config_diff/kernels

# The kernel as the file of recorded ones names it: release and Debian version.
running_kernel() { echo "$(uname -r) $(uname -v | sed -nE 's/.*Debian ([^ ]+).*/\1/p')"; }
# blame: who is at fault for a difference.
blame() {
    if grep -qxF "$(running_kernel)" "$KNOWN_KERNELS"; then
        echo 'engine wrong'
    else
        echo 'kernel changed, or engine wrong'
    fi
}
# kernel_is_recorded: whether somebody has held the engine against all of this kernel's vfio-pci; says what to do if not.
kernel_is_recorded() {
    grep -qxF "$(running_kernel)" "$KNOWN_KERNELS" || {
        echo "kernel changed: '$(running_kernel)' is not in tests/guest/config_diff/kernels; run ./run config-diff, and record it there when it passes"
        return 1
    }
}

# answers ROUTE NAME BDF: the runs after vfio-pci's begin with hardware as it was before that.
answers() {
    local like=()
    [ "$1" = kernel ] || like=(--like "/tmp/$2.kernel")
    timeout 600 "$DIFF" run "$1" "$3" "/tmp/$2.$1" --seed "${seed:-1}" --percent "${percent:-100}" "${like[@]}"
}

# count ROUTE OUTPUT: adds a comparison to the figures of check 13.
declare -A functions=() accesses=() explained=() bits=() others=()
count() {
    [[ $2 =~ ([0-9]+)\ accesses\ by\ [a-z]+:\ ([0-9]+)\ answers\ differ\ in\ ([0-9]+)\ explained\ bits,\ ([0-9]+)\ differ ]] || return 0
    : $((functions[$1] += 1, accesses[$1] += BASH_REMATCH[1], explained[$1] += BASH_REMATCH[2], bits[$1] += BASH_REMATCH[3], others[$1] += BASH_REMATCH[4]))
}
# figures: what the comparisons came to. doc/reliability.md, check 13.
figures() {
    local route
    for route in engine twice; do
        say "check 13: Linux $KERNEL, $(route_name "$route"): ${functions[$route]:-0} functions, ${accesses[$route]:-0} accesses;" \
            "${explained[$route]:-0} answers differ in ${bits[$route]:-0} bits that are explained above; others: ${others[$route]:-0}"
    done
}
route_name() { if [ "$1" = engine ]; then echo 'engine over sluice_pci'; else echo 'engine over vfio-pci'; fi; }

# count_resets BDF: above vfio-pci one write asks for one reset, which one mediator makes. Cases reset_kernel, reset_twice, reset_engine.
count_resets() {
    mountpoint -q /sys/kernel/tracing || mount -t tracefs none /sys/kernel/tracing
    echo 'p:sluice_reset __pci_reset_function_locked' > /sys/kernel/tracing/kprobe_events
    echo 1 > /sys/kernel/tracing/events/kprobes/sluice_reset/enable
    sysfs_bind vfio-pci "$1"
    resets_once kernel "$1"
    resets_once twice "$1"
    sysfs_bind sluice-pci "$1"
    resets_once engine "$1"
    echo 0 > /sys/kernel/tracing/events/kprobes/sluice_reset/enable
    echo > /sys/kernel/tracing/kprobe_events
}
resets_once() {
    local output status=0
    output=$("$DIFF" flr "$1" "$2" 2>&1) || status=$?
    say "$output"
    verdict "reset_$1" "$status" "$(tail -n 1 <<< "$output")"
}

# held_against ROUTE CASE NAME: the other run of a device against vfio-pci's.
held_against() {
    local output status=0
    output=$("$DIFF" compare "/tmp/$3.kernel" "/tmp/$3.$1" 2>&1) || status=$?
    printf '%s, %s:\n%s\n' "$3" "$1" "$output"
    count "$1" "$output"
    case $status in
    0) pass "$2" ;;
    1) fail "$2" "$(blame): $(grep -m1 'answer ' <<< "$output")" || true ;;
    *) fail "$2" "$(tail -n 1 <<< "$output")" || true ;;
    esac
}

# config_diff NAME BDF: cases NAME and NAME_twice.
config_diff() {
    local name=$1 bdf=$2 output
    if ! output=$(sysfs_bind vfio-pci "$bdf" && answers kernel "$name" "$bdf" && answers twice "$name" "$bdf" &&
        sysfs_bind sluice-pci "$bdf" && answers engine "$name" "$bdf" 2>&1); then
        fail "$name" "$bdf cannot be run: $(tail -n 1 <<< "$output")" || true
        return 0
    fi
    held_against engine "$name" "$name"
    held_against twice "${name}_twice" "$name"
    sysfs_unbind "$bdf"
    rm -f "/tmp/$name".*
}

# slot_of NAME: of a device of the topology; NAME_vf is a virtual function of NAME.
slot_of() {
    local slot=${1%_vf}
    slot=NIC_${slot^^}
    echo "${!slot}"
}
# function_of NAME: prints the address of a device; a virtual function is made by its physical function's own driver first.
function_of() {
    local bdf name=${1%_vf}
    bdf=$(at "$(slot_of "$1")" | head -n 1)
    if [[ $1 != *_vf ]]; then
        echo "$bdf"
        return
    fi
    modprobe "$name"
    echo "$name" > "$PCI/$bdf/driver_override"
    echo "$bdf" > /sys/bus/pci/drivers_probe
    echo 0 > "$PCI/$bdf/sriov_drivers_autoprobe"
    echo 1 > "$PCI/$bdf/sriov_numvfs"
    basename "$(readlink "$PCI/$bdf/virtfn0")"
}
# no_virtual_function NAME: takes away what function_of made.
no_virtual_function() {
    local bdf
    [[ $1 == *_vf ]] || return 0
    bdf=$(at "$(slot_of "$1")" | head -n 1)
    echo 0 > "$PCI/$bdf/sriov_numvfs"
    sysfs_unbind "$bdf"
}
