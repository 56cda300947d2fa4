// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// Typed registers. A register is a type, and an object of that type is a snapshot of its value: it is
/// read, changed and written back in the open.
///
///     struct Ctrl : reg::Register<Ctrl, 0x0000, std::uint32_t, reg::Access::rw> {
///         using Rst = Bit<26>;
///         using Speed = Field<9, 8>;
///     };
///     auto ctrl = Ctrl::read(io);
///     ctrl.set<Ctrl::Rst>().set<Ctrl::Speed>(2).write(io);
///
/// Bits are numbered as in data sheets, high first.
#pragma once

#include <cassert>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <sluice/reg/io.hpp>

namespace sluice::inline v1::reg {

/// What software may do with a register.
enum class Access {
    ro,  ///< read; a write has no meaning
    wo,  ///< write; a read has no meaning
    rw,  ///< plain memory-like bits, or bits that a read-modify-write does not disturb
    rc,  ///< a read clears it
    w1c, ///< a one that is written clears that bit
};

constexpr bool readable(Access access) noexcept {
    return access != Access::wo;
}
constexpr bool writable(Access access) noexcept {
    return access == Access::wo || access == Access::rw || access == Access::w1c;
}

/// Bits `High` down to `Low` of the value that `Owner` describes.
template <typename Owner, typename WordType, unsigned High, unsigned Low>
struct FieldOf {
    static_assert(High < unsigned(std::numeric_limits<WordType>::digits), "field is wider than its register");
    static_assert(Low <= High, "a field names its high bit first");

    using owner = Owner;
    static constexpr unsigned low = Low;
    static constexpr unsigned width = High - Low + 1;
    static constexpr WordType max = static_cast<WordType>(
        std::numeric_limits<WordType>::max() >> (std::numeric_limits<WordType>::digits - int(width)));
    static constexpr WordType mask = static_cast<WordType>(max << Low);
};

/// The value of a register, or of any other word with fields (a descriptor's, a PHY's).
template <typename Self, std::unsigned_integral WordType>
class Value {
  public:
    using Word = WordType;

    template <unsigned High, unsigned Low>
    using Field = FieldOf<Self, Word, High, Low>;
    template <unsigned N>
    using Bit = FieldOf<Self, Word, N, N>;

    constexpr Value() noexcept = default;

    static constexpr Self from(Word raw) noexcept {
        Self self;
        self.raw_ = raw;
        return self;
    }
    constexpr Word raw() const noexcept { return raw_; }

    /// A Bit reads as bool, a Field as the word's type, shifted down.
    template <typename F>
    constexpr auto get() const noexcept {
        check_owner<F>();
        if constexpr (F::width == 1)
            return (raw_ & F::mask) != 0;
        else
            return static_cast<Word>((raw_ & F::mask) >> F::low);
    }

    /// Sets a field; the value must fit. A Bit is set when no value is given.
    template <typename F>
    constexpr Self& set(Word value = 1) noexcept {
        check_owner<F>();
        assert(value <= F::max);
        raw_ = static_cast<Word>((raw_ & ~F::mask) | (static_cast<Word>(value << F::low) & F::mask));
        return static_cast<Self&>(*this);
    }

    template <typename F>
    constexpr Self& clear() noexcept {
        return set<F>(0);
    }

    /// No bit is zero: what a device that is gone answers.
    constexpr bool all_ones() const noexcept { return raw_ == std::numeric_limits<Word>::max(); }

    friend constexpr bool operator==(const Value& a, const Value& b) noexcept { return a.raw_ == b.raw_; }

  private:
    template <typename F>
    static constexpr void check_owner() noexcept {
        static_assert(std::is_same_v<typename F::owner, Self>, "field belongs to another register");
    }

    Word raw_ = 0;
};

/// `Count` registers of one kind, `Stride` bytes apart, the first at `Offset`.
template <typename Self, std::size_t Offset, std::unsigned_integral WordType, Access Kind, std::size_t Count,
          std::size_t Stride>
class Array : public Value<Self, WordType> {
  public:
    static constexpr std::size_t first = Offset;
    static constexpr std::size_t count = Count;
    static constexpr std::size_t stride = Stride;
    static constexpr Access access = Kind;
    static constexpr unsigned width = sizeof(WordType);

    static constexpr std::size_t offset(std::size_t index) noexcept {
        assert(index < Count);
        return Offset + index * Stride;
    }

    static Self read(Io& io, std::size_t index) noexcept
        requires(readable(Kind))
    {
        return Self::from(static_cast<WordType>(io.read(offset(index), width)));
    }

    void write(Io& io, std::size_t index) const noexcept
        requires(writable(Kind))
    {
        io.write(offset(index), width, this->raw());
    }

    template <typename Change>
    static void modify(Io& io, std::size_t index, Change change) noexcept
        requires(Kind == Access::rw)
    {
        Self value = read(io, index);
        change(value);
        value.write(io, index);
    }
};

/// One register. `modify` exists for plain read-write registers alone: on one that is cleared by a read
/// or by a written one it would lose events.
template <typename Self, std::size_t Offset, std::unsigned_integral WordType, Access Kind>
class Register : public Value<Self, WordType> {
  public:
    static constexpr std::size_t first = Offset;
    static constexpr std::size_t count = 1;
    static constexpr std::size_t stride = sizeof(WordType);
    static constexpr Access access = Kind;
    static constexpr unsigned width = sizeof(WordType);

    static Self read(Io& io) noexcept
        requires(readable(Kind))
    {
        return Self::from(static_cast<WordType>(io.read(Offset, width)));
    }

    void write(Io& io) const noexcept
        requires(writable(Kind))
    {
        io.write(Offset, width, this->raw());
    }

    template <typename Change>
    static void modify(Io& io, Change change) noexcept
        requires(Kind == Access::rw)
    {
        Self value = read(io);
        change(value);
        value.write(io);
    }
};

} // namespace sluice::inline v1::reg
