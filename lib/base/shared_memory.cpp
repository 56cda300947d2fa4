// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/base/shared_memory.hpp>

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <mutex>
#include <vector>

#include <sluice/base/bus_error.hpp>

namespace sluice::inline v1 {

/// Slots are never freed, only used again, so that a signal handler can walk them at any time.
struct SharedMemory::Slot {
    std::atomic<std::uintptr_t> begin{0}; ///< 0: not in use
    std::atomic<std::size_t> size{0};
    std::atomic<int> wake{-1};
    std::atomic<bool> gone{false};
    Slot* next = nullptr;
};

namespace {

constexpr std::uint64_t page = 4096;
constexpr std::uint64_t largest_page = 1 << 30;

std::atomic<SharedMemory::Slot*> slots{nullptr};
std::atomic<std::uint64_t> losses_seen{0};
struct sigaction earlier_handler;

struct FreeSlots {
    std::mutex mutex;
    std::vector<SharedMemory::Slot*> slots;
};

FreeSlots& free_slots() {
    static FreeSlots instance;
    return instance;
}

SharedMemory::Slot* take_slot() {
    FreeSlots& unused = free_slots();
    const std::lock_guard lock(unused.mutex);
    if (!unused.slots.empty()) {
        auto* slot = unused.slots.back();
        unused.slots.pop_back();
        return slot;
    }
    auto* slot = new SharedMemory::Slot;
    slot->next = slots.load();
    slots = slot;
    return slot;
}

void on_bus_error(int number, siginfo_t* info, void* context) {
    if (absorb_bus_error(info->si_addr))
        return;
    if ((earlier_handler.sa_flags & SA_SIGINFO) != 0 && earlier_handler.sa_sigaction != nullptr) {
        earlier_handler.sa_sigaction(number, info, context);
        return;
    }
    if (earlier_handler.sa_handler != SIG_DFL && earlier_handler.sa_handler != SIG_IGN) {
        earlier_handler.sa_handler(number);
        return;
    }
    struct sigaction standard{};
    standard.sa_handler = SIG_DFL;
    ::sigaction(SIGBUS, &standard, nullptr); // the access is made once more, and ends the process
}

} // namespace

bool absorb_bus_error(void* address) noexcept {
    const int code = errno;
    const auto at = reinterpret_cast<std::uintptr_t>(address);
    for (auto* slot = slots.load(); slot != nullptr; slot = slot->next) {
        const std::uintptr_t begin = slot->begin.load();
        const std::size_t size = slot->size.load();
        if (begin == 0 || at < begin || at - begin >= size)
            continue;
        // NOLINTNEXTLINE(performance-no-int-to-ptr): the mapping's own address
        void* memory = ::mmap(reinterpret_cast<void*>(begin), size, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED)
            break;
        slot->gone = true;
        losses_seen.fetch_add(1);
        const std::uint64_t one = 1;
        static_cast<void>(!::write(slot->wake.load(), &one, sizeof one));
        errno = code;
        return true;
    }
    errno = code;
    return false;
}

void handle_bus_errors() noexcept {
    struct sigaction action{};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    ::sigemptyset(&action.sa_mask);
    struct sigaction before{};
    if (::sigaction(SIGBUS, &action, &before) == 0 && before.sa_sigaction != on_bus_error)
        earlier_handler = before;
}

Result<SharedMemory> SharedMemory::map(int fd, std::uint64_t offset, std::uint64_t size, bool writable,
                                       int wake) {
    struct statfs system{};
    struct stat facts{};
    if (::fstatfs(fd, &system) != 0 || ::fstat(fd, &facts) != 0)
        return fail_errno("cannot tell what the file of shared memory is");
    const auto kind = static_cast<std::uint64_t>(system.f_type);
    if (!S_ISREG(facts.st_mode) || (kind != TMPFS_MAGIC && kind != HUGETLBFS_MAGIC))
        return fail(ENOTSUP, "the file of shared memory is not in memory: tmpfs, a memfd or hugetlbfs is");
    const auto length = static_cast<std::uint64_t>(facts.st_size);
    if (size == 0 || offset > length || size > length - offset)
        return fail(EINVAL, "shared memory is not inside its file");
    // A file of hugepages says their size as its block size, and is mapped in multiples of it.
    const auto block = static_cast<std::uint64_t>(facts.st_blksize);
    const std::uint64_t align = std::has_single_bit(block) ? std::clamp(block, page, largest_page) : page;
    const std::uint64_t inside = offset & (align - 1);
    const std::uint64_t whole = (inside + size + align - 1) & ~(align - 1);
    auto mapping = Mapping::shared(fd, whole, offset - inside, PROT_READ | (writable ? PROT_WRITE : 0));
    if (!mapping)
        return propagate(std::move(mapping));
    SharedMemory memory;
    memory.mapping_ = std::move(*mapping);
    memory.span_ = memory.mapping_.span().subspan(inside, size);
    memory.slot_ = take_slot();
    memory.slot_->gone = false;
    memory.slot_->wake = wake;
    memory.slot_->size = whole;
    memory.slot_->begin = reinterpret_cast<std::uintptr_t>(memory.mapping_.data());
    return memory;
}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
    if (this != &other) {
        release();
        mapping_ = std::move(other.mapping_);
        span_ = std::exchange(other.span_, {});
        slot_ = std::exchange(other.slot_, nullptr);
    }
    return *this;
}

void SharedMemory::release() noexcept {
    if (slot_ != nullptr) {
        slot_->begin = 0;
        FreeSlots& unused = free_slots();
        const std::lock_guard lock(unused.mutex);
        unused.slots.push_back(std::exchange(slot_, nullptr));
    }
    span_ = {};
    mapping_.reset();
}

bool SharedMemory::is_gone() const noexcept {
    return slot_ != nullptr && slot_->gone.load();
}

std::uint64_t SharedMemory::losses() noexcept {
    return losses_seen.load();
}

} // namespace sluice::inline v1
