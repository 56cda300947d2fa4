// SPDX-License-Identifier: BSD-3-Clause
// expect: register ends outside the map
#include <sluice/reg/map.hpp>

using namespace sluice;

#ifdef MISUSE
constexpr std::size_t size = 0x0c;
#else
constexpr std::size_t size = 0x10;
#endif
struct A : reg::Register<A, 0x08, std::uint64_t, reg::Access::rw> {};
static_assert(reg::Map<size, A>::size == size);
