// SPDX-License-Identifier: BSD-3-Clause
// What callgrind and the plugin write.
#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <map>
#include <optional>

#include "counts.hpp"

namespace sluice::perf {

namespace {

/// Calls `each` with every line.
template <typename Each>
void for_lines(std::string_view text, Each each) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        each(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

std::vector<double> numbers(std::string_view text) {
    std::vector<double> found;
    while (!text.empty()) {
        const auto end = std::min(text.find(' '), text.size());
        double value = 0;
        if (std::from_chars(text.data(), text.data() + end, value).ec == std::errc{})
            found.push_back(value);
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return found;
}

/// Without what every name has.
std::string short_name(std::string_view name) {
    std::string text(name);
    for (const std::string_view gone :
         {"sluice::v1::", "sluice::", "perf::subject::", "(anonymous namespace)::"})
        for (auto at = text.find(gone); at != std::string::npos; at = text.find(gone))
            text.erase(at, gone.size());
    // Arguments of the function itself: the last parentheses.
    if (const auto open = text.rfind('('); open != std::string::npos && open != 0 && text.ends_with(')'))
        text.erase(open);
    if (const auto twin = text.rfind('\''); twin != std::string::npos) // a recursion level
        text.erase(twin);
    return text;
}

/// Names are written once: "(12) name", later "(12)".
class Names {
  public:
    std::string get(std::string_view text) {
        const auto close = text.find(')');
        if (!text.starts_with('(') || close == std::string_view::npos)
            return short_name(text);
        const std::string id(text.substr(0, close + 1));
        if (close + 2 < text.size())
            names_[id] = short_name(text.substr(close + 2));
        return names_[id];
    }

  private:
    std::map<std::string, std::string> names_;
};

struct Range {
    std::string kind;
    std::uint64_t first = 0, size = 0, stride = 0, count = 1;

    bool holds(std::uint64_t line) const noexcept {
        constexpr std::uint64_t line_bytes = 64;
        if (line + line_bytes <= first)
            return false;
        const std::uint64_t distance = line > first ? line - first : 0;
        if (count == 1 || stride == 0)
            return distance < size;
        return distance / stride < count && distance % stride < size;
    }
};

std::vector<Range> ranges_of(std::string_view layout) {
    std::vector<Range> ranges;
    for_lines(layout, [&](std::string_view line) {
        Range range;
        std::array<char, 32> kind{};
        if (std::sscanf(std::string(line).c_str(), "range %31s %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNu64,
                        kind.data(), &range.first, &range.size, &range.stride, &range.count) == 5) {
            range.kind = kind.data();
            ranges.push_back(std::move(range));
        }
    });
    return ranges;
}

std::string_view kind_of(const std::vector<Range>& ranges, std::uint64_t line) {
    const auto at = std::ranges::find_if(ranges, [line](const Range& range) { return range.holds(line); });
    return at == ranges.end() ? std::string_view("own") : std::string_view(at->kind);
}

/// The value behind " KEY=".
double value_of(std::string_view line, std::string_view key) {
    const std::string wanted = " " + std::string(key) + "=";
    const auto at = line.find(wanted);
    double value = 0;
    if (at != std::string_view::npos)
        std::from_chars(line.data() + at + wanted.size(), line.data() + line.size(), value);
    return value;
}

void add_to(std::vector<Function>& sums, std::string_view name, double value) {
    const auto at = std::ranges::find(sums, name, &Function::name);
    if (at != sums.end())
        at->value += value;
    else
        sums.push_back({std::string(name), value});
}

} // namespace

Result<Callgrind> parse_callgrind(std::string_view text) {
    Callgrind found;
    Names names;
    std::string function;
    bool inclusive = false; // the line behind calls= has the callee's cost
    bool has_totals = false;
    bool has_loads = false;
    for_lines(text, [&](std::string_view line) {
        if (line.starts_with("events: "))
            has_loads = line.starts_with("events: Ir Dr Dw");
        if (line.starts_with("fn=")) {
            function = names.get(line.substr(3));
        } else if (line.starts_with("cfn=")) {
            static_cast<void>(names.get(line.substr(4)));
        } else if (line.starts_with("calls=")) {
            inclusive = true;
        } else if (line.starts_with("totals: ")) {
            const auto sums = numbers(line.substr(8));
            has_totals = sums.size() >= 3;
            if (has_totals) {
                found.instructions = sums[0];
                found.loads = sums[1];
                found.stores = sums[2];
            }
        } else if (!line.empty() && (std::string_view("+-*").find(line[0]) != std::string_view::npos ||
                                     (line[0] >= '0' && line[0] <= '9'))) {
            const auto space = line.find(' ');
            const auto costs = numbers(space == std::string_view::npos ? "" : line.substr(space + 1));
            if (!inclusive && !costs.empty())
                add_to(found.functions, function, costs[0]);
            inclusive = false;
        }
    });
    if (!has_totals || !has_loads)
        return fail(EIO, "callgrind's output has no totals of instructions, loads and stores");
    std::ranges::sort(found.functions, [](const Function& a, const Function& b) {
        return a.value != b.value ? a.value > b.value : a.name < b.name;
    });
    return found;
}

Result<Marked> parse_marked(std::string_view report, std::string_view layout) {
    const auto ranges = ranges_of(layout);
    Marked found;
    for_lines(report, [&](std::string_view line) {
        if (line.starts_with("region=1 ")) {
            found.turns = value_of(line, "times");
            found.instructions = value_of(line, "instructions");
            found.watched = value_of(line, "watched");
            found.doorbells += value_of(line, "device_writes");
        } else if (line.starts_with("line ")) {
            std::uint64_t address = 0;
            std::from_chars(line.data() + 5, line.data() + line.size(), address, 16);
            const std::string_view kind = kind_of(ranges, address);
            add_to(found.lines, kind, value_of(line, "touched"));
            if (kind == "device")
                found.doorbells += value_of(line, "stores");
        }
    });
    if (found.turns == 0 || ranges.empty())
        return fail(EIO, "the counting plugin's report is empty");
    return found;
}

} // namespace sluice::perf
