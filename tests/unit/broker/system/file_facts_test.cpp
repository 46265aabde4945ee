// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/file_facts.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <unistd.h>

#include <fstream>

#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::broker {
namespace {

TEST(FileFacts, AFileIsAsTheKernelKnowsIt)
{
    const agent::test::TemporaryFolder folder;
    const auto path = folder.path / "file";
    std::ofstream{path} << "12345";
    std::filesystem::create_hard_link(path, folder.path / "second");
    const UniqueFd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
    const auto facts = facts_of(file.get());
    EXPECT_EQ(facts.type, FileFacts::Type::Regular);
    EXPECT_EQ(facts.links, 2U);
    EXPECT_EQ(facts.size, 5U);
    EXPECT_EQ(facts.owner, ::geteuid());
    EXPECT_EQ(opening_of(file.get()).flags & O_ACCMODE, O_RDONLY);
    const UniqueFd writable{::open(path.c_str(), O_RDWR | O_CLOEXEC)};
    EXPECT_EQ(opening_of(writable.get()).flags & O_ACCMODE, O_RDWR);
}

TEST(FileFacts, WhatABrokerMustRefuseIsSeen)
{
    const UniqueFd path{::open("/", O_PATH | O_CLOEXEC)};
    EXPECT_NE(opening_of(path.get()).flags & O_PATH, 0);
    EXPECT_EQ(facts_of(path.get()).type, FileFacts::Type::Other);
    const UniqueFd device{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    EXPECT_EQ(facts_of(device.get()).type, FileFacts::Type::Other);
    const UniqueFd memory{::memfd_create("memory", MFD_CLOEXEC)};
    EXPECT_EQ(facts_of(memory.get()).links, 0U);
    EXPECT_EQ(opening_of(memory.get()).file_system, std::uint64_t{TMPFS_MAGIC});
    EXPECT_THROW(opening_of(-1), Error);
    EXPECT_THROW(facts_of(-1), Error);
}

}  // namespace
}  // namespace banger::broker
