// SPDX-License-Identifier: BSD-3-Clause
// Every case of a folder of cases, under both kernel policies, byte for byte.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

#include <gtest/gtest.h>

#include <sluice/config/image.hpp>
#include <sluice/config/recorder.hpp>

#include "replay.hpp"

using namespace sluice;
namespace fs = std::filesystem;

namespace {

struct Case {
    fs::path folder;
    std::string name;
    config::Policy policy;
    const char* kernel;
    const char* source;
};

/// A case from a guest, where answers are all that vfio-pci tells: its expected files have no lines of
/// effects.
bool is_captured(const std::string& name) {
    return name.starts_with("captured-");
}

void find_in(const fs::path& folder, const char* source, std::vector<Case>& cases) {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder / "tests"))
        if (entry.path().extension() == ".scr")
            names.push_back(entry.path().stem().string());
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
        // A guest's kernel may leave hardware as the other does not: then each has a case of its own.
        const bool one_kernel = is_captured(name) && (name.ends_with("-6.1") || name.ends_with("-6.12"));
        if (!one_kernel || name.ends_with("-6.1"))
            cases.push_back({folder, name, config::Policy::kernel_6_1, "6.1", source});
        if (!one_kernel || name.ends_with("-6.12"))
            cases.push_back({folder, name, config::Policy::kernel_6_12, "6.12", source});
    }
}

std::vector<Case> find_cases() {
    std::vector<Case> cases;
    find_in(SLUICE_OWN_CASES, "own", cases);
    const char* named = std::getenv("SLUICE_CONFIG_CASES");
    const fs::path shared = named != nullptr ? named : SLUICE_SHARED_CASES;
    if (fs::is_directory(shared / "tests"))
        find_in(shared, "shared", cases);
    else
        std::cout << "config cases: no folder " << shared.lexically_normal().string()
                  << ": only the tree's own cases are replayed\n";
    return cases;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
    std::string name = std::string(info.param.source) + "_" + info.param.name + "_" + info.param.kernel;
    for (char& letter : name)
        if (std::isalnum(static_cast<unsigned char>(letter)) == 0)
            letter = '_';
    return name;
}

std::string read_file(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

std::string without_effects(const std::string& text) {
    std::istringstream lines(text);
    std::string rest;
    for (std::string line; std::getline(lines, line);)
        if (!line.starts_with("  "))
            rest += line + '\n';
    return rest;
}

/// The first line in which two texts differ, for a message that says where to look.
std::string first_difference(const std::string& expected, const std::string& got) {
    std::istringstream left(expected);
    std::istringstream right(got);
    std::string a;
    std::string b;
    for (unsigned line = 1;; ++line) {
        const bool more_left = static_cast<bool>(std::getline(left, a));
        const bool more_right = static_cast<bool>(std::getline(right, b));
        if (!more_left && !more_right)
            return "nothing";
        if (a != b || more_left != more_right)
            return "line " + std::to_string(line) + ": expected '" + (more_left ? a : "the end") +
                   "', got '" + (more_right ? b : "the end") + "'";
    }
}

class Cases : public testing::TestWithParam<Case> {};

TEST_P(Cases, replays_as_the_kernel_answers) {
    const Case& param = GetParam();
    std::ifstream script(param.folder / "tests" / (param.name + ".scr"));
    ASSERT_TRUE(script);
    const fs::path answers = param.folder / "expected" / param.kernel / (param.name + ".out");
    ASSERT_TRUE(fs::exists(answers)) << answers;
    std::ostringstream out;
    std::ostringstream errors;
    cfgspace::Replay replay(param.policy, out);
    EXPECT_EQ(replay.run(script, errors, param.folder.string()), 0) << errors.str();
    const std::string expected = read_file(answers);
    const std::string got = is_captured(param.name) ? without_effects(out.str()) : out.str();
    EXPECT_TRUE(got == expected) << first_difference(expected, got);
}

struct ReadCount final : config::Observer {
    void read(std::uint32_t, unsigned, std::uint32_t) override { ++count; }
    void written(std::uint32_t, unsigned, std::uint32_t) override {}
    void event(std::string_view) override {}
    unsigned count = 0;
};

unsigned reads_to_build(const config::Image& captured, bool is_vf, config::Policy policy) {
    config::Image image = captured;
    config::Facts facts;
    facts.is_vf = facts.no_command_memory = is_vf;
    EXPECT_TRUE(facts.scan(image));
    ReadCount reads;
    config::Recorder recorder(image, reads);
    config::Effects effects;
    EXPECT_TRUE(config::Space::create(recorder, effects, facts, policy));
    return reads.count;
}

/// The kernel's figures were counted in the guest, by tracing pci_read_config_byte, _word and _dword under
/// the functions that build vfio-pci's space (the suite config_capture).
TEST(Captured, a_space_costs_no_more_reads_of_hardware_than_in_the_kernel) {
    const fs::path folder = fs::path(SLUICE_OWN_CASES) / "captured";
    std::ifstream table(folder / "reads.tsv");
    unsigned devices = 0;
    std::string name;
    for (unsigned old = 0, recent = 0; table >> name >> old >> recent; ++devices) {
        auto image = config::Image::load(folder / (name + ".bin"));
        ASSERT_TRUE(image) << name;
        const bool is_vf = name.ends_with("_vf");
        const unsigned strict = reads_to_build(*image, is_vf, config::Policy::strict);
        std::printf("reads of hardware to build %s, %u bytes: vfio-pci %u on 6.1 and %u on 6.12, strict %u\n",
                    name.c_str(), image->size(), old, recent, strict);
        EXPECT_EQ(reads_to_build(*image, is_vf, config::Policy::kernel_6_1), old) << name;
        EXPECT_EQ(reads_to_build(*image, is_vf, config::Policy::kernel_6_12), recent) << name;
        EXPECT_LE(strict, std::min(old, recent)) << name;
    }
    EXPECT_GE(devices, 6U);
}

INSTANTIATE_TEST_SUITE_P(Replay, Cases, testing::ValuesIn(find_cases()), case_name);

} // namespace
