// SPDX-License-Identifier: BSD-3-Clause
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "eal.hpp"

namespace sluice::testpmd {
namespace {

using Words = std::vector<std::string>;

std::string complaint(const Words& words, std::string_view online = "0-3,8") {
    const auto checked = check_eal_arguments(words, online);
    return checked ? std::string{} : checked.error().message();
}

TEST(EalArguments, passes_what_eal_understands) {
    for (const char* list : {"0", "0-3", "3-0", "0,2-3", "8,0"})
        EXPECT_EQ(complaint({"-n", "4", "-l", list, "-m", "256"}), "") << list;
    EXPECT_EQ(complaint({"-l0-1", "-m256", "--lcores", "0@0", "--log-level=8", "--main-lcore", "0"}), "");
    EXPECT_EQ(complaint({"-l", "99"}, ""), "") << "it is not known which are online";
}

TEST(EalArguments, names_a_list_of_lcores_that_is_none) {
    for (const char* list : {"x", "0-", "-1", "0,,1", "0,", "0..1", "1.5", "99999999999"})
        EXPECT_EQ(complaint({"-l", list}),
                  std::string("-l ") + list +
                      ": takes lcores as numbers and ranges, as in -l 0-1 or -l 0,2-3");
    EXPECT_THAT(complaint({"-n", "4", "-l"}), testing::StartsWith("-l: takes lcores"));
}

TEST(EalArguments, names_the_cpu_that_is_not_online) {
    EXPECT_EQ(complaint({"-l", "2-5"}),
              "-l 2-5: CPU 4 is not online, 0-3,8 are: name CPUs that are online, or "
              "put lcores on them with --lcores");
    EXPECT_THAT(complaint({"-l0,9"}), testing::StartsWith("-l 0,9: CPU 9 "));
    EXPECT_THAT(complaint({"-l", "0-4294967295"}), testing::HasSubstr("CPU 4 "));
}

TEST(EalArguments, names_memory_that_is_no_number) {
    for (const char* size : {"x", "256M", "-1", "1.5"})
        EXPECT_EQ(complaint({"-m", size}),
                  std::string("-m ") + size + ": takes the MiB of memory, as in -m 256");
    EXPECT_THAT(complaint({"-m"}), testing::StartsWith("-m: takes the MiB"));
}

} // namespace
} // namespace sluice::testpmd
