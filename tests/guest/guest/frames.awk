# SPDX-License-Identifier: BSD-3-Clause
# The verdicts of the suite frames, in one process: an emulated processor starts twenty a second.
# Input: what the host reported, behind a line `forth` or `back` that says which way its frames went; then, behind a line `log`,
# the application's log, which both programs write alike. Variable: count, the frames of a run.
function verdict(name, good, reason) { print "@@case " name (good ? " pass" : " fail " reason) }
# The last value of whichever of these statistics the port has: names that a driver has are its device's own counters.
function counted(port, names,    i, n, name) {
    n = split(names, name, " ")
    for (i = 1; i <= n; i++)
        if ((port, name[i]) in xstats)
            return xstats[port, name[i]]
    return "none"
}
# Each frame that reached the far end was counted once at each of two ports.
function agree(name, rx0, tx1, rx1, tx0) {
    verdict(name, received["forth"] > 0 && received["back"] > 0 && rx0 == received["forth"] && tx1 == received["forth"] &&
        rx1 == received["back"] && tx0 == received["back"],
        sprintf("host: %d and %d; rx %s, tx %s, rx %s, tx %s", received["forth"], received["back"], rx0, tx1, rx1, tx0))
}

$0 == "forth" || $0 == "back" || $0 == "log" { part = $0; next }
part != "log" {
    delete field
    for (i = 1; i <= NF; i++)
        if (split($i, pair, "=") == 2)
            field[pair[1]] = pair[2]
    received[part] += field["received"]
    if (!("size" in field))
        next
    if (!(field["size"] in line)) {
        line[field["size"]] = $0
        good[field["size"]] = field["received"] == count && / lost=0 corrupt=0 duplicate=0 reordered=0 foreign=0 /
    }
    if (part == "forth" && field["size"] == 64 && field["rate"] > best)
        best = field["rate"]
    next
}
/Forward statistics for port/ { for (i = 1; i < NF; i++) if ($i == "port") forwarded = $(i + 1) }
/Accumulated/ { forwarded = "" }
/extended statistics for port/ { for (i = 1; i < NF; i++) if ($i == "port") port = $(i + 1) + 0 }
{
    for (i = 1; i < NF; i++)
        if (forwarded != "" && $i ~ /^[RT]X-packets:$/)
            report[forwarded, substr($i, 1, 2)] = $(i + 1)
    key = $1
    sub(/:$/, "", key)
    xstats[port, key] = $2
}
END {
    n = split("60 64 128 512 1500 mix", sizes, " ")
    for (i = 1; i <= n; i++)
        verdict("size_" sizes[i], good[sizes[i]], sizes[i] in line ? line[sizes[i]] : "the host reported nothing")
    agree("counters", report[0, "RX"], report[1, "TX"], report[1, "RX"], report[0, "TX"])
    rx = "rx_device_packets rx_good_packets"
    tx = "tx_device_packets tx_good_packets"
    agree("device_counters", counted(0, rx), counted(1, tx), counted(1, rx), counted(0, tx))
    print "best " best
}
