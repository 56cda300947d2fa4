// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/dma/eal_memory.hpp>

#include <rte_eal_memconfig.h>
#include <rte_errno.h>
#include <rte_memory.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <sluice/base/log.hpp>

namespace sluice::inline v1::dma {

namespace {

/// A stretch that is contiguous for the CPU, in EAL's IOVAs and, if it has one, in its file.
struct Piece {
    std::byte* address = nullptr;
    std::size_t size = 0;
    std::uint64_t eal_iova = 0;
    device::MemoryFile file;

    bool continues(const Piece& before) const noexcept {
        return address == before.address + before.size && eal_iova == before.eal_iova + before.size &&
               file.fd == before.file.fd && (file.fd < 0 || file.offset == before.file.offset + before.size);
    }
};

/// With EAL's memory locked. `with_file`: for a space whose devices map the memory from its file; EAL has one
/// for hugepages and for --no-huge memory.
Piece piece_of(const rte_memseg& segment, bool with_file) {
    Piece piece{static_cast<std::byte*>(segment.addr), segment.len, segment.iova, {}};
    if (!with_file)
        return piece;
    std::size_t offset = 0;
    const int fd = rte_memseg_get_fd_thread_unsafe(&segment);
    if (fd >= 0 && rte_memseg_get_fd_offset_thread_unsafe(&segment, &offset) == 0)
        piece.file = {fd, offset};
    return piece;
}

/// EAL gives memory back page by page, and an IOMMU mapping ends as a whole: only pages that EAL never gives
/// back are joined. Without change events it gives none back.
struct Walk {
    bool join_all = false;
    bool with_files = false;
    bool last_joins = false;
    std::vector<Piece> pieces;
};

int collect(const rte_memseg_list* list, const rte_memseg* segment, void* argument) {
    auto& walk = *static_cast<Walk*>(argument);
    if (list->external != 0)
        return 0;
    const Piece piece = piece_of(*segment, walk.with_files);
    const bool joins = walk.join_all || (segment->flags & RTE_MEMSEG_FLAG_DO_NOT_FREE) != 0;
    if (joins && walk.last_joins && !walk.pieces.empty() && piece.continues(walk.pieces.back()))
        walk.pieces.back().size += piece.size;
    else
        walk.pieces.push_back(piece);
    walk.last_joins = joins;
    return 0;
}

/// EAL's memory lock, for reading: memory neither comes nor goes meanwhile.
class MemoryLock {
  public:
    MemoryLock() noexcept { rte_mcfg_mem_read_lock(); }
    MemoryLock(const MemoryLock&) = delete;
    MemoryLock& operator=(const MemoryLock&) = delete;
    ~MemoryLock() { rte_mcfg_mem_read_unlock(); }
};

} // namespace

/// One per space. EAL's callbacks find it by the registry's address of it, and it is unregistered before it
/// dies.
class EalMemory::Subscriber {
  public:
    explicit Subscriber(std::shared_ptr<device::AddressSpace> space)
        : space_(std::move(space)) {
        static std::atomic<unsigned> next{0};
        static_cast<void>(std::snprintf(name_, sizeof name_, "sluice-space-%u", next.fetch_add(1)));
    }
    Subscriber(const Subscriber&) = delete;
    Subscriber& operator=(const Subscriber&) = delete;
    ~Subscriber();

    Result<> start();

    const std::shared_ptr<device::AddressSpace>& space() const noexcept { return space_; }
    std::uint64_t failures() const noexcept { return failures_.load(std::memory_order_relaxed); }
    bool follows() const noexcept { return follows_; }

  private:
    static void on_event(rte_mem_event event, const void* address, std::size_t size, void* self);
    Result<> map(const Piece& piece);
    void unmap(std::uint64_t iova, std::size_t size);
    void added(const Piece& piece);

    std::shared_ptr<device::AddressSpace> space_;
    char name_[RTE_MEM_EVENT_CALLBACK_NAME_LEN];
    bool follows_ = false;
    std::atomic<std::uint64_t> failures_{0};
    std::mutex mutex_;
    std::map<std::uint64_t, std::size_t> mapped_; // by IOVA
};

Result<> EalMemory::Subscriber::map(const Piece& piece) {
    if (piece.eal_iova == RTE_BAD_IOVA)
        return fail(EINVAL,
                    "cannot let devices reach EAL's memory, it has no IOVA: run EAL with --iova-mode=va");
    const Iova iova{piece.eal_iova + space_->iova_offset()};
    auto done = space_->map(iova, {piece.address, piece.size}, device::DmaAccess::read_write, piece.file);
    if (!done)
        return done;
    const std::lock_guard lock(mutex_);
    mapped_.emplace(iova.value, piece.size);
    return {};
}

void EalMemory::Subscriber::unmap(std::uint64_t iova, std::size_t size) {
    auto done = space_->unmap(Iova{iova}, size);
    if (!done)
        log(LogLevel::warning, done.error().message());
}

Result<> EalMemory::Subscriber::start() {
    const MemoryLock lock;
    const int registered = rte_mem_event_callback_register(name_, on_event, this);
    if (registered != 0 && rte_errno != ENOTSUP)
        return fail(rte_errno, "cannot follow EAL's memory");
    follows_ = registered == 0;
    Walk walk;
    walk.join_all = !follows_;
    walk.with_files = space_->needs_files();
    rte_memseg_walk_thread_unsafe(collect, &walk);
    for (const Piece& piece : walk.pieces) {
        auto done = map(piece);
        if (!done)
            return done;
    }
    return {};
}

EalMemory::Subscriber::~Subscriber() {
    if (follows_)
        rte_mem_event_callback_unregister(name_, this);
    for (const auto& [iova, size] : mapped_)
        unmap(iova, size);
}

void EalMemory::Subscriber::added(const Piece& piece) {
    auto done = map(piece);
    if (done)
        return;
    failures_.fetch_add(1, std::memory_order_relaxed);
    log(LogLevel::error, done.error().message());
}

void EalMemory::Subscriber::on_event(rte_mem_event event, const void* address, std::size_t size, void* self) {
    auto& subscriber = *static_cast<Subscriber*>(self);
    const rte_memseg_list* list = rte_mem_virt2memseg_list(address);
    if (list == nullptr || list->external != 0)
        return;
    const auto* at = static_cast<const std::byte*>(address);
    for (const auto* end = at + size; at < end; at += list->page_sz) {
        const rte_memseg* segment = rte_mem_virt2memseg(at, list);
        if (segment == nullptr)
            continue;
        const Piece piece = piece_of(*segment, subscriber.space_->needs_files());
        if (event == RTE_MEM_EVENT_ALLOC) {
            subscriber.added(piece);
            continue;
        }
        const std::uint64_t iova = piece.eal_iova + subscriber.space_->iova_offset();
        const std::lock_guard lock(subscriber.mutex_);
        if (subscriber.mapped_.erase(iova) != 0)
            subscriber.unmap(iova, piece.size);
    }
}

Result<EalMemory> EalMemory::subscribe(const std::shared_ptr<device::AddressSpace>& space) {
    static std::mutex mutex;
    static std::map<const device::AddressSpace*, std::weak_ptr<Subscriber>> subscribers;
    const std::lock_guard lock(mutex);
    std::erase_if(subscribers, [](const auto& entry) { return entry.second.expired(); });
    if (auto held = subscribers[space.get()].lock())
        return EalMemory(std::move(held));
    auto subscriber = std::make_shared<Subscriber>(space);
    auto started = subscriber->start();
    if (!started)
        return propagate(std::move(started));
    subscribers[space.get()] = subscriber;
    return EalMemory(std::move(subscriber));
}

const std::shared_ptr<device::AddressSpace>& EalMemory::space() const noexcept {
    return subscriber_->space();
}

std::uint64_t EalMemory::iova_offset() const noexcept {
    return subscriber_->space()->iova_offset();
}

std::uint64_t EalMemory::failures() const noexcept {
    return subscriber_->failures();
}

bool EalMemory::follows_changes() const noexcept {
    return subscriber_->follows();
}

} // namespace sluice::inline v1::dma
