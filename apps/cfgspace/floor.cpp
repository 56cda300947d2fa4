// SPDX-License-Identifier: BSD-3-Clause
#include <fmt/format.h>

#include "commands.hpp"
#include "decode.hpp"
#include "json.hpp"
#include "module_floor.hpp"
#include "paint.hpp"
#include "target.hpp"

namespace sluice::cfgspace {

namespace {

std::uint32_t bits(const std::vector<std::uint8_t>& mask, const Register& item) {
    std::uint32_t value = 0;
    for (unsigned index = 0; index < item.width && item.offset + index < mask.size(); ++index)
        value |= std::uint32_t{mask[item.offset + index]} << (8 * index);
    return value;
}

/// Bytes that may be written and that no register of the tables names: bodies of vendor capabilities, and
/// under the kernel's policies what belongs to nobody.
std::vector<Register> unnamed(const std::vector<std::uint8_t>& mask, const std::vector<Register>& named,
                              config::Space& space) {
    std::vector<bool> covered(mask.size());
    for (const Register& item : named)
        for (unsigned index = 0; index < item.width; ++index)
            covered[item.offset + index] = true;
    const std::vector<Placed> placed = capabilities(space);
    std::vector<Register> list;
    for (std::uint32_t offset = 0; offset < mask.size(); ++offset) {
        if (mask[offset] == 0 || covered[offset])
            continue;
        const Placed* owner = nullptr;
        for (const Placed& one : placed)
            if (one.start <= offset && space.owners()[offset] == (one.table->id & 0xff) &&
                (owner == nullptr || one.start > owner->start))
                owner = &one;
        list.push_back({owner != nullptr ? owner->table->name : "nobody's",
                        owner != nullptr ? owner->start : std::uint16_t{0}, "",
                        static_cast<std::uint16_t>(offset), 1, 0, 0, 0, 0});
    }
    return list;
}

} // namespace

int floor(const Context& context, const std::string& name) {
    auto target = Target::open(name, context.policy, context.sysfs);
    if (!target)
        return complain(context, target.error().message());
    config::Space& space = (*target)->space();
    const std::vector<std::uint8_t> mask = space.compile_floor_mask();
    auto module = module_floor(name, context.sysfs);
    if (!module)
        return complain(context, module.error().message());
    std::vector<Register> items = decode(space, (*target)->raw());
    const std::vector<Register> bodies = unnamed(mask, items, space);
    items.insert(items.end(), bodies.begin(), bodies.end());
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    const bool json = context.form == Form::json;
    if (!json)
        context.out << Paint(context.color).bold((*target)->title()) << '\n'
                    << fmt::format("policy {}: bits that a write may carry to hardware\n{}\n\n",
                                   config::name(space.policy()),
                                   *module
                                       ? "beside them the module's own list, and what is in force"
                                       : "the module's list: not to be had, it does not hold this function");
    const auto& told = *module;
    for (std::size_t index = 0; index < items.size(); ++index) {
        const Register& item = items[index];
        const std::uint32_t engine = bits(mask, item);
        const std::uint32_t list = told ? bits(told->list, item) : 0;
        const std::uint32_t effective = told ? bits(told->effective, item) : 0;
        if (engine == 0 && list == 0)
            continue;
        if (json) {
            nlohmann::ordered_json row = {{"capability", item.capability},
                                          {"register", item.name},
                                          {"offset", item.offset},
                                          {"width", item.width},
                                          {"engine", engine}};
            if (*module) {
                row["module"] = list;
                row["effective"] = effective;
            }
            rows.push_back(std::move(row));
            continue;
        }
        const auto hex = [&](std::uint32_t value) { return fmt::format("{:0{}x}", value, 2 * item.width); };
        // Bodies are told as one line as long as they run on.
        std::size_t last = index;
        while (item.name.empty() && last + 1 < items.size() &&
               items[last + 1].offset == items[last].offset + 1 &&
               items[last + 1].capability == item.capability)
            ++last;
        const std::string label = !item.name.empty()
                                      ? item.path()
                                      : fmt::format("{} to {:03x}", item.capability, items[last].offset);
        context.out << fmt::format("{:03x}  {:<66} {:>8}", item.offset, label, hex(engine))
                    << (*module ? fmt::format("  {:>8}  {:>8}", hex(list), hex(effective)) : std::string())
                    << '\n';
        index = last;
    }
    if (json)
        print_json(context.out, std::move(rows));
    return exit_done;
}

} // namespace sluice::cfgspace
