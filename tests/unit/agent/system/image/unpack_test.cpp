// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/unpack.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/image/small_kernel.hpp"

namespace banger::agent {
namespace {

using test::file_bytes;
using test::packed;
using ::testing::HasSubstr;

constexpr std::size_t limit = std::size_t{4} << 20U;

struct Filter {
    const char* name;
    int (*add)(archive*);
};
constexpr std::array filters{Filter{"gzip", archive_write_add_filter_gzip}, Filter{"xz", archive_write_add_filter_xz},
                             Filter{"zstd", archive_write_add_filter_zstd},
                             Filter{"lz4", archive_write_add_filter_lz4}};

std::string unpack_refusal(const test::FileBytes& bytes)
{
    try {
        unpack(bytes, limit, "vmlinuz");
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CorruptData);
        return error.what();
    }
    return "it was taken";
}

test::FileBytes sample()
{
    test::FileBytes bytes(200'000);
    std::uint32_t state = 1;
    for (auto& byte : bytes) {
        state = state * 1664525U + 1013904223U;
        byte = static_cast<std::uint8_t>(state >> 30U);
    }
    return bytes;
}

TEST(UnpackTest, EachOfTheFourComesBackAsItWas)
{
    const auto bytes = sample();
    for (const auto& filter : filters) {
        EXPECT_TRUE(unpack(packed(bytes, filter.add), limit, "x") == bytes) << filter.name;
    }
}

TEST(UnpackTest, WhatIsPackedInItStaysPacked)
{
    for (const auto& filter : filters) {
        const auto inner = packed(sample(), archive_write_add_filter_gzip);
        EXPECT_TRUE(unpack(packed(inner, filter.add), limit, "x") == inner) << filter.name;
    }
}

TEST(UnpackTest, WhatFollowsGzipAndLz4IsIgnored)
{
    const auto bytes = sample();
    for (auto* filter : {archive_write_add_filter_gzip, archive_write_add_filter_lz4}) {
        auto file = packed(bytes, filter);
        file.resize(file.size() + 100'000);
        EXPECT_TRUE(unpack(file, limit, "x") == bytes);
    }
}

TEST(UnpackTest, APackedFileThatIsCutOffOrDamagedIsRefused)
{
    for (const auto& filter : filters) {
        auto file = packed(sample(), filter.add);
        auto half = file;
        half.resize(half.size() / 2);
        EXPECT_THAT(unpack_refusal(half), HasSubstr("vmlinuz can't be unpacked")) << filter.name;
        for (std::size_t i = 0; i < 1000; ++i) {
            file[file.size() / 2 + i] ^= 0xffU;
        }
        EXPECT_THAT(unpack_refusal(file), HasSubstr("vmlinuz can't be unpacked")) << filter.name;
    }
}

TEST(UnpackTest, WhatIsNotPackedIsRefused)
{
    EXPECT_THAT(unpack_refusal(file_bytes("this is no packed file")), HasSubstr("none of gzip, xz, zstd and lz4"));
    EXPECT_THAT(unpack_refusal(test::FileBytes(100'000)), HasSubstr("none of gzip, xz, zstd and lz4"));
    EXPECT_THAT(unpack_refusal({}), HasSubstr("none of gzip, xz, zstd and lz4"));
    EXPECT_THAT(unpack_refusal(packed(sample(), archive_write_add_filter_bzip2)), HasSubstr("none of gzip"));
}

TEST(UnpackTest, AFileThatUnpacksToMoreThanTheLimitIsRefused)
{
    const test::FileBytes zeros(limit + 1);
    for (const auto& filter : filters) {
        const auto file = packed(zeros, filter.add);
        EXPECT_LT(file.size(), zeros.size() / 10);
        EXPECT_THAT(unpack_refusal(file), HasSubstr("unpacks to more than 4 MiB")) << filter.name;
    }
    EXPECT_EQ(unpack(packed(test::FileBytes(limit), archive_write_add_filter_xz), limit, "x").size(), limit);
}

TEST(ReadFileTest, AFileIsReadAndUnpackedWhenItsNameSaysSo)
{
    const test::TemporaryFolder folder;
    const auto bytes = sample();
    test::write_file(folder.path / "a.ko", bytes);
    test::write_file(folder.path / "a.ko.xz", packed(bytes, archive_write_add_filter_xz));
    test::write_file(folder.path / "a.ko.zst", packed(bytes, archive_write_add_filter_zstd));
    test::write_file(folder.path / "a.ko.gz", packed(bytes, archive_write_add_filter_gzip));
    for (const auto* name : {"a.ko", "a.ko.xz", "a.ko.zst", "a.ko.gz"}) {
        EXPECT_TRUE(read_file(folder.path / name, limit) == bytes) << name;
    }
    test::write_file(folder.path / "empty", {});
    EXPECT_TRUE(read_file(folder.path / "empty", limit).empty());
}

TEST(ReadFileTest, WhatIsNoFileOrTooLargeIsAnErrorThatNamesIt)
{
    const test::TemporaryFolder folder;
    const auto code_of = [&](const char* name) {
        try {
            read_file(folder.path / name, 1000);
        } catch (const Error& error) {
            EXPECT_THAT(error.what(), HasSubstr(name));
            return error.code();
        }
        return ErrorCode::Internal;
    };
    EXPECT_EQ(code_of("gone"), ErrorCode::NotFound);
    std::filesystem::create_directory(folder.path / "folder");
    EXPECT_EQ(code_of("folder"), ErrorCode::Failed);
    test::write_file(folder.path / "large", test::FileBytes(1001));
    EXPECT_EQ(code_of("large"), ErrorCode::CorruptData);
    test::write_file(folder.path / "rubbish.xz", file_bytes("rubbish"));
    EXPECT_EQ(code_of("rubbish.xz"), ErrorCode::CorruptData);
}

}  // namespace
}  // namespace banger::agent
