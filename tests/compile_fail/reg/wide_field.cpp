// SPDX-License-Identifier: BSD-3-Clause
// expect: field is wider than its register
#include <sluice/reg/map.hpp>

using namespace sluice;

#ifdef MISUSE
constexpr unsigned high = 32;
#else
constexpr unsigned high = 31;
#endif
struct A : reg::Register<A, 0x00, std::uint32_t, reg::Access::rw> {
    using Wide = Field<high, 30>;
};
static_assert(A::from(0).get<A::Wide>() == 0);
