// SPDX-License-Identifier: BSD-3-Clause
#include <array>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "models.hpp"

namespace sluice::testpmd {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

CommandLine line_of(std::vector<std::string> eal) {
    CommandLine line;
    line.eal = std::move(eal);
    line.ports = default_ports(line.settings);
    return line;
}

TEST(Models, are_two_generators_with_as_many_queues_as_forward) {
    Settings settings;
    settings.rxq = 4;
    settings.txq = 3;
    const std::string uri = "soft:virtio?backend=gen&queues=3";
    EXPECT_THAT(default_ports(settings), ElementsAre(uri, uri));
}

TEST(Models, are_all_or_not_all) {
    EXPECT_TRUE(only_models(std::vector<std::string>{"soft:virtio", "soft:virtio?backend=loop"}));
    EXPECT_FALSE(only_models(std::vector<std::string>{"soft:virtio", "pci:0000:01:00.0"}));
    EXPECT_FALSE(only_models(std::vector<std::string>{}));
}

TEST(Models, need_no_hugepages_and_lcores_where_there_are_cpus) {
    const std::array<unsigned, 2> cpus = {3, 5};
    const auto arguments = model_eal_arguments(line_of({}), cpus);
    EXPECT_THAT(arguments, AllOf(Contains("--no-huge"), Contains("-m"), Contains("--iova-mode=va")));
    EXPECT_EQ(arguments.back(), "0@3,1@5");
    const std::array<unsigned, 1> one = {7};
    EXPECT_EQ(model_eal_arguments(line_of({}), one).back(), "0@7,1@7");
}

TEST(Models, get_more_memory_for_more_queues) {
    const auto megabytes = [](CommandLine line) {
        const auto arguments = model_eal_arguments(line, {});
        const auto at = std::ranges::find(arguments, "-m");
        return std::stoul(*(at + 1));
    };
    auto many = line_of({});
    many.settings.rxq = many.settings.txq = 4;
    EXPECT_GT(megabytes(many), 2 * megabytes(line_of({})));
}

TEST(Models, leave_what_the_user_says_to_eal_alone) {
    const std::array<unsigned, 2> cpus = {0, 1};
    for (const char* word : {"-m", "--no-huge", "--socket-mem=64", "--in-memory"})
        EXPECT_THAT(model_eal_arguments(line_of({word}), cpus), Not(Contains("--no-huge"))) << word;
    for (const char* word : {"-l", "-l0-1", "--lcores=0,1", "-c"})
        EXPECT_THAT(model_eal_arguments(line_of({word}), cpus), Not(Contains("--lcores"))) << word;
    EXPECT_THAT(model_eal_arguments(line_of({"-m", "64", "-l", "0-1"}), cpus), IsEmpty());
}

} // namespace
} // namespace sluice::testpmd
