// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/model/backend.hpp>

#include <cerrno>

#include "backends.hpp"

namespace sluice::inline v1::model {

Result<std::unique_ptr<Backend>> make_backend(const BackendSetup& setup) {
    if (setup.kind == "loop")
        return make_loop(setup);
    if (setup.kind == "pair")
        return make_pair(setup);
    if (setup.kind == "pcap")
        return make_pcap(setup);
    if (setup.kind == "tap")
        return make_tap(setup);
    if (setup.kind == "gen")
        return make_gen(setup);
    return fail(EINVAL, "no such back-end: it is loop, pair, pcap, tap or gen", setup.kind);
}

} // namespace sluice::inline v1::model
