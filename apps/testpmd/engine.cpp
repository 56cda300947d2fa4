// SPDX-License-Identifier: BSD-3-Clause
#include "engine.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include <rte_launch.h>
#include <rte_lcore.h>

namespace sluice::testpmd {
namespace {

rte_ether_addr to_ether(const net::MacAddress& address) noexcept {
    rte_ether_addr out{};
    std::memcpy(out.addr_bytes, address.bytes.data(), sizeof out.addr_bytes);
    return out;
}

void send(Stream& stream, std::span<rte_mbuf*> frames) noexcept {
    const std::uint16_t sent = stream.tx->burst(frames);
    stream.sent.add(sent);
    if (sent == frames.size())
        return;
    const auto rest = frames.subspan(sent);
    rte_pktmbuf_free_bulk(rest.data(), static_cast<unsigned>(rest.size()));
    stream.dropped.add(rest.size());
}

template <Mode mode>
void move_burst(Stream& stream, std::span<rte_mbuf*> space) noexcept {
    const std::uint16_t got = stream.rx->burst(space);
    if (got == 0)
        return;
    const auto frames = space.first(got);
    stream.received.add(got);
    if constexpr (mode == Mode::rxonly) {
        rte_pktmbuf_free_bulk(frames.data(), got);
        stream.consumed.add(got);
    } else {
        if constexpr (mode == Mode::mac)
            set_addresses(frames, stream.source, stream.destination);
        if constexpr (mode == Mode::macswap)
            swap_addresses(frames);
        send(stream, frames);
    }
}

void make_burst(Stream& stream, const FrameMaker& maker, std::span<rte_mbuf*> space) noexcept {
    const std::uint16_t made = maker.make(stream.pool, space, stream.source, stream.destination);
    if (made == 0)
        stream.tx->reclaim();
    else
        send(stream, space.first(made));
}

std::vector<unsigned> forwarding_lcores() {
    std::vector<unsigned> lcores;
    unsigned lcore = 0;
    RTE_LCORE_FOREACH_WORKER(lcore)
    lcores.push_back(lcore);
    return lcores;
}

} // namespace

void step(Mode mode, Stream& stream, const FrameMaker& maker, std::span<rte_mbuf*> space) noexcept {
    switch (mode) {
    case Mode::io:
        return move_burst<Mode::io>(stream, space);
    case Mode::mac:
        return move_burst<Mode::mac>(stream, space);
    case Mode::macswap:
        return move_burst<Mode::macswap>(stream, space);
    case Mode::rxonly:
        return move_burst<Mode::rxonly>(stream, space);
    case Mode::txonly:
        return make_burst(stream, maker, space);
    }
}

Engine::Engine(std::span<net::Port> ports, const Settings& settings, rte_mempool* pool)
    : ports_(ports)
    , settings_(settings)
    , pool_(pool)
    , maker_(settings.tx_bytes)
    , cleared_(ports.size())
    , missed_(ports.size()) {}

rte_ether_addr Engine::peer_address(std::uint16_t port) const {
    if (const auto given = settings_.peers.find(port); given != settings_.peers.end())
        return given->second;
    return {{0x02, 0, 0, 0, static_cast<std::uint8_t>(port >> 8), static_cast<std::uint8_t>(port)}};
}

std::vector<Engine::Assignment> Engine::assignments() const {
    const auto lcores = forwarding_lcores();
    const auto routes = make_routes(static_cast<std::uint16_t>(ports_.size()),
                                    std::min(settings_.rxq, settings_.txq), settings_.topology);
    const auto usable = std::min<std::size_t>(settings_.nb_cores, lcores.size());
    const auto dealt = deal_routes(routes, static_cast<unsigned>(usable));
    std::vector<Assignment> all;
    for (std::size_t i = 0; i < dealt.size(); ++i)
        all.push_back({lcores[i], dealt[i]});
    return all;
}

std::unique_ptr<Stream> Engine::make_stream(const Route& route) {
    auto stream = std::make_unique<Stream>();
    stream->route = route;
    stream->rx = &ports_[route.rx_port].rx(route.rx_queue);
    stream->tx = &ports_[route.tx_port].tx(route.tx_queue);
    stream->pool = pool_;
    stream->source = to_ether(ports_[route.tx_port].mac());
    stream->destination = peer_address(route.tx_port);
    return stream;
}

Result<> Engine::start(bool tx_first) {
    if (running_)
        return fail(0, "Packet forwarding already started");
    const auto all = assignments();
    if (all.empty())
        return fail(EINVAL, "no lcore to forward on: give EAL two or more, as in -l 0-1");
    workers_.clear();
    for (const Assignment& assignment : all) {
        Worker worker{.lcore = assignment.lcore,
                      .mode = settings_.mode,
                      .burst = settings_.burst,
                      .maker = &maker_,
                      .streams = {},
                      .models = {},
                      .stop = &stop_};
        for (const Route& route : assignment.routes) {
            worker.streams.push_back(make_stream(route));
            if (poll_models_ && route.rx_queue == 0 && ports_[route.rx_port].has_model())
                worker.models.push_back(&ports_[route.rx_port]);
        }
        workers_.push_back(std::move(worker));
    }
    running_ = true;
    clear_counters();
    rte_mbuf* space[max_burst];
    if (tx_first)
        for (Worker& worker : workers_)
            for (const auto& stream : worker.streams)
                make_burst(*stream, maker_, std::span(space).first(settings_.burst));
    return launch();
}

Result<> Engine::launch() {
    stop_.store(false, std::memory_order_relaxed);
    for (Worker& worker : workers_)
        if (const int wrong = rte_eal_remote_launch(work, &worker, worker.lcore); wrong != 0) {
            stop();
            return fail(-wrong, "cannot start an lcore", std::to_string(worker.lcore));
        }
    return {};
}

template <Mode mode>
void Engine::serve(const Worker& worker, std::span<rte_mbuf*> space) noexcept {
    const FrameMaker& maker = *worker.maker;
    const std::atomic<bool>& stop = *worker.stop;
    while (!stop.load(std::memory_order_relaxed)) {
        for (const auto& stream : worker.streams)
            if constexpr (mode == Mode::txonly)
                make_burst(*stream, maker, space);
            else
                move_burst<mode>(*stream, space);
        for (net::Port* const port : worker.models)
            port->poll_model();
    }
}

int Engine::work(void* argument) {
    const auto& worker = *static_cast<const Worker*>(argument);
    rte_mbuf* space[max_burst];
    const auto burst = std::span(space).first(worker.burst);
    switch (worker.mode) {
    case Mode::io:
        serve<Mode::io>(worker, burst);
        break;
    case Mode::mac:
        serve<Mode::mac>(worker, burst);
        break;
    case Mode::macswap:
        serve<Mode::macswap>(worker, burst);
        break;
    case Mode::rxonly:
        serve<Mode::rxonly>(worker, burst);
        break;
    case Mode::txonly:
        serve<Mode::txonly>(worker, burst);
        break;
    }
    return 0;
}

void Engine::pause() noexcept {
    if (!running_)
        return;
    stop_.store(true, std::memory_order_relaxed);
    for (const Worker& worker : workers_) {
        rte_eal_wait_lcore(worker.lcore);
        for (const auto& stream : worker.streams)
            stream->tx->reclaim();
    }
}

Result<> Engine::resume() {
    return running_ ? launch() : Result<>{};
}

void Engine::stop() noexcept {
    if (!running_)
        return;
    pause();
    for (std::size_t port = 0; port < ports_.size(); ++port)
        missed_[port] = ports_[port].stats().imissed;
    running_ = false;
}

ForwardCounters Engine::counted(std::uint16_t port) const {
    ForwardCounters sum;
    sum.rx_missed = running_ ? ports_[port].stats().imissed : missed_[port];
    for (const Worker& worker : workers_)
        for (const auto& stream : worker.streams) {
            if (stream->route.rx_port == port) {
                sum.rx_packets += stream->received.get();
                sum.consumed += stream->consumed.get();
            }
            if (stream->route.tx_port == port) {
                sum.tx_packets += stream->sent.get();
                sum.tx_dropped += stream->dropped.get();
            }
        }
    return sum;
}

ForwardCounters Engine::counters(std::uint16_t port) const {
    ForwardCounters now = counted(port);
    now -= cleared_[port];
    return now;
}

void Engine::clear_counters() {
    for (std::uint16_t port = 0; port < ports_.size(); ++port)
        cleared_[port] = counted(port);
}

void Engine::clear_port_stats(std::uint16_t port) {
    const std::uint64_t before = counted(port).rx_missed;
    ports_[port].clear_stats();
    cleared_[port].rx_missed += counted(port).rx_missed - before; // modulo 2^64, as counters() subtracts
}

} // namespace sluice::testpmd
