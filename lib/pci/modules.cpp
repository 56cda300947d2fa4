// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/pci/modules.hpp>

#include <algorithm>

#include <fnmatch.h>

#include "files.hpp"

namespace sluice::inline v1::pci {

namespace {

std::string underscored(std::string_view name) {
    std::string text(name);
    std::ranges::replace(text, '-', '_');
    return text;
}

// "kernel/drivers/vfio/pci/vfio-pci.ko.xz" is the module vfio_pci.
std::string module_of(std::string_view path) {
    path.remove_prefix(path.rfind('/') + 1);
    return underscored(path.substr(0, path.find(".ko")));
}

std::vector<std::string> modules_in(const std::string& path, char ends) {
    std::vector<std::string> names;
    std::string text = files::read(path).value_or("");
    for (auto line : files::lines(text))
        names.push_back(module_of(files::trim(line.substr(0, line.find(ends)))));
    return names;
}

} // namespace

ModuleIndex::ModuleIndex(const Roots& roots)
    : sys_(roots.sys)
    , files_(modules_in(roots.modules_dir() + "/modules.dep", ':'))
    , built_in_(modules_in(roots.modules_dir() + "/modules.builtin", '\n')) {
    std::string text = files::read(roots.modules_dir() + "/modules.alias").value_or("");
    for (auto line : files::lines(text)) {
        auto fields = files::words(line);
        if (fields.size() == 3 && fields[0] == "alias" && fields[1].starts_with("pci:"))
            aliases_.emplace_back(fields[1], fields[2]);
    }
    // Records "MODULE.alias=PATTERN", each ended by a zero byte.
    text = files::read(roots.modules_dir() + "/modules.builtin.modinfo").value_or("");
    constexpr std::string_view key = ".alias=pci:";
    for (std::size_t at = 0; (at = text.find(key, at)) != std::string::npos; at += key.size()) {
        std::size_t begin = at == 0 ? std::string::npos : text.rfind('\0', at - 1);
        begin = begin == std::string::npos ? 0 : begin + 1;
        std::size_t pattern = at + key.size() - 4;
        std::size_t end = std::min(text.find('\0', pattern), text.size());
        aliases_.emplace_back(text.substr(pattern, end - pattern), text.substr(begin, at - begin));
    }
}

ModuleState ModuleIndex::state(std::string_view name) const {
    std::string module = underscored(name);
    if (std::ranges::find(built_in_, module) != built_in_.end())
        return ModuleState::built_in;
    if (!module.empty() && files::exists(sys_ + "/module/" + module))
        return ModuleState::loaded;
    return std::ranges::find(files_, module) != files_.end() ? ModuleState::present : ModuleState::absent;
}

std::vector<std::string> ModuleIndex::candidates(const std::string& modalias) const {
    std::vector<std::string> names;
    for (const auto& [pattern, module] : aliases_) {
        if (::fnmatch(pattern.c_str(), modalias.c_str(), 0) == 0 &&
            std::ranges::find(names, module) == names.end())
            names.push_back(module);
    }
    return names;
}

} // namespace sluice::inline v1::pci
