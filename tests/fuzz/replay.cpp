// SPDX-License-Identifier: BSD-3-Clause
// Runs a fuzzer's function over every file of the folders given: the corpus as a test, with no fuzzer at
// hand.
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
    unsigned inputs = 0;
    const auto begun = std::chrono::steady_clock::now();
    for (int index = 1; index < argc; ++index)
        for (const auto& entry : std::filesystem::directory_iterator(argv[index])) {
            std::ifstream stream(entry.path(), std::ios::binary);
            const std::vector<char> bytes{std::istreambuf_iterator<char>(stream), {}};
            LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
            ++inputs;
        }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    std::printf("%s: %u inputs in %.1f s\n",
                argc > 1 ? std::filesystem::path(argv[1]).filename().c_str() : "no folder", inputs,
                took.count());
    return inputs != 0 ? 0 : 1;
}
