// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/vfio_user/messages.hpp>

namespace sluice::inline v1::vfio_user {

namespace {

using C = Command;
constexpr auto from_client = Sender::client;
constexpr auto from_server = Sender::server;

constexpr Shape table[] = {
    {C::version, "VERSION", from_client, 4, max_json, 4, max_json, false},
    {C::dma_map, "DMA_MAP", from_client, 32, 0, 0, 0, true},
    {C::dma_unmap, "DMA_UNMAP", from_client, 24, 0, 24, 0, false},
    {C::get_info, "DEVICE_GET_INFO", from_client, 16, 0, 16, 0, false},
    {C::get_region_info, "DEVICE_GET_REGION_INFO", from_client, 32, 0, 32, max_info - 64, false},
    {C::get_region_io_fds, "DEVICE_GET_REGION_IO_FDS", from_client, 16, 0, 16, max_info - 64, false},
    {C::get_irq_info, "DEVICE_GET_IRQ_INFO", from_client, 16, 0, 16, 0, false},
    {C::set_irqs, "DEVICE_SET_IRQS", from_client, 20, max_vectors, 0, 0, true},
    {C::region_read, "REGION_READ", from_client, 16, 0, 16, up_to_data, false},
    {C::region_write, "REGION_WRITE", from_client, 16, up_to_data, 16, 0, false},
    {C::dma_read, "DMA_READ", from_server, 16, 0, 16, up_to_data, false},
    {C::dma_write, "DMA_WRITE", from_server, 16, up_to_data, 16, 0, false},
    {C::device_reset, "DEVICE_RESET", from_client, 0, 0, 0, 0, false},
    {C::region_write_multi, "REGION_WRITE_MULTI", from_client, 8, max_writes, 8, 0, false},
    {C::device_feature, "DEVICE_FEATURE", from_client, 8, max_info - 64, 8, max_info - 64, false},
    {C::mig_data_read, "MIG_DATA_READ", from_client, 8, 0, 8, up_to_data, false},
    {C::mig_data_write, "MIG_DATA_WRITE", from_client, 8, up_to_data, 0, 0, false},
};

constexpr bool ascending() {
    for (std::size_t i = 1; i < std::size(table); ++i)
        if (table[i].command <= table[i - 1].command)
            return false;
    return true;
}
static_assert(ascending());

} // namespace

std::span<const Shape> shapes() noexcept {
    return table;
}

const Shape* shape(std::uint16_t command) noexcept {
    for (const Shape& row : table)
        if (static_cast<std::uint16_t>(row.command) == command)
            return &row;
    return nullptr;
}

const char* name(std::uint16_t command) noexcept {
    const Shape* found = shape(command);
    return found != nullptr ? found->name : "unknown";
}

} // namespace sluice::inline v1::vfio_user
