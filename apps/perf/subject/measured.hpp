// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// What is measured: the calls between "the application has mbufs" and "the application has mbufs". The same
/// source for every kind of port.
#pragma once

#include <cstdint>

struct rte_mbuf;

namespace sluice::perf::subject {

/// Tells the counting plugin (apps/perf/subject/count_marked.c) where a region begins and ends; elsewhere an
/// instruction that does nothing.
template <unsigned Code>
[[gnu::always_inline]] inline void mark() noexcept {
    asm volatile(".byte 0x0f, 0x1f, 0x80\n\t.long %c0" : : "i"(0x5a5a0000 | Code) : "memory");
}
inline constexpr unsigned mark_region = 1;
inline constexpr unsigned mark_watch = 0x7d; ///< the next access says which address is watched
inline constexpr unsigned mark_restart = 0x7e;
inline constexpr unsigned mark_report = 0x7f;
inline constexpr unsigned mark_end = 0x80;

/// Has callgrind count from here on (Valgrind's client request START_INSTRUMENTATION); elsewhere it does
/// nothing.
inline void start_callgrind() noexcept {
    const std::uint64_t request[6] = {'C' << 24 | 'T' << 16 | 4};
    std::uint64_t answer = 0;
    asm volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\trolq $61, %%rdi\n\trolq $51, %%rdi\n\t"
                 "xchgq %%rbx, %%rbx"
                 : "+d"(answer)
                 : "a"(request)
                 : "cc", "memory");
}

enum class Path { rx, tx, forward, unmeasured };

/// One turn: a burst is received and sent. callgrind counts between entry and exit of the functions
/// measured_*, the plugin between the marks: callgrind's figures are a few instructions a burst higher.
struct Turn {
    std::uint16_t received = 0;
    std::uint16_t sent = 0;
};

template <typename Ends>
[[gnu::noinline]] std::uint16_t measured_rx(Ends& ends, rte_mbuf** packets, std::uint16_t count) {
    mark<mark_region>();
    const std::uint16_t received = ends.receive(packets, count);
    mark<mark_region | mark_end>();
    return received;
}

template <typename Ends>
[[gnu::noinline]] std::uint16_t measured_tx(Ends& ends, rte_mbuf** packets, std::uint16_t count) {
    mark<mark_region>();
    const std::uint16_t sent = ends.send(packets, count);
    mark<mark_region | mark_end>();
    return sent;
}

template <typename Ends>
[[gnu::noinline]] Turn measured_forward(Ends& ends, rte_mbuf** packets, std::uint16_t count) {
    mark<mark_region>();
    const std::uint16_t received = ends.receive(packets, count);
    const std::uint16_t sent = received == 0 ? std::uint16_t{0} : ends.send(packets, received);
    mark<mark_region | mark_end>();
    return {received, sent};
}

} // namespace sluice::perf::subject
