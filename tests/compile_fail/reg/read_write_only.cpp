// SPDX-License-Identifier: BSD-3-Clause
// expect: read
#include <sluice/reg/map.hpp>

using namespace sluice;

#ifdef MISUSE
constexpr auto kind = reg::Access::wo;
#else
constexpr auto kind = reg::Access::rw;
#endif
struct A : reg::Register<A, 0x00, std::uint32_t, kind> {};
std::uint32_t touch(reg::Io& io) {
    return A::read(io).raw();
}
