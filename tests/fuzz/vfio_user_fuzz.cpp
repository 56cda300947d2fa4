// SPDX-License-Identifier: BSD-3-Clause
// Arbitrary bytes, in arbitrary pieces, with arbitrary descriptors, into a vfio-user channel.
//
// Input: a byte that chooses the channel's limits and how far it reads ahead; then pieces, each a byte of how
// many descriptors come with it (4 bits) and one of its length (times 1 or, with the 0x10 bit of the first,
// 64), and its bytes. What must hold: a message is as long as its header says or has a fault; checks and the
// VERSION parser are total, and agree with what the parser encodes; a stream that is out of step stays so; no
// descriptor is lost.
#include <algorithm>
#include <cerrno>

#include <sluice/vfio_user/check.hpp>
#include <sluice/vfio_user/version.hpp>

#include "wire.hpp"

using namespace sluice;
using namespace sluice::vfio_user;
using fuzz::must_hold;

namespace {

constexpr std::uint64_t small_message = 300;

void look_at(const Message& message, std::uint64_t most) {
    if (message.fault == E2BIG)
        must_hold(message.body.empty() && message.header.size > most);
    else
        must_hold(message.body.size() + sizeof(Header) == message.header.size && message.header.size <= most);
    must_hold(message.fds.size() <= 253);
    const Limits limits{8, 4096, 100};
    for (const Sender sender : {Sender::client, Sender::server}) {
        const int code = check_request(message, sender, limits);
        must_hold(code >= 0);
        if (code == 0) {
            const Shape* row = shape(message.header.command);
            must_hold(row != nullptr && row->sender == sender && message.body.size() >= row->size);
            must_hold(message.fds.size() <= limits.max_msg_fds && !message.is_reply());
        }
    }
    for (const Shape& row : shapes()) {
        Header request = message.header;
        request.command = static_cast<std::uint16_t>(row.command);
        if (check_reply(message, request, limits) == 0)
            must_hold(message.body.size() >= row.reply_size && message.is_reply());
    }
    if (const auto version = parse_version(message.body)) {
        const auto again = parse_version(encode(*version));
        must_hold(again && again->minor == version->minor &&
                  again->limits.max_data_xfer_size == version->limits.max_data_xfer_size &&
                  again->twin_socket.has_value() == version->twin_socket.has_value());
        static_cast<void>(agree(Version{}, *version));
    }
}

/// All that has arrived. False: the stream is over.
bool drain(Channel& channel, std::uint64_t most) {
    for (;;) {
        auto message = channel.receive();
        if (!message)
            return false;
        if (!*message)
            return true;
        look_at(**message, most);
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0)
        return 0;
    const auto before = fuzz::open_descriptors();
    {
        auto ends = socket_pair();
        must_hold(ends.has_value());
        const int event = ::eventfd(0, EFD_CLOEXEC);
        const std::vector<int> fds(16, event);
        const std::uint64_t most = (data[0] & 1) != 0 ? small_message : Channel::longest(4096);
        Channel channel(std::move((*ends)[1]), most,
                        (data[0] & 2) != 0 ? Channel::ahead_of_server : Channel::ahead_of_client);
        std::span<const std::uint8_t> rest(data + 1, size - 1);
        bool open = true;
        while (rest.size() > 2 && open) {
            const std::size_t count = rest[0] & 0xf;
            const std::size_t wanted = std::size_t{rest[1]} * ((rest[0] & 0x10) != 0 ? 64 : 1);
            rest = rest.subspan(2);
            const auto piece = rest.first(std::min(rest.size(), std::max<std::size_t>(wanted, 1)));
            rest = rest.subspan(piece.size());
            static_cast<void>(fuzz::send_some((*ends)[0].get(), piece, std::span(fds).first(count)));
            open = drain(channel, most);
        }
        (*ends)[0].reset();
        must_hold(!drain(channel, most));
        ::close(event);
    }
    must_hold(fuzz::open_descriptors() == before);
    return 0;
}
