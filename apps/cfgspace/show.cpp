// SPDX-License-Identifier: BSD-3-Clause
#include <algorithm>

#include <fmt/format.h>

#include "commands.hpp"
#include "decode.hpp"
#include "json.hpp"
#include "paint.hpp"
#include "target.hpp"

namespace sluice::cfgspace {

namespace {

void show_json(const Context& context, const std::vector<Register>& registers) {
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    for (const Register& item : registers)
        rows.push_back({{"capability", item.capability},
                        {"register", item.name},
                        {"offset", item.offset},
                        {"width", item.width},
                        {"raw", item.raw},
                        {"mediated", item.mediated},
                        {"virt", item.virt},
                        {"write", item.write},
                        {"differs", item.differs()}});
    print_json(context.out, std::move(rows));
}

void show_registers(const Context& context, const std::vector<Register>& registers, bool only_differences) {
    const Paint paint(context.color);
    const Register* before = nullptr;
    for (const Register& item : registers) {
        if (only_differences && !item.differs())
            continue;
        if (before == nullptr || before->start != item.start)
            context.out << paint.bold(item.start == 0
                                          ? std::string(item.capability)
                                          : fmt::format("{} at {:02x}", item.capability, item.start))
                        << '\n';
        before = &item;
        const std::string line =
            fmt::format("{} {:03x}  {:<60} {:>8}  {:>8}", item.differs() ? '*' : ' ', item.offset, item.name,
                        fmt::format("{:0{}x}", item.raw, 2 * item.width),
                        fmt::format("{:0{}x}", item.mediated, 2 * item.width));
        context.out << (item.differs() ? paint.changed(line) : line) << '\n';
    }
}

} // namespace

int show(const Context& context, const std::string& name, bool only_differences) {
    auto target = Target::open(name, context.policy, context.sysfs);
    if (!target)
        return complain(context, target.error().message());
    config::Space& space = (*target)->space();
    const std::vector<Register> registers = decode(space, (*target)->raw());
    if (context.form == Form::json) {
        show_json(context, registers);
        return exit_done;
    }
    const Paint paint(context.color);
    context.out << paint.bold((*target)->title()) << '\n'
                << fmt::format("policy {}, {} bytes, from {}\n\n", config::name(space.policy()), space.size(),
                               (*target)->source())
                << fmt::format("  {:<5}{:<60} {:>8}  {:>8}\n", "", "register", "raw", "mediated");
    show_registers(context, registers, only_differences);
    const auto differing = std::count_if(registers.begin(), registers.end(),
                                         [](const Register& item) { return item.differs(); });
    context.out << fmt::format("\n{} registers, {} differ\n", registers.size(), differing);
    for (const config::Diagnostic& diagnostic : space.diagnostics())
        context.out << paint.dim("note: " + diagnostic.text()) << '\n';
    return exit_done;
}

int diff(const Context& context, const std::string& left_name, const std::string& right_name) {
    auto left = Target::open(left_name, context.policy, context.sysfs);
    auto right = Target::open(right_name, context.policy, context.sysfs);
    if (!left || !right)
        return complain(context, (!left ? left : right).error().message());
    const std::vector<Register> before = decode((*left)->space(), (*left)->raw());
    const std::vector<Register> after = decode((*right)->space(), (*right)->raw());
    const auto find = [](const std::vector<Register>& in, const Register& like) -> const Register* {
        const auto found = std::find_if(in.begin(), in.end(), [&](const Register& item) {
            return item.offset == like.offset && item.width == like.width && item.path() == like.path();
        });
        return found != in.end() ? &*found : nullptr;
    };
    nlohmann::ordered_json rows = nlohmann::ordered_json::array();
    const auto tell = [&](const Register& item, const Register* a, const Register* b) {
        const auto text = [&](const Register* one) {
            return one != nullptr ? fmt::format("{:0{}x}", one->mediated, 2 * one->width) : std::string("-");
        };
        if (context.form == Form::json)
            rows.push_back({{"capability", item.capability},
                            {"register", item.name},
                            {"offset", item.offset},
                            {"width", item.width},
                            {"left", a != nullptr ? nlohmann::ordered_json(a->mediated) : nullptr},
                            {"right", b != nullptr ? nlohmann::ordered_json(b->mediated) : nullptr}});
        else
            context.out << fmt::format("{:03x}  {:<66} {:>8}  {:>8}\n", item.offset, item.path(), text(a),
                                       text(b));
    };
    unsigned differences = 0;
    for (const Register& item : before) {
        const Register* other = find(after, item);
        if (other != nullptr && other->mediated == item.mediated)
            continue;
        ++differences;
        tell(item, &item, other);
    }
    for (const Register& item : after)
        if (find(before, item) == nullptr) {
            ++differences;
            tell(item, nullptr, &item);
        }
    if (context.form == Form::json)
        print_json(context.out, std::move(rows));
    else
        context.out << fmt::format("{} registers differ\n", differences);
    return differences == 0 ? exit_done : exit_no;
}

} // namespace sluice::cfgspace
