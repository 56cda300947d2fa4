// SPDX-License-Identifier: BSD-3-Clause
// expect: register is misaligned
#include <sluice/reg/map.hpp>

using namespace sluice;

#ifdef MISUSE
constexpr std::size_t at = 0x02;
#else
constexpr std::size_t at = 0x04;
#endif
struct A : reg::Register<A, at, std::uint32_t, reg::Access::rw> {};
static_assert(reg::Map<0x10, A>::size == 0x10);
