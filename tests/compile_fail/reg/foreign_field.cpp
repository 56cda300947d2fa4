// SPDX-License-Identifier: BSD-3-Clause
// expect: field belongs to another register
#include <sluice/reg/map.hpp>

using namespace sluice;

struct A : reg::Register<A, 0x00, std::uint32_t, reg::Access::rw> {
    using Up = Bit<1>;
};
struct B : reg::Register<B, 0x04, std::uint32_t, reg::Access::rw> {
    using Up = Bit<1>;
};
#ifdef MISUSE
using Up = B::Up;
#else
using Up = A::Up;
#endif
static_assert(!A::from(0).get<Up>());
