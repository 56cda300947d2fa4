// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/config/recorder.hpp>

namespace sluice::inline v1::config {

Result<std::uint32_t> Recorder::read(std::uint32_t offset, unsigned width) {
    auto value = inner_.read(offset, width);
    if (value)
        observer_.read(offset, width, *value);
    return value;
}

Result<void> Recorder::write(std::uint32_t offset, unsigned width, std::uint32_t value) {
    auto written = inner_.write(offset, width, value);
    if (written)
        observer_.written(offset, width, value);
    return written;
}

} // namespace sluice::inline v1::config
