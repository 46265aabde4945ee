// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/nss/entry.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <string>

namespace banger::nss {
namespace {

std::string name_of(std::string_view asked)
{
    const auto name = HostName::of(asked);
    return name ? std::string{name->text()} : "none";
}

TEST(HostName, IsAVmsNameInEitherCaseWithOrWithoutADotAtItsEnd)
{
    EXPECT_EQ(name_of("web.vm"), "web.vm");
    EXPECT_EQ(name_of("Calm-Otter.VM."), "calm-otter.vm");
    EXPECT_EQ(name_of("0.vm"), "0.vm");
    const auto longest = std::string(label_limit, 'a') + ".vm";
    EXPECT_EQ(name_of(longest), longest);
    EXPECT_EQ(name_of(longest + "."), longest);
}

TEST(HostName, IsNothingElse)
{
    const std::string longer = std::string(label_limit + 1, 'a') + ".vm";
    for (const std::string& asked : {std::string{},
                                     std::string{"."},
                                     std::string{".vm"},
                                     std::string{"vm"},
                                     std::string{".vm."},
                                     std::string{"web"},
                                     std::string{"web.vmx"},
                                     std::string{"web.v"},
                                     std::string{"a.web.vm"},
                                     std::string{"web.vm.."},
                                     std::string{"-web.vm"},
                                     std::string{"web-.vm"},
                                     std::string{"w_b.vm"},
                                     std::string{"w b.vm"},
                                     std::string{"w\0b.vm", 6},
                                     std::string{"w\303\244b.vm"},
                                     longer,
                                     longer + ".",
                                     std::string{"web.com"},
                                     std::string{"example.org"},
                                     std::string(300, '.')}) {
        EXPECT_EQ(name_of(asked), "none") << asked;
    }
}

TEST(HostName, HasANulBehindIt)
{
    const auto name = HostName::of(std::string(label_limit, 'a') + ".vm");
    ASSERT_TRUE(name);
    EXPECT_EQ(name->chars()[name_limit], '\0');
}

TEST(Entry, IsAnAddressASpaceAndAName)
{
    const auto entry = parse_entry("10.77.0.2 web.vm");
    ASSERT_TRUE(entry);
    EXPECT_EQ(entry->address, htonl(0x0a4d0002));
    EXPECT_EQ(entry->name.text(), "web.vm");
    EXPECT_TRUE(parse_entry("255.255.255.255 " + std::string(label_limit, 'a') + ".vm"));
}

TEST(Entry, IsNothingElse)
{
    for (const std::string& line : {std::string{},
                                    std::string{" "},
                                    std::string{"10.77.0.2"},
                                    std::string{"10.77.0.2 "},
                                    std::string{"10.77.0.2 web"},
                                    std::string{"10.77.0.2  web.vm"},
                                    std::string{"10.77.0.2\tweb.vm"},
                                    std::string{" 10.77.0.2 web.vm"},
                                    std::string{"10.77.0.2 web.vm "},
                                    std::string{"10.77.0.2 web.vm\r"},
                                    std::string{"10.77.0.2 web.vm."},
                                    std::string{"10.77.0.2 Web.vm"},
                                    std::string{"10.77.0.2 web.vm db.vm"},
                                    std::string{"10.77.0 web.vm"},
                                    std::string{"10.77.0.256 web.vm"},
                                    std::string{"010.77.0.2 web.vm"},
                                    std::string{"::1 web.vm"},
                                    std::string{"10.77.0.2\0 web.vm", 17},
                                    std::string{"10.77.0.2 w\0b.vm", 16},
                                    std::string{"255.255.255.2550 web.vm"},
                                    std::string{"# a comment"}}) {
        EXPECT_FALSE(parse_entry(line)) << line;
    }
}

}  // namespace
}  // namespace banger::nss
