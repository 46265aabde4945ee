// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/package_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/error.hpp"

namespace banger::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST(PackageListTest, NamesStandOneOrSeveralOnALineAndCommentsEndIt)
{
    EXPECT_THAT(
        package_names(parse_package_list("# what boots\nudev dbus  # and more\n\n\tg++\r\nlibc6.1-x+y", "list")),
        ElementsAre("udev", "dbus", "g++", "libc6.1-x+y"));
    EXPECT_THAT(parse_package_list("", "list"), IsEmpty());
    EXPECT_THAT(parse_package_list("#", "list"), IsEmpty());
}

TEST(PackageListTest, EachNameKnowsItsLine)
{
    EXPECT_THAT(parse_package_list("udev\n\n# x\ndbus jq\n", "/a/list"),
                ElementsAre(ListedPackage{"udev", "/a/list:1"}, ListedPackage{"dbus", "/a/list:4"},
                            ListedPackage{"jq", "/a/list:4"}));
}

TEST(PackageListTest, WhatIsNoNameIsRefusedWithItsLine)
{
    for (const auto* word : {"-o", "--option", "Udev", "a", "x;y", "../x", "x=1", "x,y", "$(x)", "\xff\xff"}) {
        try {
            parse_package_list(std::string{"udev\n\n"} + word, "list.txt");
            ADD_FAILURE() << word;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
            EXPECT_THAT(error.what(), HasSubstr("list.txt:3: "));
        }
    }
    EXPECT_THROW(parse_package("a b", "--packages"), Error);
}

TEST(PackageListTest, AptSaysWhichPackageThereIsNot)
{
    EXPECT_EQ(unknown_package("E: Unable to locate package no-such-package1"), "no-such-package1");
    EXPECT_EQ(unknown_package("E: Unable to locate package g++-99\r"), "g++-99");
    EXPECT_EQ(unknown_package("E: Package 'rar' has no installation candidate"), "rar");
    EXPECT_EQ(unknown_package("E: Package rar has no installation candidate"), "rar");
    EXPECT_EQ(unknown_package("E: Couldn't find any package by regex 'libc7.0'"), "libc7.0");
    EXPECT_FALSE(unknown_package("E: Unable to locate package "));
    EXPECT_FALSE(unknown_package("E: Unable to locate package \x1b[31m"));
    EXPECT_FALSE(unknown_package("Unpacking jq (1.6-2.1) ..."));
    EXPECT_FALSE(unknown_package(""));
}

TEST(PackageListTest, AnUnknownPackageIsExplainedByWhoAskedForIt)
{
    const auto listed = parse_package_list("udev\nno-such\n", "packages.apt");
    EXPECT_EQ(explain_unknown({"no-such"}, listed, "bookworm"),
              "packages.apt:2: there is no package \"no-such\" in bookworm");
    EXPECT_EQ(explain_unknown({"no-such", "other"}, listed, "trixie"),
              "packages.apt:2: there is no package \"no-such\" in trixie; there is no package \"other\" in trixie");
}

}  // namespace
}  // namespace banger::agent
