// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>
#include <utility>
#include <vector>

#include <rte_eal.h>
#include <rte_lcore.h>

#include <sluice/net/port.hpp>

#include "tables.hpp"

namespace sluice::inline v1::net {
namespace {

Result<Uri> parse(std::string_view text) {
    std::vector<SchemeGrammar> grammars;
    for (const drivers::Scheme& scheme : drivers::schemes())
        grammars.push_back(scheme.grammar);
    return Uri::parse(text, grammars);
}

} // namespace

bool opens_through_ethdev(std::string_view text) {
    const auto uri = parse(text);
    return uri && uri->scheme() == "pci" && drivers::left_to_dpdk(*uri);
}

Result<Port> open(std::string_view text, const Config& config) {
    auto uri = parse(text);
    if (!uri)
        return propagate(std::move(uri));
    if (rte_lcore_count() == 0)
        return fail(EINVAL, "EAL is not initialised: call rte_eal_init first", uri->text());
    if (rte_eal_process_type() == RTE_PROC_SECONDARY)
        return fail(EPERM, "a secondary process cannot open a port: the primary owns its devices",
                    uri->text());
    for (const drivers::Scheme& scheme : drivers::schemes()) {
        if (scheme.grammar.name != uri->scheme())
            continue;
        auto driver = scheme.open(*uri);
        if (!driver)
            return propagate(std::move(driver));
        return Port::create(std::move(*driver), uri->text(), config);
    }
    return fail(EINVAL, "no such scheme", uri->text()); // parse() has refused it
}

} // namespace sluice::inline v1::net
