#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""TCP streams between two network namespaces: each end prints its streams' lengths and checksums, sorted.

usage: streams.py receive PORT STREAMS
       streams.py send ADDRESS PORT STREAMS MEGABYTES
"""
import hashlib
import os
import socket
import sys
import threading

BLOCK = 1_000_000
SECONDS = 100


def receive(connection, sums):
    digest, total, buffer = hashlib.sha256(), 0, bytearray(BLOCK)
    with connection:
        while count := connection.recv_into(buffer):
            digest.update(memoryview(buffer)[:count])
            total += count
    sums.append(f"{total} {digest.hexdigest()}")


def send(connection, blocks, sums):
    """Each block is the same noise with its number in front."""
    digest, noise = hashlib.sha256(), os.urandom(BLOCK - 8)
    with connection:
        for number in range(blocks):
            block = number.to_bytes(8, "little") + noise
            connection.sendall(block)
            digest.update(block)
    sums.append(f"{blocks * BLOCK} {digest.hexdigest()}")


def main():
    verb, sums = sys.argv[1], []
    if verb == "receive":
        port, streams = map(int, sys.argv[2:])
        server = socket.create_server(("", port), backlog=streams)
        server.settimeout(SECONDS)
        print("listening", flush=True)
        work = [(receive, (server.accept()[0], sums)) for _ in range(streams)]
    else:
        address, (port, streams, megabytes) = sys.argv[2], map(int, sys.argv[3:])
        work = [(send, (socket.create_connection((address, port), SECONDS), megabytes // streams, sums)) for _ in range(streams)]
    threads = [threading.Thread(target=target, args=arguments) for target, arguments in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(*sorted(sums), sep="\n")


main()
