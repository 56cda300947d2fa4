// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Messages over a stream socket, with descriptors.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/base/unique_fd.hpp>
#include <sluice/vfio_user/messages.hpp>

namespace sluice::inline v1::vfio_user {

/// One message as it came. It owns the descriptors that came with any of its bytes.
struct Message {
    Header header;
    std::vector<std::byte> body;
    std::vector<UniqueFd> fds;
    int fault = 0; ///< E2BIG: longer than the channel takes, `body` is empty. EMFILE: descriptors were lost.
                   ///< EINVAL: more of them than any message has

    bool is_reply() const noexcept { return (header.flags & type_mask) == type_reply; }
    bool wants_reply() const noexcept {
        return (header.flags & type_mask) == type_command && (header.flags & flag_no_reply) == 0;
    }
};

/// One end of a connected Unix stream socket. Keeps the stream in step whatever comes: a message that cannot
/// be taken is passed over to its end. Memory is bounded by the longest message each way. Not thread-safe.
class Channel {
  public:
    using Parts = std::initializer_list<std::span<const std::byte>>;

    /// The longest message that any agreed limits call for.
    static constexpr std::uint64_t longest(std::uint64_t max_data_xfer_size) noexcept {
        return max_data_xfer_size + max_info;
    }

    /// Bytes that are read at once where a message begins. Descriptors that come with them belong to the last
    /// message that begins in them. A client may pipeline messages with and without descriptors: what does
    /// not reach beyond the shortest message that takes descriptors keeps them apart. A server sends
    /// descriptors in replies alone, of which one is awaited at a time.
    static constexpr std::size_t ahead_of_client = 32;
    static constexpr std::size_t ahead_of_server = 4096;

    explicit Channel(UniqueFd socket, std::uint64_t max_message = longest(1 << 20),
                     std::size_t ahead = ahead_of_client) noexcept;

    int fd() const noexcept { return socket_.get(); }
    void set_max_message(std::uint64_t bytes) noexcept { max_message_ = bytes; }

    /// The next message, none when not all of it is there yet. Never blocks, unless `wait`: then for as long
    /// as a blocking socket's SO_RCVTIMEO lets it. ECONNRESET: the peer is gone. EPROTO: the stream is out of
    /// step for good (a size below the header's).
    Result<std::optional<Message>> receive(bool wait = false);

    /// Sends header and parts as one message, `header.size` filled in, `fds` with the first byte. What the
    /// socket does not take now is kept for flush(): see pending(). ECONNRESET, EPIPE: the peer is gone.
    Result<> send(Header header, Parts parts, std::span<const int> fds = {});

    /// Sends a reply to `request`.
    Result<> reply(const Header& request, Parts parts, std::span<const int> fds = {});

    /// Sends the error reply `code` to `request`.
    Result<> refuse(const Header& request, int code);

    /// Bytes that wait for the socket, and sending more of them.
    std::size_t pending() const noexcept { return out_.size() - sent_; }
    Result<> flush();

    /// More than the message that receive() gave last was read: wait() and epoll know nothing of it.
    bool has_more() const noexcept { return begin_ != end_; }

    struct Ready {
        bool self = false; ///< there is something to receive, or to send if pending()
        bool other = false;
        explicit operator bool() const noexcept { return self || other; }
    };

    /// Waits until something is ready, `timeout_ms` at most. `other`: a second descriptor to be readable.
    Ready wait(int timeout_ms, int other = -1) const noexcept;

  private:
    Result<std::size_t> receive_some(std::byte* to, std::size_t size, bool wait);
    void take_fds(const void* control);
    void consume() noexcept;
    bool begin_body();
    bool is_complete() const noexcept;
    Result<std::size_t> send_some(std::span<const std::span<const std::byte>> parts,
                                  std::span<const int> fds);

    UniqueFd socket_;
    std::uint64_t max_message_;
    std::size_t ahead_;
    std::array<std::byte, ahead_of_server> buffer_; ///< what was read and not looked at: [begin_, end_)
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::vector<UniqueFd> fds_; ///< that came with the last read
    int fault_ = 0;             ///< the same
    std::array<std::byte, sizeof(Header)> head_;
    std::size_t got_ = 0;    ///< bytes of the message, header included
    std::uint64_t skip_ = 0; ///< bytes to pass over
    bool lost_ = false;      ///< out of step
    Message message_;
    std::vector<std::byte> out_;
    std::size_t sent_ = 0;
    std::vector<UniqueFd> out_fds_;
};

/// Two connected channels' sockets, non-blocking and close-on-exec.
Result<std::array<UniqueFd, 2>> socket_pair();

} // namespace sluice::inline v1::vfio_user
