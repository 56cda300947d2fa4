// SPDX-License-Identifier: BSD-3-Clause
// EAL's memory in the space of a device that another process serves: shared by its file, copied by nobody.
#include <rte_memzone.h>

#include <cstring>

#include <sluice/dma/eal_memory.hpp>
#include <sluice/dma/region.hpp>

#include "eal.hpp"
#include "served.hpp"

using namespace sluice;
using namespace sluice::test;
using device::DmaAccess;

namespace {

const auto* const environment = ::testing::AddGlobalTestEnvironment(new test::Eal);

TEST(ServedEalMemory, is_mapped_by_the_server_from_its_file) {
    CopyEngine engine;
    const std::string path = socket_path();
    auto server = serve::Server::listen(engine.device(), path).value();
    const Pumper pumper(*server);
    auto device = device::connect(path).value();
    auto memory = dma::EalMemory::subscribe(device->space());
    ASSERT_TRUE(memory) << memory.error().message();
    EXPECT_EQ(device->space()->info()->entries, 1U) << "one file, one mapping";
    auto region = dma::DmaRegion::allocate(*memory, 8192);
    ASSERT_TRUE(region) << region.error().message();
    std::memcpy(region->data() + 5000, "sluice", 6);
    const auto seen = engine.device().dma(region->iova(5000), 6, DmaAccess::read_write);
    ASSERT_EQ(seen.size(), 6U) << "mapped, not reached by message";
    EXPECT_EQ(std::memcmp(seen.data(), "sluice", 6), 0);
    EXPECT_NE(seen.data(), region->data() + 5000);
    seen[0] = std::byte{'S'};
    EXPECT_EQ(std::memcmp(region->data() + 5000, "Sluice", 6), 0);
}

} // namespace
