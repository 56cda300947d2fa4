// SPDX-License-Identifier: BSD-3-Clause
#include "client_irqs.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <utility>

namespace sluice::inline v1::serve {

using device::Irq;
using vfio_user::IrqSet;

namespace {

int outcome_of(const Result<>& result) {
    return result ? 0 : result.error().code();
}

/// Signalling writes to it: anything but an eventfd might block, or do worse. One that blocks when it is full
/// is made one that does not.
bool take_eventfd(int fd) {
    char path[40];
    char target[40];
    static_cast<void>(std::snprintf(path, sizeof path, "/proc/self/fd/%d", fd));
    const ssize_t length = ::readlink(path, target, sizeof target);
    if (length <= 0 || std::string_view(target, static_cast<std::size_t>(length)) != "anon_inode:[eventfd]")
        return false;
    const int flags = ::fcntl(fd, F_GETFL);
    return flags >= 0 && ((flags & O_NONBLOCK) != 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0);
}

/// Kinds of one vector that is on with an eventfd, or off.
bool is_single(Irq irq) {
    return irq != Irq::msi && irq != Irq::msix;
}

/// Whether the request is for vector `i` of its range.
bool wants(const IrqSet& request, std::span<const std::byte> flags, std::uint32_t i) {
    return (request.flags & IrqSet::data_bool) == 0 || flags[i] != std::byte{0};
}

} // namespace

int ClientIrqs::info(vfio_user::IrqInfo& request) const {
    if (request.index >= vfio_user::irq_indices)
        return EINVAL;
    const auto& facts = interrupts_.info(static_cast<Irq>(request.index));
    request.argsz = sizeof request;
    request.count = facts.count;
    request.flags = vfio_user::IrqInfo::eventfd;
    if (facts.maskable)
        request.flags |= vfio_user::IrqInfo::maskable;
    if (facts.automasked)
        request.flags |= vfio_user::IrqInfo::automasked;
    if (!facts.can_add)
        request.flags |= vfio_user::IrqInfo::noresize;
    return 0;
}

int ClientIrqs::set(const IrqSet& request, std::span<const std::byte> flags, std::vector<UniqueFd> fds) {
    if (request.index >= vfio_user::irq_indices ||
        (request.flags & ~(IrqSet::data_mask | IrqSet::actions)) != 0)
        return EINVAL;
    const auto irq = static_cast<Irq>(request.index);
    const std::uint32_t action = request.flags & IrqSet::actions;
    if (action == IrqSet::action_trigger && request.count == 0 && request.start == 0 &&
        (request.flags & IrqSet::data_none) != 0)
        return disable(irq);
    const std::uint32_t count = interrupts_.info(irq).count;
    if (request.count == 0 || request.start >= count || request.count > count - request.start)
        return EINVAL;
    switch (action) {
    case IrqSet::action_trigger:
        return (request.flags & IrqSet::data_eventfd) != 0 ? assign(irq, request, std::move(fds))
                                                           : trigger(irq, request, flags);
    case IrqSet::action_mask:
    case IrqSet::action_unmask:
        return mask(irq, request, flags);
    default:
        return EINVAL;
    }
}

int ClientIrqs::trigger(Irq irq, const IrqSet& request, std::span<const std::byte> flags) {
    for (std::uint32_t i = 0; i < request.count; ++i)
        if (wants(request, flags, i))
            if (const int code = outcome_of(interrupts_.trigger(irq, request.start + i)); code != 0)
                return code;
    return 0;
}

int ClientIrqs::mask(Irq irq, const IrqSet& request, std::span<const std::byte> flags) {
    if (irq != Irq::intx || (request.flags & IrqSet::data_eventfd) != 0)
        return EOPNOTSUPP;
    if (!wants(request, flags, 0))
        return 0;
    return outcome_of((request.flags & IrqSet::action_mask) != 0 ? interrupts_.mask_intx()
                                                                 : interrupts_.unmask_intx());
}

/// No descriptors take the eventfds of the range away; the vectors stay on.
int ClientIrqs::assign(Irq irq, const IrqSet& request, std::vector<UniqueFd> fds) {
    for (const UniqueFd& fd : fds)
        if (!take_eventfd(fd.get()))
            return EINVAL;
    if (is_single(irq) && fds.empty())
        return disable(irq);
    fds.resize(request.count);
    const bool on = interrupts_.active(irq) != 0;
    std::vector<int> raw(on ? 0 : request.start, -1);
    for (const UniqueFd& fd : fds)
        raw.push_back(fd.get());
    const auto done = on ? interrupts_.set(irq, request.start, raw) : interrupts_.enable(irq, raw);
    if (!done)
        return done.error().code();
    auto& held = held_[request.index];
    if (held.size() < request.start + fds.size())
        held.resize(request.start + fds.size());
    for (std::size_t i = 0; i < fds.size(); ++i)
        held[request.start + i] = std::move(fds[i]);
    return 0;
}

int ClientIrqs::disable(Irq irq) {
    const int code = outcome_of(interrupts_.disable(irq));
    if (code == 0)
        held_[static_cast<std::size_t>(irq)].clear();
    return code;
}

void ClientIrqs::disable_all() {
    for (std::size_t i = 0; i < device::irq_count; ++i)
        static_cast<void>(disable(static_cast<Irq>(i)));
}

} // namespace sluice::inline v1::serve
