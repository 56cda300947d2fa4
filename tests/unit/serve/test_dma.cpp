// SPDX-License-Identifier: BSD-3-Clause
// A served device's DMA: mapped, by message on one socket and on two, and refused.
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <numeric>

#include <sluice/base/bus_error.hpp>

#include "served.hpp"

using namespace sluice;
using namespace sluice::test;
using device::DmaAccess;
using device::Region;

namespace {

enum class Way { mapped, one_socket, twin_socket };

class Dma : public ::testing::TestWithParam<Way> {
  protected:
    void SetUp() override {
        auto server = serve::Server::listen(engine_.device(), path_);
        ASSERT_TRUE(server) << server.error().message();
        server_ = std::move(*server);
        pumper_.emplace(*server_);
        auto opened = device::connect(
            path_, {.max_data_xfer_size = 10000, .twin_socket = GetParam() != Way::one_socket});
        ASSERT_TRUE(opened) << opened.error().message();
        device_ = std::move(*opened);
        for (std::size_t i = 0; i < memory_.span().size(); ++i)
            memory_.span()[i] = static_cast<std::byte>(i * 13 + i / 4096);
    }
    int map(Iova iova, std::size_t first, std::size_t pages, DmaAccess access) {
        return code(device_->space()->map(iova, memory_.span().subspan(first * page, pages * page), access,
                                          GetParam() == Way::mapped ? memory_.file(first * page)
                                                                    : device::MemoryFile{}));
    }
    /// The engine's status after a copy.
    int copy(std::uint64_t source, std::uint64_t target, std::uint32_t length) {
        EXPECT_TRUE(device_->write(Region::bar0, CopyEngine::source, vfio_user::bytes_of(source)));
        EXPECT_TRUE(device_->write(Region::bar0, CopyEngine::target, vfio_user::bytes_of(target)));
        EXPECT_TRUE(device_->write(Region::bar0, CopyEngine::length, vfio_user::bytes_of(length)));
        const std::uint32_t one = 1;
        EXPECT_TRUE(device_->write(Region::bar0, CopyEngine::go, vfio_user::bytes_of(one)));
        std::uint32_t status = 0;
        EXPECT_TRUE(
            device_->read(Region::bar0, CopyEngine::status, std::as_writable_bytes(std::span(&status, 1))));
        return static_cast<int>(status);
    }

    std::string path_ = socket_path();
    SharedPages memory_{64};
    CopyEngine engine_;
    std::unique_ptr<serve::Server> server_;
    std::optional<Pumper> pumper_;
    std::unique_ptr<device::Device> device_;
};

TEST_P(Dma, copies_within_and_across_mappings) {
    ASSERT_EQ(map(Iova{0x100000}, 0, 16, DmaAccess::read), 0);
    ASSERT_EQ(map(Iova{0x100000 + 16 * page}, 16, 16, DmaAccess::read), 0);
    ASSERT_EQ(map(Iova{0x800000}, 32, 32, DmaAccess::write), 0);
    EXPECT_EQ(copy(0x100000 + 100, 0x800000 + 3, 30 * page), 0);
    EXPECT_TRUE(std::equal(memory_.span().begin() + 100, memory_.span().begin() + 100 + 30 * page,
                           memory_.span().begin() + 32 * page + 3));
}

TEST_P(Dma, reaches_nothing_that_is_not_mapped_for_it) {
    ASSERT_EQ(map(Iova{0x100000}, 0, 1, DmaAccess::read), 0);
    ASSERT_EQ(map(Iova{0x200000}, 1, 1, DmaAccess::write), 0);
    EXPECT_EQ(copy(0x100000, 0x200000, page), 0);
    EXPECT_EQ(copy(0x200000, 0x200000, 8), EFAULT) << "not readable";
    EXPECT_EQ(copy(0x100000, 0x100000, 8), EFAULT) << "not writable";
    EXPECT_EQ(copy(0x100000, 0x200000, page + 1), EFAULT);
    EXPECT_EQ(copy(0xfffffffffffffff0, 0x200000, 32), EFAULT);
    ASSERT_EQ(code(device_->space()->unmap(Iova{0x100000}, page)), 0);
    EXPECT_EQ(copy(0x100000, 0x200000, 8), EFAULT);
    EXPECT_EQ(engine_.device().space()->info()->entries, 1U);
}

TEST_P(Dma, refuses_overlaps_and_partial_unmaps_where_they_are_asked_for) {
    ASSERT_EQ(map(Iova{0x100000}, 0, 4, DmaAccess::read), 0);
    EXPECT_EQ(map(Iova{0x101000}, 8, 1, DmaAccess::read), EEXIST);
    EXPECT_EQ(code(device_->space()->unmap(Iova{0x100000}, page)), EINVAL);
    EXPECT_EQ(code(device_->space()->unmap(Iova{0x200000}, page)), ENOENT);
    EXPECT_EQ(code(device_->space()->unmap(Iova{0x100000}, 4 * page)), 0);
}

std::string name_of(const ::testing::TestParamInfo<Way>& way) {
    constexpr const char* names[] = {"mapped", "one_socket", "twin_socket"};
    return names[static_cast<int>(way.param)];
}

INSTANTIATE_TEST_SUITE_P(Serve, Dma, ::testing::Values(Way::mapped, Way::one_socket, Way::twin_socket),
                         name_of);

TEST(DmaSpace, hands_whole_files_to_the_server) {
    CopyEngine engine;
    const std::string path = socket_path();
    auto server = serve::Server::listen(engine.device(), path).value();
    const Pumper pumper(*server);
    auto device = device::connect(path).value();
    EXPECT_TRUE(device->space()->needs_files());
    EXPECT_NE(device->space()->iova_offset(), 0U);
    SharedPages memory(4);
    EXPECT_EQ(code(device->space()->map(Iova{page}, memory.span(), DmaAccess::read, memory.file(page))),
              EINVAL)
        << "ends behind the file";
    EXPECT_EQ(code(device->space()->map(Iova{page}, memory.span().first(page), DmaAccess::read,
                                        memory.file(2 * page))),
              0);
    memory.span()[2 * page] = std::byte{0x5a};
    const auto seen = engine.device().dma(Iova{page}, 1, DmaAccess::read);
    ASSERT_EQ(seen.size(), 1U);
    EXPECT_EQ(seen[0], std::byte{0x5a});
    EXPECT_NE(seen.data(), memory.span().data() + 2 * page) << "mapped, not looked at";
}

TEST(DmaSpace, survives_a_client_that_takes_its_memory_back) {
    handle_bus_errors();
    CopyEngine engine;
    CopyEngine neighbour;
    const std::string path = socket_path();
    const std::string other_path = socket_path();
    auto server = serve::Server::listen(engine.device(), path).value();
    auto other = serve::Server::listen(neighbour.device(), other_path).value();
    const Pumper other_pumper(*other);
    auto good = device::connect(other_path).value();
    std::uint32_t value = 0;
    {
        const Pumper pumper(*server);
        auto device = device::connect(path).value();
        SharedPages memory(4);
        ASSERT_EQ(code(device->space()->map(Iova{page}, memory.span(), DmaAccess::read_write, memory.file())),
                  0);
        ASSERT_EQ(::ftruncate(memory.fd.get(), 0), 0);
        const std::uint64_t source = page;
        const std::uint32_t length = 64;
        ASSERT_TRUE(device->write(Region::bar0, CopyEngine::source, vfio_user::bytes_of(source)));
        ASSERT_TRUE(device->write(Region::bar0, CopyEngine::target, vfio_user::bytes_of(source)));
        ASSERT_TRUE(device->write(Region::bar0, CopyEngine::length, vfio_user::bytes_of(length)));
        static_cast<void>(device->write(Region::bar0, CopyEngine::go, vfio_user::bytes_of(length)));
        Result<> last;
        while (last)
            last = device->read(Region::bar0, 0, std::as_writable_bytes(std::span(&value, 1)));
        EXPECT_EQ(code(last), ECONNRESET);
    }
    EXPECT_EQ(server->statistics().dropped, 1U);
    EXPECT_EQ(code(good->read(Region::bar0, 0, std::as_writable_bytes(std::span(&value, 1)))), 0);
    EXPECT_FALSE(absorb_bus_error(&value));
}

} // namespace
