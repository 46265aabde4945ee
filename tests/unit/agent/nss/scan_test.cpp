// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/nss/scan.hpp"

#include <arpa/inet.h>
#include <gtest/gtest.h>

#include <string>

namespace banger::nss {
namespace {

const std::string whole{"# banger names 1\n10.77.0.2 web.vm\n10.77.0.6 db.vm\n10.77.0.10 web.vm\n"};

/// "ADDRESS NAME", or none, of a file that comes in pieces of `size`.
std::string scan(const std::string& text, const Question& question, std::size_t size)
{
    Scan scan{question};
    for (std::size_t at = 0; at < text.size(); at += size) {
        if (!scan.feed({text.data() + at, std::min(size, text.size() - at)})) {
            break;
        }
    }
    const auto found = scan.end();
    if (!found) {
        return "none";
    }
    in_addr address{found->address};
    return std::string{::inet_ntoa(address)} + " " + std::string{found->name.text()};
}

std::string scan(const std::string& text, const Question& question)
{
    const auto found = scan(text, question, text.size() + 1);
    for (std::size_t size = 1; size <= text.size(); ++size) {
        EXPECT_EQ(scan(text, question, size), found) << "in pieces of " << size;
    }
    return found;
}

TEST(Scan, FindsTheFirstThatFitsByNameOrAddress)
{
    EXPECT_EQ(scan(whole, {.name = "web.vm"}), "10.77.0.2 web.vm");
    EXPECT_EQ(scan(whole, {.name = "db.vm"}), "10.77.0.6 db.vm");
    EXPECT_EQ(scan(whole, {.name = "", .address = htonl(0x0a4d0006)}), "10.77.0.6 db.vm");
    EXPECT_EQ(scan(whole, {.name = "we.vm"}), "none");
    EXPECT_EQ(scan(whole, {.name = "", .address = htonl(0x0a4d0007)}), "none");
}

TEST(Scan, BelievesNoFileWithALineThatIsWrong)
{
    for (const std::string line : {"\n", "garbage\n", "10.77.0.14 UPPER.vm\n", "10.77.0.14 cut", "10.77.0.14 cut.vm",
                                   "# banger names 1\n", "\377\376\n"}) {
        EXPECT_EQ(scan(whole + line, {.name = "web.vm"}), "none") << line;
    }
    EXPECT_EQ(scan(whole + std::string(line_limit + 1, 'a') + "\n", {.name = "web.vm"}), "none");
    EXPECT_EQ(scan(whole + std::string(1, '\0'), {.name = "web.vm"}), "none");
}

TEST(Scan, BelievesNoFileOfAnotherFormat)
{
    const auto rows = whole.substr(whole.find('\n') + 1);
    for (const std::string first : {"", "\n", "# banger names 2\n", "# banger names 1 \n", "# banger names 10\n"}) {
        EXPECT_EQ(scan(first + rows, {.name = "web.vm"}), "none") << first;
    }
    EXPECT_EQ(scan("", {.name = "web.vm"}), "none");
    EXPECT_EQ(scan("# banger names 1\n", {.name = "web.vm"}), "none");
}

}  // namespace
}  // namespace banger::nss
