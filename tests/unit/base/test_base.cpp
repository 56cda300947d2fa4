// SPDX-License-Identifier: BSD-3-Clause
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <sluice/base/endian.hpp>
#include <sluice/base/error.hpp>
#include <sluice/base/event_fd.hpp>
#include <sluice/base/iova.hpp>
#include <sluice/base/log.hpp>
#include <sluice/base/mapping.hpp>
#include <sluice/base/unique_fd.hpp>

using namespace sluice;

namespace {

bool is_open(int fd) {
    return ::fcntl(fd, F_GETFD) >= 0;
}

TEST(Error, message_names_object_text_and_errno) {
    Error error(EBUSY, "the device is in use", "0000:01:00.0");
    EXPECT_EQ(error.message(), "0000:01:00.0: the device is in use (Device or resource busy)");
}

TEST(Error, message_leaves_out_what_is_not_there) {
    EXPECT_EQ(Error(0, "nothing to do").message(), "nothing to do");
}

TEST(Error, propagate_keeps_the_error_across_types) {
    Result<int> inner = fail(ENOENT, "no such device", "x");
    Result<std::string> outer = propagate(std::move(inner));
    ASSERT_FALSE(outer);
    EXPECT_EQ(outer.error().code(), ENOENT);
    EXPECT_EQ(outer.error().object(), "x");
}

TEST(UniqueFd, closes_once_and_moves) {
    auto opened = open_file("/dev/null", O_RDONLY);
    ASSERT_TRUE(opened);
    int number = opened->get();
    {
        UniqueFd moved = std::move(*opened);
        EXPECT_FALSE(*opened);
        EXPECT_TRUE(is_open(number));
        EXPECT_TRUE(::fcntl(number, F_GETFD) & FD_CLOEXEC);
    }
    EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, assignment_closes_the_old_one) {
    auto first = open_file("/dev/null", O_RDONLY);
    auto second = open_file("/dev/null", O_RDONLY);
    ASSERT_TRUE(first && second);
    int old = first->get();
    int kept = second->get();
    *first = std::move(*second);
    EXPECT_FALSE(is_open(old));
    EXPECT_EQ(first->get(), kept);
}

TEST(UniqueFd, duplicate_outlives_the_original) {
    auto original = open_file("/dev/null", O_RDONLY);
    ASSERT_TRUE(original);
    auto copy = original->duplicate();
    ASSERT_TRUE(copy);
    original->reset();
    EXPECT_TRUE(is_open(copy->get()));
}

TEST(OpenFile, names_the_path_that_fails) {
    auto opened = open_file("/nonexistent/file", O_RDONLY);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), ENOENT);
    EXPECT_EQ(opened.error().object(), "/nonexistent/file");
}

TEST(Mapping, is_shared_with_the_file) {
    UniqueFd file(::memfd_create("test", MFD_CLOEXEC));
    ASSERT_TRUE(file);
    ASSERT_EQ(::ftruncate(file.get(), 4096), 0);
    auto mapping = Mapping::shared(file.get(), 4096, 0, PROT_READ | PROT_WRITE);
    ASSERT_TRUE(mapping);
    std::memcpy(mapping->data(), "abc", 3);
    char read_back[3] = {};
    ASSERT_EQ(::pread(file.get(), read_back, 3, 0), 3);
    EXPECT_EQ(std::string(read_back, 3), "abc");
}

TEST(Mapping, is_gone_after_reset) {
    auto mapping = Mapping::anonymous(4096);
    ASSERT_TRUE(mapping);
    std::byte* page = mapping->data();
    unsigned char residency = 0;
    EXPECT_EQ(::mincore(page, 4096, &residency), 0);
    mapping->reset();
    EXPECT_EQ(::mincore(page, 4096, &residency), -1);
    EXPECT_EQ(errno, ENOMEM);
}

TEST(Mapping, fails_on_a_bad_descriptor) {
    auto mapping = Mapping::shared(-1, 4096, 0, PROT_READ);
    ASSERT_FALSE(mapping);
    EXPECT_EQ(mapping.error().code(), EBADF);
}

TEST(EventFd, take_counts_signals_and_never_blocks) {
    auto event = EventFd::create();
    ASSERT_TRUE(event);
    EXPECT_EQ(event->take(), 0u);
    event->signal();
    event->signal();
    EXPECT_EQ(event->take(), 2u);
    EXPECT_EQ(event->take(), 0u);
}

TEST(EventFd, wait_sees_a_signal_from_another_thread) {
    auto event = EventFd::create();
    ASSERT_TRUE(event);
    EXPECT_FALSE(event->wait(0));
    std::thread other([&] { event->signal(); });
    EXPECT_TRUE(event->wait(10'000));
    other.join();
    EXPECT_EQ(event->take(), 1u);
}

TEST(Endian, little_lies_in_memory_low_byte_first) {
    le32 value = 0x11223344u;
    unsigned char bytes[4];
    std::memcpy(bytes, &value, 4);
    EXPECT_EQ(bytes[0], 0x44);
    EXPECT_EQ(bytes[3], 0x11);
    EXPECT_EQ(value, 0x11223344u);
}

TEST(Iova, adds_bytes_and_subtracts_to_bytes) {
    Iova base{0x1000};
    EXPECT_EQ((base + 0x20).value, 0x1020u);
    EXPECT_EQ((base + 0x20) - base, 0x20u);
    EXPECT_LT(base, base + 1);
}

std::vector<std::string> seen_lines;

TEST(Log, goes_to_the_sink_and_nowhere_else) {
    log(LogLevel::error, "before");
    set_log_sink([](LogLevel, std::string_view line) { seen_lines.emplace_back(line); });
    log(LogLevel::info, "during");
    set_log_sink(nullptr);
    log(LogLevel::info, "after");
    EXPECT_EQ(seen_lines, std::vector<std::string>{"during"});
}

} // namespace
