// SPDX-License-Identifier: BSD-3-Clause
// Every object begins a cache line, so that the lines that a driver touches do not depend on what was
// allocated before, as on the length of a path.
#include <cstdlib>
#include <new>

namespace {

constexpr std::size_t line = 64;

} // namespace

void* operator new(std::size_t size) {
    void* const memory = std::aligned_alloc(line, (size + line - 1) / line * line);
    if (memory == nullptr)
        throw std::bad_alloc();
    return memory;
}

void operator delete(void* memory) noexcept {
    std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
