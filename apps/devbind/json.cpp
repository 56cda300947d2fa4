// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "categories.hpp"
#include "report.hpp"

namespace sluice::devbind {

namespace {

using Json = nlohmann::ordered_json;

Json text_or_null(std::string_view text) {
    return text.empty() ? Json(nullptr) : Json(text);
}

Json address_list(std::span<const pci::Address> addresses) {
    Json list = Json::array();
    for (const auto& address : addresses)
        list.push_back(address.to_string());
    return list;
}

Json device_json(const Device& device) {
    const auto& function = device.function;
    Json json;
    json["address"] = function.address.to_string();
    json["vendor"] = fmt::format("{:04x}", function.vendor);
    json["device"] = fmt::format("{:04x}", function.device);
    json["subsystem_vendor"] = fmt::format("{:04x}", function.subsystem_vendor);
    json["subsystem_device"] = fmt::format("{:04x}", function.subsystem_device);
    json["class"] = fmt::format("{:06x}", function.class_code);
    json["revision"] = function.revision;
    json["name"] = device.name;
    json["category"] = text_or_null(category_of(function));
    json["driver"] = text_or_null(function.driver);
    json["driver_override"] = text_or_null(function.driver_override);
    json["unused"] = device.unused;
    json["userspace"] = device.in_userspace();
    json["interfaces"] = function.interfaces;
    json["active"] = device.active;
    json["numa_node"] = function.numa_node < 0 ? Json(nullptr) : Json(function.numa_node);
    json["iommu_group"] = function.group ? Json(*function.group) : Json(nullptr);
    json["physical_function"] =
        function.physical_function ? Json(function.physical_function->to_string()) : Json(nullptr);
    json["virtual_functions"] = address_list(function.virtual_functions);
    json["total_vfs"] = function.total_vfs;
    json["sluice_driver"] = text_or_null(device.sluice_driver);
    json["proposed"] = device.proposed();
    return json;
}

Json groups_json(const pci::Sysfs& sysfs, std::span<const Device> devices) {
    Json list = Json::array();
    for (const auto& group : sysfs.groups()) {
        Json json;
        json["group"] = group.number;
        json["type"] = text_or_null(group.type);
        json["members"] = address_list(group.members);
        json["others"] = group.others;
        json["reserved"] = group.direct;
        std::vector<pci::Address> in_the_way;
        for (const auto* device : blockers(group, devices))
            in_the_way.push_back(device->function.address);
        json["blocked_by"] = address_list(in_the_way);
        json["viable"] = in_the_way.empty() && group.direct.empty();
        list.push_back(std::move(json));
    }
    return list;
}

Json hugepages_json(const pci::Sysfs& sysfs) {
    Json list = Json::array();
    for (const auto& pool : pci::hugepage_pools(sysfs)) {
        Json json;
        json["node"] = pool.node < 0 ? Json(nullptr) : Json(pool.node);
        json["page_size"] = pool.page_size;
        json["reserved"] = pool.reserved_bytes();
        json["free"] = pool.free_bytes();
        list.push_back(std::move(json));
    }
    return list;
}

} // namespace

std::string json_text(const pci::Sysfs& sysfs, std::span<const Device> devices, const JsonParts& parts) {
    Json json;
    json["program"] = "sluice-devbind";
    json["format"] = 1;
    if (parts.dry_run)
        json["dry_run"] = true;
    Json list = Json::array();
    for (const auto& device : devices) {
        const auto& function = device.function;
        auto step = std::ranges::find(parts.steps, function.address, &Step::address);
        bool changed = step != parts.steps.end();
        bool listed = parts.only.empty() ? !category_of(function).empty() : is_in(function, parts.only);
        if (!parts.devices || !(parts.steps.empty() ? listed : changed))
            continue;
        Json one = device_json(device);
        if (changed)
            one["change"] = {{"from", text_or_null(step->from)}, {"to", text_or_null(step->to)}};
        list.push_back(std::move(one));
    }
    json["devices"] = std::move(list);
    if (parts.groups)
        json["groups"] = groups_json(sysfs, devices);
    if (parts.hugepages)
        json["hugepages"] = hugepages_json(sysfs);
    return json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

} // namespace sluice::devbind
