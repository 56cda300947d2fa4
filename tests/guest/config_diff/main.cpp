// SPDX-License-Identifier: BSD-3-Clause
// config_diff: what the engine answers beside what vfio-pci answers, on one device. Run by the suites
// config_diff.
#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "capture.hpp"
#include "compare.hpp"
#include "fields.hpp"
#include "flr.hpp"
#include "record.hpp"
#include "subject.hpp"

using namespace sluice;
using namespace sluice::configdiff;

namespace {

constexpr int exit_good = 0;
constexpr int exit_differs = 1;
constexpr int exit_wrong = 2;

int complain(const Error& error) {
    fmt::print(stderr, "config_diff: {}\n", error.message());
    return exit_wrong;
}

/// Makes hardware as it was before an earlier run: what the open's own reset leaves is written back, and the
/// function is opened anew over it.
Result<std::unique_ptr<Subject>> open_like(Route route, const std::string& bdf, const std::string& earlier) {
    auto subject = open_subject(route, bdf, running_policy());
    if (!subject || earlier.empty())
        return subject;
    auto record = load(earlier);
    if (!record)
        return propagate(std::move(record));
    auto wrote = put_back(bdf, record->image);
    if (!wrote)
        return propagate(std::move(wrote));
    if (!*wrote)
        return subject;
    subject->reset();
    return open_subject(route, bdf, running_policy());
}

int run_device(Route route, const std::string& bdf, const std::string& path, const std::string& earlier,
               const Plan& plan) {
    auto subject = open_like(route, bdf, earlier);
    if (!subject)
        return complain(subject.error());
    auto image = hardware(bdf);
    if (!image)
        return complain(image.error());
    auto record = run(**subject, route, plan, std::move(*image));
    if (!record)
        return complain(record.error());
    if (auto saved = save(*record, path); !saved)
        return complain(saved.error());
    fmt::print("{} {}: {} answers\n", bdf, name(route), record->answers.size());
    return exit_good;
}

int compare_files(const std::string& kernel_path, const std::string& other_path) {
    auto kernel = load(kernel_path);
    if (!kernel)
        return complain(kernel.error());
    auto other = load(other_path);
    if (!other)
        return complain(other.error());
    const Comparison result = compare(*kernel, *other);
    if (!result.unequal_start.empty()) {
        fmt::print("not comparable: {}\n", result.unequal_start);
        return exit_wrong;
    }
    for (const std::string& line : result.unexplained)
        fmt::print("  {}\n", line);
    const std::vector<std::string> lines = field_lines(result.explained, kernel->image, running_policy());
    if (!lines.empty())
        fmt::print("  vfio-pci lets these bits through, and the module's floor does not:\n");
    for (const std::string& line : lines)
        fmt::print("    {}\n", line);
    unsigned bits = 0;
    for (const std::uint8_t byte : result.explained)
        bits += static_cast<unsigned>(std::popcount(byte));
    fmt::print("{} accesses by {}: {} answers differ in {} explained bits, {} differ otherwise\n",
               result.answers, name(other->route), result.explained_answers, bits,
               result.unexplained_answers);
    return result.good() ? exit_good : exit_differs;
}

/// Holds what `sluice-cfgspace floor --json` printed against the module's own answer to the ioctl.
int check_floor(const std::string& bdf, const std::string& path) {
    auto subject = open_subject(Route::engine, bdf, config::Policy::strict);
    if (!subject)
        return complain(subject.error());
    const std::vector<std::uint8_t> list = (*subject)->floor();
    std::ifstream file(path);
    const auto told = nlohmann::json::parse(file, nullptr, false);
    if (told.is_discarded() || list.empty())
        return complain(Error(EINVAL, "no JSON, or no list from the module", path));
    std::vector<std::uint8_t> rest = list;
    for (const auto& row : told.at("rows")) {
        const auto offset = row.at("offset").get<std::size_t>();
        const auto module = row.value("module", 0U);
        std::uint32_t asked = 0;
        for (unsigned byte = 0; byte < row.at("width").get<unsigned>(); ++byte) {
            asked |= std::uint32_t{list.at(offset + byte)} << (8 * byte);
            rest[offset + byte] = 0;
        }
        if (asked != module ||
            row.value("effective", ~0U) != (row.at("engine").get<std::uint32_t>() & module)) {
            fmt::print("{}: the ioctl says {:x}\n", row.dump(), asked);
            return exit_differs;
        }
    }
    if (std::ranges::any_of(rest, [](std::uint8_t bits) { return bits != 0; })) {
        fmt::print("bits of the module's list were not told\n");
        return exit_differs;
    }
    fmt::print("{} rows agree with the module\n", told.at("rows").size());
    return told.at("rows").empty() ? exit_differs : exit_good;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("Holds the permission engine against vfio-pci on one device.", "config_diff");
    app.require_subcommand(1);
    std::string route_text;
    std::string first;
    std::string second;
    std::string earlier;
    Plan plan;
    CLI::App* running = app.add_subcommand("run", "make the accesses and keep the answers");
    running->add_option("ROUTE", route_text, "kernel, engine or twice")->required();
    running->add_option("BDF", first, "the function")->required();
    running->add_option("FILE", second, "for the answers")->required();
    running->add_option("--seed", plan.seed, "which places and values");
    running->add_option("--percent", plan.percent, "how many of the places")->check(CLI::Range(1, 100));
    running->add_option("--like", earlier,
                        "answers of an earlier run, before which hardware was as it shall be");
    CLI::App* comparing = app.add_subcommand("compare", "hold a run against vfio-pci's");
    comparing->add_option("KERNEL", first, "vfio-pci's answers")->required();
    comparing->add_option("OTHER", second, "the other's answers")->required();
    CLI::App* resetting = app.add_subcommand("flr", "count the resets of one write");
    resetting->add_option("ROUTE", route_text, "kernel, engine or twice")->required();
    resetting->add_option("BDF", first, "a virtio function")->required();
    CLI::App* telling = app.add_subcommand("floor", "check what sluice-cfgspace floor told");
    telling->add_option("BDF", first, "the function")->required();
    telling->add_option("FILE", second, "its answer as JSON")->required();
    CLI::App* capturing = app.add_subcommand("capture", "write vfio-pci's answers as a case to be replayed");
    capturing->add_option("BDF", first, "the function, which vfio-pci holds")->required();
    capturing->add_option("NAME", second, "of the case")->required();
    capturing->add_option("FOLDER", earlier, "for its files")->required();
    CLI11_PARSE(app, argc, argv);
    if (capturing->parsed()) {
        auto captured = capture(first, second, earlier);
        return captured ? exit_good : complain(captured.error());
    }
    if (comparing->parsed())
        return compare_files(first, second);
    if (telling->parsed())
        return check_floor(first, second);
    const auto route = parse_route(route_text);
    if (!route)
        return complain(Error(EINVAL, "no such route: kernel, engine or twice", route_text));
    if (resetting->parsed())
        return one_reset_for_one_write(*route, first) ? exit_good : exit_differs;
    return run_device(*route, first, second, earlier, plan);
}
