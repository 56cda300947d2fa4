// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/vfio_user/check.hpp>

#include <cerrno>

namespace sluice::inline v1::vfio_user {

namespace {

std::uint64_t most(std::uint32_t more, const Limits& limits) noexcept {
    return more == up_to_data ? limits.max_data_xfer_size : more;
}

/// The data that the fixed part announces, and the data that is there.
int check_count(std::uint64_t count, std::uint64_t present, const Limits& limits) noexcept {
    if (count > limits.max_data_xfer_size)
        return E2BIG;
    return count == present ? 0 : EINVAL;
}

int check_irqs(const Message& message, std::uint64_t more) noexcept {
    const auto set = take<IrqSet>(message.body);
    const std::uint32_t data = set.flags & IrqSet::data_mask;
    const std::uint64_t fds = message.fds.size();
    if (set.argsz < sizeof set || set.count > max_vectors)
        return EINVAL;
    switch (data) {
    case IrqSet::data_none:
        return more == 0 && fds == 0 ? 0 : EINVAL;
    case IrqSet::data_bool:
        return more == set.count && fds == 0 ? 0 : EINVAL;
    case IrqSet::data_eventfd:
        return more == 0 && (fds == 0 || fds == set.count) ? 0 : EINVAL;
    default:
        return EINVAL;
    }
}

int check_writes(std::span<const std::byte> body) noexcept {
    const auto head = take<WriteMultiHead>(body);
    const std::size_t more = body.size() - sizeof head;
    if (more % sizeof(WriteOne) != 0 || head.count != more / sizeof(WriteOne))
        return EINVAL;
    for (std::size_t at = sizeof head; at < body.size(); at += sizeof(WriteOne))
        if (take<WriteOne>(body, at).count > sizeof(WriteOne::data))
            return EINVAL;
    return 0;
}

bool has_argsz(Command command) noexcept {
    switch (command) {
    case Command::dma_map:
    case Command::dma_unmap:
    case Command::get_info:
    case Command::get_region_info:
    case Command::get_region_io_fds:
    case Command::get_irq_info:
    case Command::device_feature:
    case Command::mig_data_read:
    case Command::mig_data_write:
        return true;
    default:
        return false;
    }
}

} // namespace

int check_request(const Message& message, Sender sender, const Limits& limits) noexcept {
    if (message.fault != 0)
        return message.fault;
    if ((message.header.flags & type_mask) != type_command)
        return EINVAL;
    const Shape* row = shape(message.header.command);
    if (row == nullptr || row->sender != sender)
        return EOPNOTSUPP;
    const std::size_t size = message.body.size();
    if (size < row->size)
        return EINVAL;
    const std::uint64_t more = size - row->size;
    if (more > most(row->more, limits))
        return row->more == up_to_data ? E2BIG : EINVAL;
    if (message.fds.size() > (row->fds ? limits.max_msg_fds : 0))
        return EINVAL;
    if (has_argsz(row->command) && take<std::uint32_t>(message.body) < row->size)
        return EINVAL;
    switch (row->command) {
    case Command::dma_map:
        return message.fds.size() <= 1 ? 0 : EINVAL;
    case Command::set_irqs:
        return check_irqs(message, more);
    case Command::region_read:
    case Command::region_write: {
        const std::uint32_t count = take<RegionAccess>(message.body).count;
        return check_count(count, row->command == Command::region_read ? count : more, limits);
    }
    case Command::dma_read:
    case Command::dma_write: {
        const std::uint64_t count = take<DmaAccess>(message.body).count;
        return check_count(count, row->command == Command::dma_read ? count : more, limits);
    }
    case Command::mig_data_read:
    case Command::mig_data_write: {
        const std::uint32_t count = take<MigrationData>(message.body).size;
        return check_count(count, row->command == Command::mig_data_read ? count : more, limits);
    }
    case Command::region_write_multi:
        return check_writes(message.body);
    default:
        return 0;
    }
}

int check_reply(const Message& reply, const Header& request, const Limits& limits) noexcept {
    const Shape* row = shape(request.command);
    if (row == nullptr || reply.fault != 0 || !reply.is_reply() || reply.header.id != request.id ||
        reply.header.command != request.command)
        return EPROTO;
    if ((reply.header.flags & flag_error) != 0) {
        if (!reply.body.empty())
            return EPROTO;
        const bool sane = reply.header.error != 0 && reply.header.error < 4096;
        return sane ? static_cast<int>(reply.header.error) : EIO;
    }
    const std::size_t size = reply.body.size();
    if (size < row->reply_size || size - row->reply_size > most(row->reply_more, limits))
        return EPROTO;
    const std::size_t more = size - row->reply_size;
    if (row->command == Command::region_read && take<RegionAccess>(reply.body).count != more)
        return EPROTO;
    if (row->command == Command::dma_read && take<DmaAccess>(reply.body).count != more)
        return EPROTO;
    return 0;
}

} // namespace sluice::inline v1::vfio_user
