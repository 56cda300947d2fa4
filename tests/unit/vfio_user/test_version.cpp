// SPDX-License-Identifier: BSD-3-Clause
#include <sluice/vfio_user/version.hpp>

#include <cerrno>
#include <string>

#include <gtest/gtest.h>

using namespace sluice;
using namespace sluice::vfio_user;

namespace {

std::vector<std::byte> payload(std::uint16_t minor, std::string_view json, bool nul = true) {
    const VersionHead head{0, minor};
    const auto fixed = bytes_of(head);
    std::vector<std::byte> bytes(fixed.begin(), fixed.end());
    const auto text = std::as_bytes(std::span(json));
    bytes.insert(bytes.end(), text.begin(), text.end());
    if (nul)
        bytes.push_back(std::byte{0});
    return bytes;
}

TEST(Version, comes_back_as_it_was_encoded) {
    Version version;
    version.minor = 1;
    version.limits = {16, 8192, 100};
    version.pgsizes = 4096 | 1 << 21;
    version.write_multiple = true;
    version.twin_socket = TwinSocket{true, 3};
    const auto parsed = parse_version(encode(version));
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(parsed->minor, 1);
    EXPECT_EQ(parsed->limits.max_msg_fds, 16U);
    EXPECT_EQ(parsed->limits.max_data_xfer_size, 8192U);
    EXPECT_EQ(parsed->limits.max_dma_maps, 100U);
    EXPECT_EQ(parsed->pgsizes, version.pgsizes);
    EXPECT_TRUE(parsed->write_multiple);
    ASSERT_TRUE(parsed->twin_socket);
    EXPECT_TRUE(parsed->twin_socket->supported);
    EXPECT_EQ(parsed->twin_socket->fd_index, 3U);
}

TEST(Version, has_defaults_for_all_that_a_peer_leaves_out) {
    for (const auto& bytes :
         {std::vector<std::byte>(4), payload(0, "{}"), payload(1, R"({"capabilities":{}})"),
          payload(2, R"({"capabilities":{"migration":{"pgsize":4096},"max_msg_fds":1}})"),
          payload(0, R"({"migration":{"pgsize":4096}})"), payload(1, R"({"capabilities":{"new":[1,{}]}})")}) {
        const auto parsed = parse_version(bytes);
        ASSERT_TRUE(parsed) << parsed.error().message();
        EXPECT_EQ(parsed->limits.max_msg_fds, 1U);
        EXPECT_EQ(parsed->limits.max_data_xfer_size, 1048576U);
        EXPECT_EQ(parsed->limits.max_dma_maps, 65535U);
        EXPECT_EQ(parsed->pgsizes, 4096U);
        EXPECT_FALSE(parsed->write_multiple);
        EXPECT_FALSE(parsed->twin_socket);
        EXPECT_EQ(parsed->has_json, bytes.size() > 4);
    }
}

TEST(Version, refuses_what_is_no_version) {
    EXPECT_EQ(parse_version(std::vector<std::byte>(3)).error().code(), EINVAL);
    EXPECT_EQ(parse_version(std::vector<std::byte>(5 + max_json)).error().code(), EINVAL);
    EXPECT_EQ(parse_version(payload(0, "{}", false)).error().code(), EINVAL);
    const std::string deep(10000, '[');
    for (const std::string& json :
         {std::string(), std::string("{"), std::string("[]"), std::string("7"), deep,
          std::string(R"({"capabilities":7})"), std::string(R"({"capabilities":[]})")}) {
        const auto parsed = parse_version(payload(0, json));
        ASSERT_FALSE(parsed) << json;
        EXPECT_EQ(parsed.error().code(), EINVAL);
    }
}

TEST(Version, refuses_capabilities_of_the_wrong_type_or_range) {
    for (const char* member :
         {R"("max_msg_fds":-1)", R"("max_msg_fds":4294967296)", R"("max_msg_fds":"8")",
          R"("max_msg_fds":1.5)", R"("max_msg_fds":null)", R"("max_data_xfer_size":0)",
          R"("max_data_xfer_size":-1)", R"("max_data_xfer_size":1e30)", R"("max_dma_maps":[])",
          R"("pgsizes":0)", R"("pgsizes":true)", R"("write_multiple":1)", R"("twin_socket":true)",
          R"("twin_socket":{"supported":1})", R"("twin_socket":{"fd_index":-1})",
          R"("twin_socket":{"fd_index":4294967296})"}) {
        const auto parsed = parse_version(payload(1, "{\"capabilities\":{" + std::string(member) + "}}"));
        ASSERT_FALSE(parsed) << member;
        EXPECT_EQ(parsed.error().code(), EINVAL);
    }
}

TEST(Version, agrees_on_the_smaller_of_everything) {
    Version ours;
    ours.minor = 2;
    ours.limits = {16, 8192, 100};
    ours.pgsizes = 4096 | 1 << 21;
    ours.write_multiple = true;
    ours.twin_socket = TwinSocket{true, 0};
    Version theirs;
    theirs.minor = 0;
    theirs.limits = {8, 1 << 20, 65535};
    const auto both = agree(ours, theirs);
    ASSERT_TRUE(both);
    EXPECT_EQ(both->minor, 0);
    EXPECT_EQ(both->limits.max_msg_fds, 8U);
    EXPECT_EQ(both->limits.max_data_xfer_size, 8192U);
    EXPECT_EQ(both->limits.max_dma_maps, 100U);
    EXPECT_EQ(both->pgsizes, 4096U);
    EXPECT_FALSE(both->write_multiple);
    EXPECT_FALSE(both->twin_socket);
    theirs.major = 1;
    EXPECT_EQ(agree(ours, theirs).error().code(), EPROTO);
}

} // namespace
