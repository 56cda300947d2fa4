// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/model/fifo.hpp>

#include <cstring>

namespace sluice::inline v1::model {

bool FrameFifo::push(const Frame& frame) noexcept {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    const std::size_t at = head % capacity;
    const std::size_t wanted = record_bytes(frame.length);
    // A record lies in one piece: at the end of the block the rest is skipped.
    const std::size_t unused = wanted > capacity - at ? capacity - at : 0;
    if (wanted > capacity || head + unused + wanted - tail_.load(std::memory_order_acquire) > capacity)
        return false;
    const std::size_t to = unused != 0 ? 0 : at;
    if (unused != 0) {
        const Record record{skip, {}};
        std::memcpy(memory_.data() + at, &record, sizeof record);
    }
    const Record record{frame.length, frame.header};
    std::memcpy(memory_.data() + to, &record, sizeof record);
    copy_frame(frame, std::span(memory_).subspan(to + sizeof record, frame.length));
    head_.store(head + unused + wanted, std::memory_order_release);
    return true;
}

std::span<const Frame> FrameFifo::peek() noexcept {
    const std::uint64_t head = head_.load(std::memory_order_acquire);
    std::uint64_t at = tail_.load(std::memory_order_relaxed);
    std::size_t found = 0;
    while (at != head && found < max_burst) {
        std::byte* const where = memory_.data() + at % capacity;
        Record record;
        std::memcpy(static_cast<void*>(&record), where, sizeof record);
        if (record.bytes == skip) {
            at += capacity - at % capacity;
            continue;
        }
        pieces_[found] = {where + sizeof record, record.bytes, false};
        frames_[found] = {record.header, record.bytes, {&pieces_[found], 1}};
        at += record_bytes(record.bytes);
        ends_[found++] = at;
    }
    return std::span(frames_).first(found);
}

void FrameFifo::pop(std::size_t count) noexcept {
    if (count != 0)
        tail_.store(ends_[count - 1], std::memory_order_release);
}

void FrameFifo::clear() noexcept {
    tail_.store(head_.load(std::memory_order_acquire), std::memory_order_release);
}

} // namespace sluice::inline v1::model
