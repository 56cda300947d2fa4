// SPDX-License-Identifier: BSD-3-Clause
#include <cstdio>
#include <string_view>

#include <gtest/gtest.h>
#include <rte_eal.h>

/// GoogleTest's options, `--`, EAL's.
int main(int argc, char** argv) {
    testing::InitGoogleTest(&argc, argv);
    int dashes = 0;
    while (dashes < argc && std::string_view(argv[dashes]) != "--")
        ++dashes;
    if (dashes == argc) {
        std::fputs("usage: TEST [GoogleTest options] -- EAL options\n", stderr);
        return 2;
    }
    argv[dashes] = argv[0];
    if (rte_eal_init(argc - dashes, argv + dashes) < 0)
        return 2;
    return RUN_ALL_TESTS();
}
