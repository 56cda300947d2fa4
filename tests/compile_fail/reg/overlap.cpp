// SPDX-License-Identifier: BSD-3-Clause
// expect: registers overlap
#include <sluice/reg/map.hpp>

using namespace sluice;

#ifdef MISUSE
constexpr std::size_t second = 0x02;
#else
constexpr std::size_t second = 0x04;
#endif
struct A : reg::Register<A, 0x00, std::uint32_t, reg::Access::rw> {};
struct B : reg::Register<B, second, std::uint16_t, reg::Access::rw> {};
static_assert(reg::Map<0x10, A, B>::size == 0x10);
