# SPDX-License-Identifier: BSD-3-Clause
"""What is typed, and what it answers."""

HELP = "see sluice-testpmd --help"
HERE = ["-l", "0-1", "-m", "128", "--no-huge", "--no-shconf", "--no-telemetry"]
NULLS = ["--vdev", "net_null0", "--vdev", "net_null1"]

# After --, one line of the output that shows its effect, as a pattern. Three lcores, two of which forward.
RIGHT = (
    (["--nb-cores=1"], r"io packet forwarding - ports=2 - cores=1 - streams=2$"),
    (["--nb-cores", "2"], r"io packet forwarding - ports=2 - cores=2 - streams=2$"),
    (["--nb-cores=2", "--rxq=2", "--txq=2"], r"io packet forwarding - ports=2 - cores=2 - streams=4$"),
    (["--rxq=2", "--txq", "2"], r"  port 1: RX queue number: 2 Tx queue number: 2$"),
    (["--rxq=3"], r"Warning: rxq=3 and txq=1 differ: 1 queues a port forward$"),
    (["--txq=2"], r"Warning: rxq=1 and txq=2 differ: 1 queues a port forward$"),
    (["--rxd=512", "--txd=256"], r"    RX desc=512 TX desc=256 "),
    (["--burst=64"], r"  io packet forwarding packets/burst=64$"),
    (["--burst=1", "--burst=512"], r"  io packet forwarding packets/burst=512$"),
    (["--total-num-mbufs=4096", "--mbuf-size=4096", "--mbcache=32"], r"  nb forwarding cores=1"),
    *((["--forward-mode", mode], rf"{mode} packet forwarding - ports=2") for mode in ("io", "mac", "macswap", "rxonly", "txonly")),
    (["--forward-mode=txonly", "--txpkts=128"], r"  packet len=128 - nb packet segments=1$"),
    (["--port-topology=loop"], r"  RX P=0/Q=0 \(socket \d\) -> TX P=0/Q=0"),
    (["--port-topology=chained"], r"  RX P=1/Q=0 \(socket \d\) -> TX P=0/Q=0"),
    (["--eth-peer=1,02:00:00:00:00:55"], r"  RX P=0/Q=0 .* peer=02:00:00:00:00:55$"),
    (["--tx-first", "--forward-mode=rxonly"], r"  TX-packets: 32 "),
    (["-i", "-a"], r"io packet forwarding - ports=2"),
    (["--interactive", "--auto-start"], r"io packet forwarding - ports=2"),
)


def _numbers(option, low, high, *more):
    """A number that is none, too small, too large, missing, and empty."""
    wrong = ["x", "-1", "1.5", "4x", low - 1, high + 1, "99999999999999999999", *more]
    for value in wrong:
        yield [f"{option}={value}"], f"{option}: Value {value} not in range {low} to {high}: {HELP}"
    yield [option, "x"], f"{option}: Value x not in range {low} to {high}: {HELP}"
    yield [option], f"{option}: its value is missing: {HELP}"
    yield [f"{option}="], f"{option}: its value is missing: {HELP}"


def _words(option, known):
    yield [f"{option}=bogus"], f"{option}: bogus not in {{{known}}}: {HELP}"
    yield [option], f"{option}: its value is missing: {HELP}"


# After --, and the one line that is said, before EAL has started.
WRONG = (
    *_numbers("--stats-period", 0, 86400),
    *_numbers("--nb-cores", 1, 128),
    *_numbers("--rxq", 1, 64),
    *_numbers("--txq", 1, 64),
    *_numbers("--rxd", 1, 32768),
    *_numbers("--txd", 1, 32768),
    *_numbers("--burst", 1, 512),
    *_numbers("--total-num-mbufs", 1025, 67108864, 0),
    *_numbers("--mbuf-size", 256, 65535),
    *_numbers("--mbcache", 0, 512),
    *_numbers("--txpkts", 60, 1518),
    *_words("--forward-mode", "io,mac,macswap,rxonly,txonly"),
    *_words("--port-topology", "paired,chained,loop"),
    (["--eth-peer=0"], "0: --eth-peer takes PORT,MAC, as in --eth-peer 1,02:00:00:00:00:01 (Invalid argument)"),
    (["--eth-peer=x,02:00:00:00:00:01"],
     "x,02:00:00:00:00:01: --eth-peer takes PORT,MAC, as in --eth-peer 1,02:00:00:00:00:01 (Invalid argument)"),
    (["--eth-peer"], f"--eth-peer: its value is missing: {HELP}"),
    (["--bogus"], f"--bogus: no such option: {HELP}"),
    (["--stats=1"], f"--stats=1: no such option: {HELP}"),
    (["-x"], f"-x: no such option: {HELP}"),
    (["-l", "0-1"], f"-l: no such option: {HELP}"),
    (["stray"], f"stray: no such option: {HELP}"),
)

NO_DEVICE = "-a: needs a device: a PCI address or a URI, as in -a 0000:01:00.0 (Invalid argument)"
NO_NAME = "--vdev: needs a name, as in --vdev net_null0 (Invalid argument)"
NEITHER = "neither a PCI address (0000:01:00.0) nor a device URI (SCHEME:ADDRESS) (Invalid argument)"
LCORES = "takes lcores as numbers and ranges, as in -l 0-1 or -l 0,2-3"
BEHIND = "this option stands after --, as in sluice-testpmd -l 0-1 -- -i"

# The whole line, and the one line that is said, before EAL has started.
WRONG_BEFORE = (
    (["-a"], NO_DEVICE),
    (["-a", "--", "-i"], NO_DEVICE),
    (["-a", "", "--"], NO_DEVICE),
    (["--allow="], NO_DEVICE),
    (["-a", "eth0"], f"eth0: {NEITHER}"),
    (["-a", "0"], f"0: {NEITHER}"),
    (["-a", "soft:"], f"soft:: {NEITHER}"),
    (["-a", "01:00.0,x=1"], "01:00.0,x=1: a device's options stand in its URI: -a 'pci:ADDRESS?KEY=VALUE' (Invalid argument)"),
    (["--vdev"], NO_NAME),
    (["--vdev", "--"], NO_NAME),
    (["--vdev="], NO_NAME),
    (["-l", "--vdev", "net_null0"], f"-l: {LCORES}"),
    (["-l", "x", *NULLS], f"-l x: {LCORES}"),
    (["-l", "0-", *NULLS], f"-l 0-: {LCORES}"),
    (["-l0,,1", *NULLS], f"-l 0,,1: {LCORES}"),
    (["-l", "-1", *NULLS], f"-l -1: {LCORES}"),
    ([*NULLS, "-l"], f"-l: {LCORES}"),
    (["-m", "x", *NULLS], "-m x: takes the MiB of memory, as in -m 256"),
    ([*NULLS, "-m"], "-m: takes the MiB of memory, as in -m 256"),
    (["-l", "0-1", "-i"], f"-i: {BEHIND}"),
    (["-l", "0-1", "--rxq=2"], f"--rxq=2: {BEHIND}"),
    (["--proc-type=secondary"], "--proc-type=secondary: one process owns a port: run without --proc-type, as the primary"),
)

# The same with EAL's lines before, as patterns: what only EAL, the driver or the number of CPUs decides.
WRONG_AFTER_EAL = (
    (["-l", "0,99999", *NULLS], r"-l 0,99999: CPU 99999 is not online, \S+ are: name CPUs that are online, or .*--lcores"),
    ([*HERE, "--bogus", *NULLS], r"EAL does not take its options: its own lines above say which"),
    (["-l", "0-1", "-n", "x", *NULLS], r"EAL does not take its options: its own lines above say which"),
    (["--lcores", "x", *NULLS], r"EAL does not take its options: its own lines above say which"),
    ([*HERE, "stray", *NULLS], r"stray: neither an option nor the value of one; see sluice-testpmd --help"),
    ([*HERE, "-a", "bogus:x"], r"bogus:x \(known: .*\): not a device: .*"),
    ([*HERE, "-a", "ffff:1f:1f.7"], r"ffff:1f:1f\.7: no such PCI function.*"),
    ([*HERE, "-a", "ff:1f.9"], r"0000:ff:1f\.9: not a PCI address; write it as .*"),
    ([*HERE, "--vdev", "net_bogus0"], r"net_bogus0: DPDK cannot open the device: check its name and arguments .* \(No such device\)"),
    ([*HERE, "--vdev", "net_null0,size=x"], r"net_null0: .*"),
    ([*HERE, "-a", "ethdev:net_null0", "--vdev", "net_null0"], r"net_null0: another part of this process owns the DPDK port: .*"),
    ([*HERE, *NULLS, "--", "--nb-cores=2"], r"--nb-cores=2, EAL has 2 lcores: more forwarding lcores than EAL has .*: name more with -l.*"),
    (["-l", "0", *HERE[2:], *NULLS], r"--nb-cores=1, EAL has 1 lcores: more forwarding lcores than EAL has .*: name more with -l.*"),
    ([*HERE, *NULLS, "--", "--eth-peer=2,02:00:00:00:00:55"], r"--eth-peer=2: there is no such port.*"),
    ([*HERE, *NULLS, "--", "--total-num-mbufs=1000000"], r"1000000 mbufs, \d+ MiB: cannot make the mbuf pool: reserve hugepages .*"),
    ([*HERE, *NULLS, "--", "--mbuf-size=512"], r"net_null0: .*(receive|no such offload).*"),
    ([*HERE, "--vdev", "net_ring0", "--", "--rxq=32", "--txq=32", "--rxd=64", "--txd=64"],
     r"net_ring0: rx_queues 32 \(allowed: 0 to 16\): too many queues.*"),
)


PORT = "Invalid port {}\nThe valid ports array is [ 0 1 ]\n"


def _port(words, usage):
    """A port that is not there, not a port, out of range, missing, and one word too many."""
    yield f"{words} 2", PORT.format(2)
    yield f"{words} 65535", PORT.format(65535)
    for value in (" x", " -1", " 65536", " 1.0", "", " 0 1", " all all"):
        yield words + value, f"Bad arguments: {usage}\n"


# At the prompt, and the answer.
WRONG_COMMANDS = (
    ("bogus", "Command not found\n"),
    ("hlp", "Command not found\n"),
    ("Start", "Command not found\n"),
    ("7", "Command not found\n"),
    *((f"{word} bogus", f"Bad arguments: {word}\n") for word in ("help", "start", "stop", "quit")),
    ("start tx_first 2", "Bad arguments: start tx_first\n"),
    ("show", "Bad arguments: show port info <port|all>\n"),
    ("show port", "Bad arguments: show port info <port|all>\n"),
    ("show port bogus 0", "Bad arguments: show port info <port|all>\n"),
    *(row for what in ("info", "summary", "stats", "xstats") for row in _port(f"show port {what}", f"show port {what} <port|all>")),
    ("show config", "Bad arguments: show config fwd\n"),
    ("show config bogus", "Bad arguments: show config fwd\n"),
    ("show fwd stats", "Bad arguments: show fwd stats all\n"),
    ("show fwd stats 0", "Bad arguments: show fwd stats all\n"),
    ("clear", "Bad arguments: clear port stats <port|all>\n"),
    ("clear port bogus 0", "Bad arguments: clear port stats <port|all>\n"),
    *(row for what in ("stats", "xstats") for row in _port(f"clear port {what}", f"clear port {what} <port|all>")),
    ("clear fwd stats", "Bad arguments: clear fwd stats all\n"),
    *((f"set fwd{mode}", "Bad arguments: set fwd <io|mac|macswap|rxonly|txonly>\n") for mode in ("", " bogus", " IO", " 1", " io mac")),
    *((f"set promisc{words}", "Bad arguments: set promisc <port|all> <on|off>\n") for words in ("", " 0", " 0 maybe", " x on", " 0 on on")),
    ("set promisc 5 on", PORT.format(5)),
    *((f"set burst{words}", "Bad arguments: set burst <number>\n") for words in ("", " many", " -1", " 1x", " 1 2")),
    *((f"set burst {number}", "Bad arguments: burst must be between 1 and 512\n") for number in (0, 513, 4294967295)),
    *((f"set eth-peer{words}", "Bad arguments: set eth-peer <port> <mac>\n") for words in ("", " 1", " 1 02:00", " all 02:00:00:00:00:77", " 1 x")),
    ("set eth-peer 4 02:00:00:00:00:77", PORT.format(4)),
    *_port("port reset", "port reset <port|all>"),
)
