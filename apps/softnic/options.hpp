// SPDX-License-Identifier: BSD-3-Clause
/// \file
/// The command line.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <sluice/base/error.hpp>
#include <sluice/model/soft_nic.hpp>

namespace sluice::softnic {

/// A device and where it is served.
struct Place {
    std::string uri;
    std::string socket;
    model::NicOptions options;
};

enum class Protocol { vfio_user, vhost_user };

struct CommandLine {
    std::vector<Place> places;
    Protocol protocol = Protocol::vfio_user;
    bool connect = false; ///< to front-ends that listen
    bool help = false;
    std::string help_text;
};

/// EINVAL: an option that is not known, a device without its socket, or a URI that means nothing.
Result<CommandLine> parse_command_line(int argc, char** argv);

} // namespace sluice::softnic
