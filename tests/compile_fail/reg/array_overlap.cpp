// SPDX-License-Identifier: BSD-3-Clause
// expect: registers overlap
#include <sluice/reg/map.hpp>

using namespace sluice;

#ifdef MISUSE
constexpr std::size_t count = 4;
#else
constexpr std::size_t count = 3;
#endif
struct A : reg::Array<A, 0x00, std::uint32_t, reg::Access::rw, count, 8> {};
struct B : reg::Register<B, 0x18, std::uint32_t, reg::Access::rw> {};
static_assert(reg::Map<0x20, A, B>::size == 0x20);
