// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/base_file.hpp"

#include <fcntl.h>

#include "tests/unit/broker/core/fixture.hpp"

namespace banger::broker::test {
namespace {

constexpr std::uint64_t ext4 = 0xef53;

FileFacts good() { return {.type = FileFacts::Type::Regular, .links = 1, .size = gib.bytes(), .owner = alice}; }

std::optional<ErrorCode> code_of_opening(int flags, std::uint64_t file_system)
{
    return error_of([&] { check_opening({.flags = flags, .file_system = file_system}); });
}

void expect_refused(const FileFacts& facts)
{
    EXPECT_EQ(error_of([&] { check_base(facts); }), ErrorCode::InvalidArgument);
}

TEST(BaseFileTest, AFileOpenedForReadingIsTakenWhosesoeverItIs)
{
    EXPECT_EQ(check_base(good()), gib);
    auto facts = good();
    facts.owner = 0;
    EXPECT_EQ(check_base(facts), gib) << "a shared image";
}

TEST(BaseFileTest, R05AWritableDescriptorIsRefused)
{
    EXPECT_EQ(code_of_opening(O_RDONLY | O_CLOEXEC, ext4), std::nullopt);
    for (const int mode : {O_WRONLY, O_RDWR, O_WRONLY | O_APPEND, O_ACCMODE}) {
        EXPECT_EQ(code_of_opening(mode, ext4), ErrorCode::InvalidArgument) << mode;
    }
}

TEST(BaseFileTest, R06OnlyARegularFileWithANameIsTaken)
{
    auto facts = good();
    facts.type = FileFacts::Type::Other;
    expect_refused(facts);
    facts = good();
    facts.links = 0;
    expect_refused(facts);
}

TEST(BaseFileTest, R06AnOpeningThatIsNoneIsRefusedBeforeTheFileIsAsked)
{
    EXPECT_EQ(code_of_opening(O_PATH, ext4), ErrorCode::InvalidArgument);
    EXPECT_EQ(code_of_opening(O_PATH | O_RDONLY | O_CLOEXEC, ext4), ErrorCode::InvalidArgument);
}

TEST(BaseFileTest, R07OnlyFileSystemsThatNoUserCanStallAreTaken)
{
    for (const std::uint64_t known : {0xef53UL, 0x58465342UL, 0x9123683eUL, 0xf2f52010UL, 0x2fc12fc1UL}) {
        EXPECT_EQ(code_of_opening(O_RDONLY, known), std::nullopt) << std::hex << known;
    }
    // fuse, nfs, cifs, 9p, tmpfs (memfd), overlayfs, ramfs, hugetlbfs, proc, ecryptfs, none: linux/magic.h
    for (const std::uint64_t other : {0x65735546UL, 0x6969UL, 0xff534d42UL, 0x01021997UL, 0x01021994UL, 0x794c7630UL,
                                      0x858458f6UL, 0x958458f6UL, 0x9fa0UL, 0xf15fUL, 0UL}) {
        EXPECT_EQ(code_of_opening(O_RDONLY, other), ErrorCode::InvalidArgument) << std::hex << other;
    }
}

TEST(BaseFileTest, ASizeIsOfWholeSectors)
{
    for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{511}, gib.bytes() + 1}) {
        auto facts = good();
        facts.size = size;
        expect_refused(facts);
    }
    auto facts = good();
    facts.size = 512;
    EXPECT_EQ(check_base(facts).bytes(), 512U);
}

}  // namespace
}  // namespace banger::broker::test
