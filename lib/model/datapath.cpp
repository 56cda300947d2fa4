// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/model/datapath.hpp>

#include <algorithm>
#include <cstring>
#include <string>

namespace sluice::inline v1::model {

namespace {

void add(std::atomic<std::uint64_t>& counter, std::uint64_t n) noexcept {
    counter.store(counter.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

/// Writes into a chain's buffers, one behind the other.
class Writer {
  public:
    explicit Writer(std::span<const Buffer> buffers) noexcept
        : buffers_(buffers) {}

    /// Bytes that had room.
    std::uint32_t put(const std::byte* from, std::uint32_t size) noexcept {
        std::uint32_t done = 0;
        while (done < size && !buffers_.empty()) {
            const Buffer& buffer = buffers_.front();
            const std::uint32_t part = std::min(size - done, buffer.size - at_);
            std::memcpy(buffer.data + at_, from + done, part);
            done += part;
            at_ += part;
            if (at_ == buffer.size) {
                buffers_ = buffers_.subspan(1);
                at_ = 0;
            }
        }
        return done;
    }

    /// The header, left alone where it is the same already: a driver that only reads it keeps its line, and
    /// no processor waits for the other.
    std::uint32_t put_header(const NetHeader& header) noexcept {
        const auto* const bytes = reinterpret_cast<const std::byte*>(&header);
        if (buffers_.empty() || buffers_.front().size < sizeof header)
            return put(bytes, sizeof header);
        std::byte* const to = buffers_.front().data;
        if (std::memcmp(to, bytes, sizeof header) != 0)
            std::memcpy(to, bytes, sizeof header);
        at_ = sizeof header;
        return at_;
    }

  private:
    std::span<const Buffer> buffers_;
    std::uint32_t at_ = 0;
};

/// Reads a frame's pieces, one behind the other.
class Reader {
  public:
    explicit Reader(const Frame& frame) noexcept
        : pieces_(frame.pieces) {}

    /// Copies into `to` until it is full or the frame ends; how many bytes.
    std::uint32_t copy(Writer& to) noexcept {
        std::uint32_t done = 0;
        while (!pieces_.empty()) {
            const Buffer& piece = pieces_.front();
            const std::uint32_t wanted = piece.size - at_;
            const std::uint32_t put = to.put(piece.data + at_, wanted);
            done += put;
            at_ += put;
            if (put < wanted)
                break;
            pieces_ = pieces_.subspan(1);
            at_ = 0;
        }
        return done;
    }

  private:
    std::span<const Buffer> pieces_;
    std::uint32_t at_ = 0;
};

/// A chain's buffers that the device may write: they stand behind the others.
std::span<const Buffer> writable(std::span<const Buffer> buffers) noexcept {
    const auto first = std::ranges::find_if(buffers, &Buffer::writable);
    return {first, buffers.end()};
}

constexpr std::uint32_t header_bytes = sizeof(NetHeader);

/// Where the two bytes of num_buffers were written.
std::array<std::byte*, 2> find_count(std::span<const Buffer> buffers) noexcept {
    std::array<std::byte*, 2> found{};
    std::size_t at = offsetof(NetHeader, num_buffers);
    std::size_t next = 0;
    for (const Buffer& buffer : buffers) {
        for (; next < found.size() && at < buffer.size; ++at)
            found[next++] = buffer.data + at;
        at -= std::min<std::size_t>(at, buffer.size);
    }
    return found;
}

} // namespace

bool ReceiveFilter::wants(const Frame& frame) const noexcept {
    if (promiscuous)
        return true;
    Address to{};
    copy_frame(frame, to);
    if ((to[0] & std::byte{1}) != std::byte{0}) {
        constexpr std::byte ones{0xff};
        if (all_multicast || std::ranges::all_of(to, [](std::byte byte) { return byte == ones; }))
            return true;
    } else if (to == own) {
        return true;
    }
    return std::ranges::find(table, to) != table.end();
}

Datapath::Datapath(Backend& backend, unsigned pairs, std::function<void(unsigned)> interrupt)
    : backend_(backend)
    , interrupt_(std::move(interrupt))
    , queues_(2 * std::size_t{pairs})
    , of_pair_(pairs)
    , buffers_(std::make_unique<Buffers>()) {}

void Datapath::set_features(std::uint64_t features) noexcept {
    const auto has = [features](std::uint64_t bit) { return (features & bit) != 0; };
    features_ = features;
    sends_ = {has(feature::csum), has(feature::host_tso4), has(feature::host_tso6)};
    receives_ = {has(feature::guest_csum), has(feature::guest_tso4), has(feature::guest_tso6)};
    mergeable_ = has(feature::mrg_rxbuf);
    in_order_ = has(feature::in_order);
    counters_.packed.store(has(feature::ring_packed) ? 1 : 0, std::memory_order_relaxed);
}

void Datapath::start_queue(unsigned index, const RingMemory& memory, std::optional<std::uint32_t> base) {
    Ring& queue = queues_[index];
    if ((features_ & feature::ring_packed) != 0)
        queue.emplace<PackedRing>().start(memory, base.value_or(0x8000));
    else
        queue.emplace<SplitRing>().start(memory, base.value_or(0));
    std::visit([this](auto& ring) { ring.want_doorbells(wants_doorbells_); }, queue);
}

std::uint32_t Datapath::stop_queue(unsigned index) noexcept {
    return std::visit(
        [](auto& ring) {
            ring.stop();
            return ring.base();
        },
        queues_[index]);
}

void Datapath::move_queue(unsigned index, const RingMemory& memory) noexcept {
    std::visit([&](auto& ring) { ring.move(memory); }, queues_[index]);
}

bool Datapath::running(unsigned index) const noexcept {
    return std::visit([](const auto& ring) { return ring.running(); }, queues_[index]);
}

const char* Datapath::fault(unsigned index) const noexcept {
    return std::visit([](const auto& ring) { return ring.fault(); }, queues_[index]);
}

void Datapath::run(unsigned pairs) noexcept {
    active_ = std::min(pairs, this->pairs());
    backend_.run(active_);
}

std::size_t Datapath::poll(Memory& memory) noexcept {
    std::size_t moved = 0;
    for (unsigned pair = 0; pair < active_; ++pair) {
        const auto step = [&](unsigned index, auto&& move) {
            std::visit(
                [&](auto& ring) {
                    if (!ring.running() || ring.broken())
                        return;
                    moved += move(ring);
                    if (ring.broken())
                        caught(index);
                },
                queues_[index]);
        };
        step(2 * pair + 1, [&](auto& ring) { return transmit(ring, pair, memory); });
        step(2 * pair, [&](auto& ring) { return receive(ring, pair, memory); });
    }
    return moved;
}

void Datapath::caught(unsigned) noexcept {
    add(counters_.lies, 1);
    alarm_ = true;
}

/// The frame of a chain: its header is copied and checked, its pieces are what follows.
bool Datapath::parse(const Chain& chain, Frame& frame) noexcept {
    auto pieces = buffers_->from(chain.first, chain.count);
    const auto readable = std::ranges::find_if(pieces, &Buffer::writable);
    pieces = pieces.first(static_cast<std::size_t>(readable - pieces.begin()));
    std::byte header[header_bytes];
    std::uint32_t have = 0;
    while (have < header_bytes && !pieces.empty()) {
        Buffer& piece = pieces.front();
        const std::uint32_t part = std::min(header_bytes - have, piece.size);
        std::memcpy(header + have, piece.data, part);
        have += part;
        piece.data += part;
        piece.size -= part;
        if (piece.size == 0)
            pieces = pieces.subspan(1);
    }
    if (have < header_bytes)
        return false;
    std::memcpy(static_cast<void*>(&frame.header), header, header_bytes);
    std::uint64_t length = 0;
    for (const Buffer& piece : pieces)
        length += piece.size;
    if (length > max_frame)
        return false;
    frame.length = static_cast<std::uint32_t>(length);
    frame.pieces = pieces;
    return check_header(frame.header, frame.length, sends_);
}

/// Has the next chains' descriptors and the first bytes of their buffers fetched, all at once: the driver's
/// processor has them, and each takes longer than all else that is done for a frame.
template <typename R>
void Datapath::warm(R& ring, Memory& memory, std::size_t chains, bool write) noexcept {
    constexpr std::size_t bytes = header_bytes + 64;
    ring.peek(chains, [&](std::uint64_t address) {
        const auto piece = memory.translate(address, bytes, write);
        if (piece.empty())
            return;
        if (write) {
            __builtin_prefetch(piece.data(), 0);
            prefetch_for_store(&piece.back());
        } else {
            __builtin_prefetch(piece.data(), 0);
            __builtin_prefetch(&piece.back(), 0);
        }
    });
}

/// Chains of one burst, and where the ring stood before each.
template <typename R>
std::size_t Datapath::take_burst(R& ring, Memory& memory,
                                 std::array<typename R::Position, max_burst>& positions) noexcept {
    warm(ring, memory, max_burst, false);
    buffers_->clear();
    std::size_t taken = 0;
    for (; taken < max_burst; ++taken) {
        positions[taken] = ring.position();
        if (ring.take(memory, *buffers_, chains_[taken]) != Take::taken)
            break;
    }
    return taken;
}

template <typename R>
std::size_t Datapath::transmit(R& ring, unsigned pair, Memory& memory) noexcept {
    std::array<typename R::Position, max_burst> positions;
    const std::size_t taken = take_burst(ring, memory, positions);
    if (taken == 0)
        return 0;
    std::size_t frames = 0;
    std::size_t bad = 0;
    for (std::size_t i = 0; i < taken; ++i) {
        if (parse(chains_[i], frames_[frames]))
            chain_of_[frames++] = i;
        else
            ++bad;
    }
    const std::size_t sent = send(pair, std::span(frames_).first(frames));
    std::size_t done = taken;
    if (sent < frames) {
        // From the first frame that was not taken on, all stays with the driver.
        done = chain_of_[sent];
        ring.rewind(positions[done]);
        bad = done - sent;
    }
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < sent; ++i)
        bytes += frames_[i].length;
    if (in_order_ && done > 1)
        ring.use_in_order(std::span(chains_).first(done));
    else
        for (std::size_t i = 0; i < done; ++i)
            ring.use(chains_[i], 0);
    if (done != 0) {
        ring.flush();
        if (ring.wants_interrupt())
            interrupt_(2 * pair + 1);
    }
    add(counters_.bad, bad);
    add(counters_.sent, sent);
    add(of_pair_[pair].sent, sent);
    add(counters_.sent_bytes, bytes);
    return done;
}

/// Gives the back-end frames as it takes them; how many of the front it took.
std::size_t Datapath::send(unsigned pair, std::span<const Frame> frames) noexcept {
    const Takes takes = backend_.takes();
    std::size_t done = 0;
    while (done < frames.size()) {
        const auto rest = frames.subspan(done);
        const auto other =
            std::ranges::find_if_not(rest, [&](const Frame& frame) { return takes.as_it_is(frame); });
        const auto plain = static_cast<std::size_t>(other - rest.begin());
        if (plain != 0) {
            const std::size_t sent = backend_.send(pair, rest.first(plain));
            done += sent;
            if (sent < plain)
                return done;
            continue;
        }
        // A frame of several segments of which some were taken is gone: the rest is lost, as on a wire.
        std::size_t segments = 0;
        bool refused = false;
        finisher_.finish(rest[0], takes, [&](const Frame& frame) {
            refused = backend_.send(pair, {&frame, 1}) != 1;
            segments += refused ? 0 : 1;
            return !refused;
        });
        if (refused && segments == 0)
            return done;
        ++done;
    }
    return done;
}

template <typename R>
std::size_t Datapath::receive(R& ring, unsigned pair, Memory& memory) noexcept {
    if (!ring.ready()) {
        backend_.full(pair);
        return 0;
    }
    const auto frames = backend_.receive(pair);
    warm(ring, memory, frames.size(), true);
    std::size_t done = 0;
    std::size_t given = 0;
    std::uint64_t bytes = 0;
    unsigned used = 0;
    for (const Frame& frame : frames) {
        if (!filter_.wants(frame)) {
            add(counters_.filtered, 1);
            ++done;
            continue;
        }
        bool fits = true;
        if (receives_.as_it_is(frame)) {
            fits = deliver(ring, frame, memory, used);
        } else {
            unsigned segments = 0;
            finisher_.finish(frame, receives_, [&](const Frame& finished) {
                fits = deliver(ring, finished, memory, used);
                segments += fits ? 1 : 0;
                return fits;
            });
            fits = fits || segments != 0;
        }
        if (!fits)
            break;
        ++done;
        ++given;
        bytes += frame.length;
    }
    backend_.consume(pair, done);
    if (done < frames.size())
        backend_.full(pair);
    if (used != 0) {
        ring.flush();
        if (ring.wants_interrupt())
            interrupt_(2 * pair);
    }
    add(counters_.received, given);
    add(of_pair_[pair].received, given);
    add(counters_.received_bytes, bytes);
    return done;
}

/// Puts one frame into as many chains as it needs and it may have; `used` goes up by their number. False: the
/// driver has made too few available for now.
template <typename R>
bool Datapath::deliver(R& ring, const Frame& frame, Memory& memory, unsigned& used) noexcept {
    const auto start = ring.position();
    buffers_->clear();
    NetHeader header = frame.header;
    header.num_buffers = std::uint16_t{1};
    Reader reader(frame);
    std::uint32_t left = frame.length;
    std::size_t count = 0;
    do {
        if (count == max_chains || (count != 0 && !mergeable_)) {
            add(counters_.too_long, 1);
            ring.rewind(start);
            return true;
        }
        Chain& chain = received_[count];
        if (const Take take = ring.take(memory, *buffers_, chain); take != Take::taken) {
            ring.rewind(start);
            if (take == Take::no_room)
                add(counters_.too_long, 1);
            return take == Take::no_room;
        }
        const auto room = writable(buffers_->from(chain.first, chain.count));
        Writer writer(room);
        std::uint32_t written = 0;
        if (count == 0) {
            written = writer.put_header(header);
        }
        const std::uint32_t copied = reader.copy(writer);
        written += copied;
        left -= copied;
        if (written == 0 || (count == 0 && written < header_bytes)) {
            ring.reject("a receive buffer without room for the header, or any");
            return false;
        }
        lengths_[count++] = written;
    } while (left != 0);
    if (count > 1) {
        const auto count_at = find_count(writable(buffers_->from(received_[0].first, received_[0].count)));
        *count_at[0] = static_cast<std::byte>(count);
        *count_at[1] = static_cast<std::byte>(count >> 8);
    }
    for (std::size_t i = 0; i < count; ++i)
        ring.use(received_[i], lengths_[i]);
    used += static_cast<unsigned>(count);
    return true;
}

std::vector<device::Statistic> Datapath::statistics() const {
    const auto& all = counters_;
    std::vector<device::Statistic> named{{"sent", all.sent},
                                         {"sent_bytes", all.sent_bytes},
                                         {"sent_bad", all.bad},
                                         {"received", all.received},
                                         {"received_bytes", all.received_bytes},
                                         {"received_too_long", all.too_long},
                                         {"received_filtered", all.filtered},
                                         {"lies", all.lies},
                                         {"packed", all.packed}};
    for (std::size_t i = 0; i < of_pair_.size() && of_pair_.size() > 1; ++i) {
        const std::string pair = "pair" + std::to_string(i);
        named.push_back({pair + "_sent", of_pair_[i].sent});
        named.push_back({pair + "_received", of_pair_[i].received});
    }
    return named;
}

} // namespace sluice::inline v1::model
