// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/base/mapping.hpp>

#include <sys/mman.h>

namespace sluice::inline v1 {

Mapping& Mapping::operator=(Mapping&& other) noexcept {
    if (this != &other) {
        reset();
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
    }
    return *this;
}

Result<Mapping> Mapping::shared(int fd, std::size_t size, std::uint64_t offset, int prot) {
    void* memory = ::mmap(nullptr, size, prot, MAP_SHARED, fd, static_cast<off_t>(offset));
    if (memory == MAP_FAILED)
        return fail_errno("cannot map a file into memory");
    return Mapping(static_cast<std::byte*>(memory), size);
}

Result<Mapping> Mapping::anonymous(std::size_t size) {
    void* memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return fail_errno("cannot map anonymous memory");
    return Mapping(static_cast<std::byte*>(memory), size);
}

void Mapping::reset() noexcept {
    if (data_ != nullptr)
        ::munmap(data_, size_);
    data_ = nullptr;
    size_ = 0;
}

} // namespace sluice::inline v1
