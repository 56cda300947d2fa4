// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The registers of a device as one type, checked when it is compiled.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <sluice/base/error.hpp>
#include <sluice/reg/register.hpp>

namespace sluice::inline v1::reg {
namespace detail {

struct Extent {
    std::size_t begin, end;
};

template <typename R>
constexpr bool aligned() {
    return R::first % R::width == 0 && R::stride % R::width == 0;
}

template <typename R>
constexpr std::size_t end_of() {
    return R::first + (R::count - 1) * R::stride + R::width;
}

template <typename... Regs>
constexpr bool disjoint() {
    std::array<Extent, (std::size_t{0} + ... + Regs::count)> extents{};
    std::size_t used = 0;
    const auto add = [&]<typename R>() {
        for (std::size_t i = 0; i < R::count; ++i)
            extents[used++] = {R::first + i * R::stride, R::first + i * R::stride + R::width};
    };
    (add.template operator()<Regs>(), ...);
    std::sort(extents.begin(), extents.end(),
              [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
    for (std::size_t i = 1; i < extents.size(); ++i) {
        if (extents[i].begin < extents[i - 1].end)
            return false;
    }
    return true;
}

} // namespace detail

/// `Size` bytes of registers. A register that is misaligned, ends beyond `Size` or shares a byte with
/// another one does not compile.
template <std::size_t Size, typename... Regs>
struct Map {
    static_assert((detail::aligned<Regs>() && ...), "register is misaligned");
    static_assert(((detail::end_of<Regs>() <= Size) && ...), "register ends outside the map");
    static_assert(detail::disjoint<Regs...>(), "registers overlap");

    static constexpr std::size_t size = Size;
    template <typename R>
    static constexpr bool contains = (std::is_same_v<R, Regs> || ...);
};

/// Access to the registers of one Map through one Io, which outlives it. A register that is not in the
/// map does not compile, and a window that is smaller than the map is refused by `create`.
template <typename M>
class View {
  public:
    static Result<View> create(Io& io) {
        if (io.size() < M::size)
            return fail(EINVAL, "register window is smaller than the device's registers");
        return View(io);
    }

    template <typename R>
    R read() const noexcept {
        check<R>();
        return R::read(*io_);
    }
    template <typename R>
    R read(std::size_t index) const noexcept {
        check<R>();
        return R::read(*io_, index);
    }

    template <typename R>
    void write(const R& value) const noexcept {
        check<R>();
        value.write(*io_);
    }
    template <typename R>
    void write(std::size_t index, const R& value) const noexcept {
        check<R>();
        value.write(*io_, index);
    }

    /// Reads `R`, lets `change` alter the snapshot, and writes it back.
    template <typename R, typename Change>
    void modify(Change change) const noexcept {
        check<R>();
        R::modify(*io_, std::move(change));
    }

    Io& io() const noexcept { return *io_; }

  private:
    explicit View(Io& io) noexcept
        : io_(&io) {}

    template <typename R>
    static constexpr void check() noexcept {
        static_assert(M::template contains<R>, "register is not in the map");
    }

    Io* io_;
};

} // namespace sluice::inline v1::reg
