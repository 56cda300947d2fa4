// SPDX-License-Identifier: BSD-3-Clause
// DMA by message: the session as memory of the client's.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <sluice/vfio_user/check.hpp>

#include "session.hpp"

namespace sluice::inline v1::serve {

using vfio_user::bytes_of;
using vfio_user::Channel;
using vfio_user::Command;
using vfio_user::Header;
using vfio_user::Message;
using Clock = std::chrono::steady_clock;

namespace {

/// Requests that wait while the device waits for the client's memory.
constexpr std::size_t most_queued = 256;
constexpr std::size_t most_queued_bytes = 4 << 20;

} // namespace

/// The client is dropped at the next pump(); whoever waits for memory gets `code`.
tl::unexpected<Error> Session::break_off(int code, const char* why) {
    broken_ = true;
    wake_.signal();
    return fail(code, why, device_.name());
}

/// The answer to `request` among what has arrived; none yet: nullopt.
Result<std::optional<Message>> Session::answer_of(Channel& from, const Header& request) {
    vfio_user::Limits most = options_.limits;
    most.max_data_xfer_size = std::max(most.max_data_xfer_size, agreed_->limits.max_data_xfer_size);
    for (;;) {
        auto message = from.receive();
        if (!message)
            return break_off(message.error().code(), message.error().text());
        if (!*message)
            return std::nullopt;
        if ((*message)->is_reply()) {
            const int code = check_reply(**message, request, most);
            if (code == EPROTO)
                return break_off(EPROTO, "a client sent a reply that answers nothing");
            if (code != 0)
                return fail(EFAULT, "a client refused the device its memory", device_.name());
            return std::move(*message);
        }
        if (&from != &channel_)
            return break_off(EPROTO, "a client sent a request where only replies go");
        queued_bytes_ += (*message)->body.size();
        queue_.push_back(std::move(**message));
        if (queue_.size() > most_queued || queued_bytes_ > most_queued_bytes)
            return break_off(EPROTO, "a client asks on and does not answer");
    }
}

Result<Message> Session::ask(Command command, const vfio_user::DmaAccess& access,
                             std::span<const std::byte> data) {
    const std::lock_guard lock(mutex_);
    if (broken_ || !agreed_)
        return fail(ECONNRESET, "the client whose memory this was is gone", device_.name());
    Channel& channel = twin_ ? *twin_ : channel_;
    Header request;
    request.id = next_id_++;
    request.command = static_cast<std::uint16_t>(command);
    if (auto sent = channel.send(request, {bytes_of(access), data}); !sent)
        return break_off(ECONNRESET, sent.error().text());
    const auto deadline = Clock::now() + std::chrono::milliseconds(options_.dma_timeout_ms);
    for (;;) {
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0 || !channel.wait(static_cast<int>(left)))
            return break_off(ETIMEDOUT, "a client does not answer for its memory");
        if (auto sent = channel.flush(); !sent)
            return break_off(ECONNRESET, sent.error().text());
        auto message = answer_of(channel, request);
        if (!message)
            return propagate(std::move(message));
        if (*message) {
            if (!queue_.empty())
                wake_.signal();
            return std::move(**message);
        }
    }
}

Result<> Session::read(Iova iova, std::span<std::byte> bytes) {
    while (!bytes.empty()) {
        const auto part =
            bytes.first(std::min<std::uint64_t>(bytes.size(), agreed_->limits.max_data_xfer_size));
        const vfio_user::DmaAccess access{iova.value, part.size()};
        auto reply = ask(Command::dma_read, access, {});
        if (!reply)
            return propagate(std::move(reply));
        if (reply->body.size() != sizeof access + part.size())
            return fail(EFAULT, "a client gave less of its memory than was asked for", device_.name());
        std::memcpy(part.data(), reply->body.data() + sizeof access, part.size());
        bytes = bytes.subspan(part.size());
        iova = iova + part.size();
    }
    return {};
}

Result<> Session::write(Iova iova, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const auto part =
            bytes.first(std::min<std::uint64_t>(bytes.size(), agreed_->limits.max_data_xfer_size));
        const vfio_user::DmaAccess access{iova.value, part.size()};
        auto reply = ask(Command::dma_write, access, part);
        if (!reply)
            return propagate(std::move(reply));
        bytes = bytes.subspan(part.size());
        iova = iova + part.size();
    }
    return {};
}

} // namespace sluice::inline v1::serve
