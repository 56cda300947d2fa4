// SPDX-License-Identifier: BSD-3-Clause
// expect: register is not in the map
#include <sluice/reg/map.hpp>

using namespace sluice;

struct A : reg::Register<A, 0x00, std::uint32_t, reg::Access::rw> {};
struct B : reg::Register<B, 0x04, std::uint32_t, reg::Access::rw> {};
#ifdef MISUSE
using Map = reg::Map<0x10, A>;
#else
using Map = reg::Map<0x10, A, B>;
#endif
std::uint32_t touch(const reg::View<Map>& regs) {
    return regs.read<B>().raw();
}
