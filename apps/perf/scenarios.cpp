// SPDX-License-Identifier: BSD-3-Clause
#include "scenarios.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <sluice/model/ring_nic.hpp>
#include <sluice/net/driver.hpp>

#include "scenarios_data.hpp"
#include "tables.hpp"
#include "wildcard.hpp"

namespace sluice::perf {

namespace {

using Json = nlohmann::json;

struct Axes {
    std::vector<std::string> paths, isas;
    std::vector<std::uint16_t> bursts, rings;
};

Axes axes_of(const Json& data, std::string_view driver) {
    Json merged = data;
    if (const auto own = data.at("drivers").find(driver); own != data.at("drivers").end())
        merged.update(*own);
    return {merged.at("paths"), merged.at("isa"), merged.at("bursts"), merged.at("rings")};
}

bool any_matches(const Json& patterns, std::string_view id) {
    return std::ranges::any_of(patterns,
                               [id](const Json& each) { return fits(id, each.get<std::string>()); });
}

class Expansion {
  public:
    explicit Expansion(const Json& data)
        : data_(data) {}

    void add_driver(const net::Description& driver) {
        for (const model::RingNic& nic : model::ring_nics())
            if (std::ranges::any_of(driver.ids, [&](const net::PciId& id) {
                    return id.vendor == nic.vendor && id.device == nic.device;
                }))
                add_form(driver.name, nic.name);
    }

    std::vector<Scenario> take() { return std::move(all_); }

  private:
    void add_form(std::string_view driver, std::string_view variant) {
        const Axes axes = axes_of(data_, driver);
        const Json& base = data_.at("base");
        for (const std::string& isa : axes.isas) {
            Scenario scenario;
            scenario.driver = driver;
            scenario.variant = variant;
            scenario.isa = isa;
            scenario.transport = base.at("transport");
            scenario.margin = base.at("margin");
            scenario.frame = base.at("frame");
            scenario.burst = base.at("burst");
            scenario.ring = base.at("ring");
            scenario.pool = base.at("pool");
            for (const std::string& path : axes.paths) {
                scenario.path = path;
                add(scenario);
            }
            scenario.path = "fwd";
            for (const std::uint16_t burst : axes.bursts) {
                Scenario other = scenario;
                other.burst = burst;
                add(std::move(other));
            }
            for (const std::uint16_t ring : axes.rings) {
                Scenario other = scenario;
                other.ring = ring;
                add(std::move(other));
            }
        }
    }

    void add(Scenario scenario) {
        scenario.id = fmt::format("{}-{}/{}/{}/{}/b{}/r{}", scenario.driver, scenario.variant, scenario.isa,
                                  scenario.path, scenario.frame, scenario.burst, scenario.ring);
        scenario.ci =
            any_matches(data_.at("ci"), scenario.id) && !any_matches(data_.at("not_ci"), scenario.id);
        scenario.full = any_matches(data_.at("full"), scenario.id);
        all_.push_back(std::move(scenario));
    }

    const Json& data_;
    std::vector<Scenario> all_;
};

} // namespace

std::vector<Scenario> scenarios() {
    const Json data = Json::parse(scenarios_data);
    Expansion expansion(data);
    for (const net::Description* driver : drivers::pci_drivers())
        expansion.add_driver(*driver);
    return expansion.take();
}

std::optional<Scenario> scenario_named(std::string_view id) {
    for (Scenario& scenario : scenarios())
        if (scenario.id == id)
            return std::move(scenario);
    return std::nullopt;
}

} // namespace sluice::perf
