// SPDX-License-Identifier: BSD-3-Clause
// expect: modify
#include <sluice/reg/map.hpp>

using namespace sluice;

#ifdef MISUSE
constexpr auto kind = reg::Access::w1c;
#else
constexpr auto kind = reg::Access::rw;
#endif
struct A : reg::Register<A, 0x00, std::uint32_t, kind> {};
void touch(reg::Io& io) {
    A::modify(io, [](A&) {});
}
