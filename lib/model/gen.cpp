// SPDX-License-Identifier: BSD-3-Clause
// A generator, and a sink that looks at every byte but the Ethernet addresses, which forwarding may change.
// Frames are UDP from 198.18.0.1 to 198.18.0.2, port 9 (RFC 2544 appendix C.2.2), without a UDP checksum.
// Their payload is the frame's number, 8 bytes, and a pattern that follows from it.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

#include "backends.hpp"

namespace sluice::inline v1::model {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t headers = 14 + 20 + 8;
constexpr std::uint32_t min_bytes = 60;
constexpr std::uint32_t max_bytes = 9018;
constexpr std::uint32_t source_at = 14 + 4; ///< the generator's number, where IPv4 has its identification
constexpr std::uint32_t checked_from = 12;

void put16(std::byte* at, std::uint32_t value) noexcept {
    at[0] = static_cast<std::byte>(value >> 8);
    at[1] = static_cast<std::byte>(value);
}

/// Ethernet, IPv4 and UDP in front of `size` bytes in all.
std::array<std::byte, headers> make_headers(std::uint32_t size, std::uint16_t source) noexcept {
    constexpr unsigned char image[headers] = {
        0x02, 0, 0, 0, 0, 2, 0x02, 0, 0,  0,  0, 1, 0x08, 0x00,                      // addresses, IPv4
        0x45, 0, 0, 0, 0, 0, 0,    0, 64, 17, 0, 0, 198,  18,   0, 1, 198, 18, 0, 2, // RFC 791
        0,    9, 0, 9, 0, 0, 0,    0};                                               // RFC 768
    std::array<std::byte, headers> bytes;
    std::memcpy(bytes.data(), image, sizeof image);
    put16(&bytes[16], size - 14);
    put16(&bytes[source_at], source);
    put16(&bytes[38], size - 34);
    std::uint32_t sum = 0;
    for (std::size_t at = 14; at < 34; at += 2)
        sum += std::to_integer<std::uint32_t>(bytes[at]) << 8 | std::to_integer<std::uint32_t>(bytes[at + 1]);
    sum = (sum & 0xffff) + (sum >> 16);
    put16(&bytes[24], ~((sum & 0xffff) + (sum >> 16)));
    return bytes;
}

/// The payload of frame `number` on `queue`: splitmix64's steps, so that no two frames are alike.
void fill_payload(std::span<std::byte> payload, std::uint64_t number) noexcept {
    std::uint64_t state = number;
    std::size_t at = 0;
    while (at < payload.size()) {
        const std::size_t part = std::min(sizeof state, payload.size() - at);
        std::memcpy(payload.data() + at, &state, part);
        at += part;
        state = (state ^ (state >> 29)) * 0xbf58476d1ce4e5b9U + 0x9e3779b97f4a7c15U;
    }
}

class Gen final : public Backend {
  public:
    Gen(const BackendSetup& setup, std::uint16_t source)
        : size_(setup.size)
        , rate_(setup.rate)
        , wire_(setup.wire)
        , headers_(make_headers(setup.size, source))
        , queues_(setup.queues) {
        for (auto& queue : queues_)
            queue = std::make_unique<Queue>(size_, headers_);
        if (wire_ && wire_->timed)
            wire_->latencies.resize(wire_->frames);
    }

    Takes takes() const noexcept override { return {.checksum = true}; }

    std::size_t send(unsigned queue, std::span<const Frame> frames) noexcept override {
        const auto now = wire_ ? wire_->now() : Clock::time_point{};
        for (const Frame& frame : frames)
            check(*queues_[queue], frame, now);
        return frames.size();
    }

    std::span<const Frame> receive(unsigned queue) noexcept override {
        Queue& q = *queues_[queue];
        if (q.first == q.held) {
            const std::size_t wanted = running_ ? allowance() : 0;
            q.first = q.held = 0;
            if (wire_)
                q.next = spent_; // a number tells when its frame was due
            while (q.held < wanted)
                q.make(size_);
            spent_ += wanted;
        }
        return std::span(q.frames).subspan(q.first, q.held - q.first);
    }

    void consume(unsigned queue, std::size_t count) noexcept override {
        queues_[queue]->first += count;
        generated_.add(count);
        if (wire_) {
            wire_->placed += count;
            wire_->over = spent_;
        }
    }

    void full(unsigned queue) noexcept override {
        if (!wire_ || !running_)
            return;
        Queue& q = *queues_[queue];
        spent_ -= q.held - q.first;
        q.first = q.held;
        lose(due(), wire_->full);
        wire_->over = spent_;
    }

    void run(unsigned pairs) noexcept override {
        running_ = pairs != 0;
        began_.reset();
        spent_ = 0;
    }

    std::vector<device::Statistic> statistics() const override {
        return {{"gen_made", generated_.get()},
                {"sink_received", received_.get()},
                {"sink_bad", bad_.get()},
                {"sink_missing", missing_.get()}};
    }

  private:
    struct Queue {
        Queue(std::uint32_t size, const std::array<std::byte, headers>& front)
            : memory(max_burst * std::size_t{size})
            , expected(max_bytes) {
            for (std::size_t i = 0; i < max_burst; ++i) {
                std::byte* const at = memory.data() + i * size;
                std::ranges::copy(front, at);
                pieces[i] = {at, size, false};
                frames[i] = {{}, size, {&pieces[i], 1}};
            }
        }
        void make(std::uint32_t size) noexcept {
            fill_payload({pieces[held].data + headers, size - headers}, next);
            ++held;
            ++next;
        }

        std::vector<std::byte> memory;
        std::array<Buffer, max_burst> pieces{};
        std::array<Frame, max_burst> frames{};
        std::size_t first = 0;  ///< oldest frame that was not consumed
        std::size_t held = 0;   ///< frames made
        std::uint64_t next = 0; ///< number of the frame to be made next

        // Of the sink.
        bool started = false;
        std::uint64_t expected_number = 0;
        std::uint64_t source_headers_for = 0; ///< size and source that they are made for
        std::array<std::byte, headers> source_headers{};
        std::vector<std::byte> expected;
    };

    /// Frames that fell due, from the first turn on.
    std::uint64_t due() noexcept {
        const auto now = wire_ ? wire_->now() : Clock::now();
        if (!began_)
            began_ = now;
        const auto since = std::chrono::duration<double>(now - *began_).count();
        const auto due = static_cast<std::uint64_t>(since * static_cast<double>(rate_));
        return wire_ ? std::min(due, wire_->warm_up + wire_->frames) : due;
    }

    /// Frames that may be handed out now.
    std::size_t allowance() noexcept {
        if (rate_ == 0)
            return max_burst;
        const std::uint64_t wanted = due();
        if (wire_ && wanted > spent_ + Wire::patience)
            lose(wanted - Wire::patience, wire_->late);
        return static_cast<std::size_t>(
            std::min<std::uint64_t>(wanted - std::min(wanted, spent_), max_burst));
    }

    /// All frames below number `end` that did not go out.
    void lose(std::uint64_t end, std::uint64_t& counter) noexcept {
        counter += end - std::min(end, std::max(spent_, wire_->warm_up));
        spent_ = std::max(spent_, end);
    }

    void came_back(std::uint64_t number, Clock::time_point now) noexcept {
        ++wire_->back;
        if (!began_ || number < wire_->warm_up || number >= wire_->warm_up + wire_->frames)
            return;
        const double due_ns = static_cast<double>(number + 1) * 1e9 / static_cast<double>(rate_);
        const double took = std::chrono::duration<double, std::nano>(now - *began_).count() - due_ns;
        if (wire_->timed)
            wire_->latencies[wire_->returned] = static_cast<std::uint32_t>(std::clamp(took, 0.0, 4e9));
        ++wire_->returned;
    }

    void is_bad() noexcept {
        bad_.add(1);
        if (wire_)
            ++wire_->bad;
    }

    void check(Queue& q, const Frame& frame, Clock::time_point now) noexcept {
        received_.add(1);
        std::array<std::byte, max_bytes> copy;
        const std::size_t bytes = copy_frame(frame, copy);
        const auto whole = std::span(copy).first(bytes);
        if (frame.length < min_bytes || frame.length > max_bytes || bytes != frame.length)
            return is_bad();
        // Made by a generator like this one, with a number of its own and the same size.
        const auto source = static_cast<std::uint16_t>(std::to_integer<unsigned>(whole[source_at]) << 8 |
                                                       std::to_integer<unsigned>(whole[source_at + 1]));
        if (q.source_headers_for != (std::uint64_t{frame.length} << 16 | source)) {
            q.source_headers = make_headers(frame.length, source);
            q.source_headers_for = std::uint64_t{frame.length} << 16 | source;
        }
        std::uint64_t number = 0;
        std::memcpy(&number, &whole[headers], sizeof number);
        std::ranges::copy(q.source_headers, q.expected.begin());
        fill_payload(std::span(q.expected).subspan(headers, bytes - headers), number);
        if (std::memcmp(&whole[checked_from], &q.expected[checked_from], bytes - checked_from) != 0)
            return is_bad();
        if (number >= q.expected_number) {
            if (wire_)
                came_back(number, now);
            missing_.add(q.started ? number - q.expected_number : 0);
            q.expected_number = number + 1;
            q.started = true;
        }
    }

    const std::uint32_t size_;
    const std::uint64_t rate_;
    const std::shared_ptr<Wire> wire_;
    const std::array<std::byte, headers> headers_;
    std::vector<std::unique_ptr<Queue>> queues_;
    bool running_ = false;
    std::optional<Clock::time_point> began_;
    std::uint64_t spent_ = 0;
    Count generated_;
    Count received_;
    Count bad_;
    Count missing_;
};

} // namespace

Result<std::unique_ptr<Backend>> make_gen(const BackendSetup& setup) {
    static std::atomic<std::uint16_t> next{1};
    if (setup.size < min_bytes || setup.size > max_bytes)
        return fail(EINVAL, "a generator's frames have 60 to 9018 bytes (size=)", std::to_string(setup.size));
    if (setup.wire && (setup.rate == 0 || setup.queues != 1))
        return fail(EINVAL, "a wire has a rate and one queue pair", setup.device);
    return std::make_unique<Gen>(setup, next.fetch_add(1));
}

} // namespace sluice::inline v1::model
