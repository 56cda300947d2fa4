# SPDX-License-Identifier: BSD-3-Clause
"""Where dpdk-testpmd's answers and ours differ, and why. doc/testpmd.md has the same list for readers.

A row: what is typed, lines that only DPDK's has, lines that only ours has, the reason. Lines are patterns of whole lines in
which numbers are N and MAC addresses MAC. Each pattern has to be met, and each difference has to be here.
"""

QUEUE_LINES = (
    r"    Rx offloads=0x0 Tx offloads=0x0",
    r"    [RT]X queue: N ",
    r"      [RT]X desc=N - [RT]X free threshold=N ",
    r"      [RT]X threshold registers: pthresh=N hthresh=N wthresh=N ",
    r"      (RX Offloads=0x0|TX offloads=0x0 - TX RS bit threshold=N )",
)
HEADING = r"\w+ packet forwarding - ports=N - cores=N - streams=N "
NUMA = HEADING + r"- NUMA support enabled, MP allocation mode: native"
USAGE = "it says what is right"

ARGUED = (
    ("", [r"Interactive-mode selected", r"testpmd: (create a new mbuf pool|preferred mempool ops).*", r"Configuring Port N \(socket N \)",
          r"Port N : MAC", r"Checking link statuses\.\.\.", r"Done"],
     [r"Port N : net_null\d, driver ethdev \(net_null\), transport dpdk, kernel driver none, MAC, link up at N Gbps, full-duplex"],
     "one line a port, which also says which driver and transport serve it"),
    ("show port info 0",
     [r"Driver name: net_null", r"Firmware-version: .*", r"Devargs: ", r"memory allocation on the socket: N ",
      r"Allmulticast mode: enabled", r"Maximum number of MAC addresses of hash filtering: N ", r"VLAN offload: ",
      r"  strip off, filter off, .*", r"Redirection table size: N ", r"Supported RSS offload flow types:", r"  (ipv[46]|l2-payload|geneve) .*",
      r"Minimum size of RX buffer: N ", r"Maximum configurable .*", r"Max segment number per MTU/TSO: N ", r"Device capabilities: .*",
      r"Device error handling mode: .*"],
     [r"Driver name: ethdev \(net_null\)", r"Device URI: ethdev:net_null0", r"Transport: dpdk", r"Kernel driver: none", r"PCI id: N :N ",
      r"Allmulticast mode: disabled"],
     "what the Port API has: no RSS, VLAN or LRO; which transport it is. net_null reports multicast on whatever is asked of it"),
    ("show port summary all", [r"N MAC net_null\d    net_null .*"], [r"N MAC net_null\d    ethdev .*"],
     "the driver here is the adapter; show port info names both"),
    ("show config fwd", [NUMA], [HEADING], "there is one pool, and no option for these"),
    ("start", [NUMA, *QUEUE_LINES], [HEADING, r"    RX desc=N TX desc=N MTU=N "], "the descriptors that are in use, and no thresholds"),
    ("set burst 0", [r"Number of packets per burst set to N "], [r"Bad arguments: burst must be between N and N "],
     "0 asks DPDK's driver for its own size; drivers here have none"),
    ("set burst 600", [r"nb pkt per burst: N > N \(maximum packet per burst\)  ignored"],
     [r"Bad arguments: burst must be between N and N "], USAGE),
    ("show port xstats 0", [], [r"[rt]x_q\d_(broken|errors): N ", r"ethdev_.*: N "],
     "broken queues are counted, and the device's own counters stand beside ours"),
    ("clear port xstats all", [], [r"", r"  NIC extended statistics for port N cleared"], "it says that it was done, as clear port stats does"),
    ("set promisc 0 off", [r"Error during disabling promiscuous mode for port N : Operation not supported"], [],
     "the adapter asks nothing of a driver that cannot switch it"),
    ("show port info x", [r"Bad arguments"], [r"Bad arguments: show port info <port\|all>"], USAGE),
    ("set fwd bogus", [r"Bad arguments"], [r"Bad arguments: set fwd <io\|mac\|macswap\|rxonly\|txonly>"], USAGE),
    ("set fwd", [r"Bad arguments"], [r"Bad arguments: set fwd <io\|mac\|macswap\|rxonly\|txonly>"], USAGE),
    ("start bogus", [r"Bad arguments"], [r"Bad arguments: start"], USAGE),
    ("show", [r"Bad arguments"], [r"Bad arguments: show port info <port\|all>"], USAGE),
    ("quit", [r"Primary: Sending 'stop_req' request to secondary\.\.\.", r"", r"(Stopping|Closing) ports\.\.\.", r"Port N is closed"], [],
     "once is enough, and there are no secondary processes"),
)

# Answers that are the same.
SAME = ("stop", "set fwd macswap", "start!", "show port stats all", "show fwd stats all", "set burst 16", "clear fwd stats all", "stop!",
        "show port stats 5", "clear port stats 1", "set promisc all on", "set eth-peer 1 02:00:00:00:00:07", "bogus")
