// SPDX-License-Identifier: BSD-3-Clause
// DMA and interrupts of QEMU's edu device. QEMU, docs/specs/edu.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <sluice/base/unique_fd.hpp>
#include <sluice/config/space.hpp>
#include <sluice/reg/register.hpp>

#include "device_under_test.hpp"

using namespace sluice;
using namespace sluice::conformance;
using device::DmaAccess;
using device::Irq;

namespace {

constexpr std::size_t liveness = 0x04;
constexpr std::size_t raise = 0x60;
constexpr std::size_t acknowledge = 0x64;
constexpr std::size_t dma_source = 0x80;
constexpr std::size_t dma_target = 0x88;
constexpr std::size_t dma_count = 0x90;
constexpr std::size_t dma_command = 0x98;
constexpr std::uint64_t dma_start = 1;
constexpr std::uint64_t dma_to_memory = 2;
constexpr std::uint64_t buffer = 0x40000;
constexpr std::size_t transfer_size = 2048; // QEMU's device refuses one that ends at its buffer's last byte

// The device masks DMA addresses to 28 bits.
constexpr Iova good{0x100000};
constexpr Iova unmapped{0x900000};

class Edu : public OpenDevice {
  protected:
    void SetUp() override {
        OpenDevice::SetUp();
        file_ = UniqueFd(::memfd_create("edu", MFD_CLOEXEC));
        ASSERT_EQ(::ftruncate(file_.get(), page), 0);
        memory_ = Mapping::shared(file_.get(), page, 0, PROT_READ | PROT_WRITE).value();
    }

    /// With its file, which a device in another process needs.
    Result<> map(DmaAccess access) {
        return dev().space()->map(good, memory_.span(), access, {.fd = file_.get(), .offset = 0});
    }

    /// Runs one transfer; false if it does not end.
    bool transfer(std::uint64_t source, std::uint64_t target, std::uint64_t command) {
        registers().write(dma_source, 8, source);
        registers().write(dma_target, 8, target);
        registers().write(dma_count, 8, transfer_size);
        registers().write(dma_command, 8, command | dma_start);
        return becomes([this] { return (registers().read(dma_command, 8) & dma_start) == 0; });
    }
    bool from_memory(Iova iova) { return transfer(iova.value, buffer, 0); }
    bool to_memory(Iova iova) { return transfer(buffer, iova.value, dma_to_memory); }

    void fill(unsigned char first) {
        for (std::size_t i = 0; i < page; ++i)
            memory_.data()[i] = std::byte{static_cast<unsigned char>(first + i * 7)};
    }
    bool holds(unsigned char first) {
        for (std::size_t i = 0; i < transfer_size; ++i)
            if (memory_.data()[i] != std::byte{static_cast<unsigned char>(first + i * 7)})
                return false;
        return true;
    }
    void clear() { std::fill_n(memory_.data(), page, std::byte{0xee}); }
    bool is_clear() {
        return std::ranges::all_of(memory_.span(), [](std::byte byte) { return byte == std::byte{0xee}; });
    }

    UniqueFd file_;
    Mapping memory_;
};

TEST_F(Edu, answers_with_the_inverse) {
    registers().write(liveness, 4, 0x12345678);
    EXPECT_EQ(registers().read(liveness, 4), 0xedcba987U);
}

TEST_F(Edu, moves_memory_both_ways_through_a_mapped_iova) {
    ASSERT_TRUE(map(DmaAccess::read_write));
    fill(3);
    ASSERT_TRUE(from_memory(good));
    clear();
    ASSERT_TRUE(to_memory(good));
    EXPECT_TRUE(holds(3));
}

TEST_F(Edu, reaches_nothing_at_an_unmapped_iova_and_recovers) {
    ASSERT_TRUE(map(DmaAccess::read_write));
    fill(5);
    ASSERT_TRUE(from_memory(good));
    clear();
    ASSERT_TRUE(to_memory(unmapped));
    EXPECT_TRUE(is_clear());
    ASSERT_TRUE(to_memory(good));
    EXPECT_TRUE(holds(5)) << "the device goes on";
}

TEST_F(Edu, never_reaches_the_processes_own_addresses) {
    ASSERT_TRUE(map(DmaAccess::read_write));
    fill(9);
    ASSERT_TRUE(from_memory(good));
    clear();
    const auto pointer = reinterpret_cast<std::uintptr_t>(memory_.data());
    ASSERT_TRUE(to_memory(Iova{pointer}));
    EXPECT_TRUE(is_clear());
}

TEST_F(Edu, reaches_memory_no_more_once_it_is_unmapped) {
    ASSERT_TRUE(map(DmaAccess::read_write));
    fill(1);
    ASSERT_TRUE(from_memory(good));
    ASSERT_TRUE(dev().space()->unmap(good, page));
    clear();
    ASSERT_TRUE(to_memory(good));
    EXPECT_TRUE(is_clear());
}

TEST_F(Edu, writes_nothing_where_it_may_only_read) {
    ASSERT_TRUE(map(DmaAccess::read));
    fill(2);
    ASSERT_TRUE(from_memory(good));
    clear();
    ASSERT_TRUE(to_memory(good));
    EXPECT_TRUE(is_clear());
}

TEST_F(Edu, does_no_dma_without_bus_mastering) {
    ASSERT_TRUE(map(DmaAccess::read_write));
    fill(4);
    ASSERT_TRUE(from_memory(good));
    ASSERT_TRUE(dev().config().set_bus_master(false));
    clear();
    ASSERT_TRUE(to_memory(good));
    EXPECT_TRUE(is_clear());
}

TEST_F(Edu, raises_msi) {
    auto event = EventFd::create().value();
    const int fds[] = {event.fd()};
    ASSERT_EQ(code(dev().interrupts().enable(Irq::msi, fds)), 0);
    for (std::uint64_t bit = 1; bit < 16; bit <<= 1) {
        registers().write(raise, 4, bit);
        EXPECT_TRUE(arrives(event));
        registers().write(acknowledge, 4, bit);
    }
    ASSERT_TRUE(dev().interrupts().disable(Irq::msi));
}

TEST_F(Edu, raises_intx_until_it_is_acknowledged) {
    auto event = EventFd::create().value();
    const int fds[] = {event.fd()};
    device::Interrupts& irqs = dev().interrupts();
    ASSERT_EQ(irqs.info(Irq::intx).count, 1U);
    ASSERT_EQ(code(irqs.enable(Irq::intx, fds)), 0);
    registers().write(raise, 4, 1);
    EXPECT_TRUE(arrives(event));
    EXPECT_TRUE(silent(event)) << "masked by its arrival";
    ASSERT_TRUE(irqs.unmask_intx());
    EXPECT_TRUE(arrives(event)) << "the line is still raised";
    registers().write(acknowledge, 4, 1);
    ASSERT_TRUE(irqs.unmask_intx());
    EXPECT_TRUE(silent(event));
    registers().write(raise, 4, 2);
    EXPECT_TRUE(arrives(event));
    registers().write(acknowledge, 4, 2);
}

TEST_F(Edu, stays_silent_while_intx_is_masked) {
    auto event = EventFd::create().value();
    const int fds[] = {event.fd()};
    device::Interrupts& irqs = dev().interrupts();
    ASSERT_EQ(code(irqs.enable(Irq::intx, fds)), 0);
    ASSERT_TRUE(irqs.mask_intx());
    registers().write(raise, 4, 1);
    EXPECT_TRUE(silent(event));
    ASSERT_TRUE(irqs.unmask_intx());
    EXPECT_TRUE(arrives(event));
    registers().write(acknowledge, 4, 1);
}

TEST_F(Edu, obeys_the_interrupt_disable_bit_of_command) {
    auto event = EventFd::create().value();
    const int fds[] = {event.fd()};
    ASSERT_EQ(code(dev().interrupts().enable(Irq::intx, fds)), 0);
    ASSERT_TRUE(dev().config().set_intx_disabled(true));
    registers().write(raise, 4, 1);
    EXPECT_TRUE(silent(event));
    ASSERT_TRUE(dev().config().set_intx_disabled(false));
    EXPECT_TRUE(arrives(event));
    registers().write(acknowledge, 4, 1);
}

} // namespace
