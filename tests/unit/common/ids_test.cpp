// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/ids.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "common/error.hpp"

namespace banger {
namespace {

/// The sentence with which T refuses `text`; fails the test when it doesn't.
template <typename T>
std::string refusal(std::string_view text)
{
    try {
        T::parse(text);
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        return error.what();
    }
    ADD_FAILURE() << "taken: " << text;
    return {};
}

TEST(VmNameTest, TakesDnsLabels)
{
    for (const std::string& text :
         {std::string{"a"}, std::string{"calm-otter"}, std::string{"0"}, std::string{"a--b"}, std::string(63, 'x')}) {
        EXPECT_EQ(VmName::parse(text).str(), text);
    }
}

TEST(VmNameTest, RefusesEverythingElse)
{
    using namespace std::string_view_literals;
    for (const auto text : {""sv, "-a"sv, "a-"sv, "-"sv, "UPPER"sv, "a.b"sv, "a_b"sv, "../x"sv, "a/b"sv, "a b"sv,
                            "a\0b"sv, "\xc3\xa4"sv, "a\n"sv}) {
        EXPECT_FALSE(refusal<VmName>(text).empty());
    }
    EXPECT_NE(refusal<VmName>(std::string(64, 'x')).find("63"), std::string::npos);
}

TEST(VmNameTest, ARefusalRepeatsNoControlCharactersAndNoBook)
{
    const auto sentence = refusal<VmName>("\x1b[2J" + std::string(100'000, 'x'));
    EXPECT_EQ(sentence.find('\x1b'), std::string::npos);
    EXPECT_LT(sentence.size(), 300U);
}

TEST(VmIdTest, RandomOnesHaveTheirShapeAndDiffer)
{
    std::set<std::string> seen;
    for (int i = 0; i < 1000; ++i) {
        const auto id = VmId::random();
        EXPECT_EQ(VmId::parse(id.str()), id);
        EXPECT_TRUE(seen.insert(id.str()).second);
    }
}

TEST(VmIdTest, RefusesOtherShapes)
{
    for (const auto* text : {"", "abcdefghijk", "abcdefghijklm", "abcdefghij-l", "ABCDEFGHIJKL", "../../../etc"}) {
        refusal<VmId>(text);
    }
}

TEST(DigestTest, TakesLowerCaseSha256Alone)
{
    const std::string good(64, 'a');
    EXPECT_EQ(Digest::parse(good).brief(), std::string(12, 'a'));
    refusal<Digest>(std::string(63, 'a'));
    refusal<Digest>(std::string(65, 'a'));
    refusal<Digest>(std::string(64, 'A'));
    refusal<Digest>(std::string(64, 'g'));
    refusal<Digest>("");
}

TEST(ArtifactNameTest, TakesFileNamesThatAreNoPaths)
{
    for (const auto* text : {"debian", "debian-12.5_x", "0", "a.b"}) {
        EXPECT_EQ(ArtifactName::parse(text).str(), text);
    }
    for (const auto* text : {"", ".", "..", ".hidden", "-a", "_a", "a/b", "../x", "A", "a b"}) {
        refusal<ArtifactName>(text);
    }
    refusal<ArtifactName>(std::string(64, 'x'));
}

}  // namespace
}  // namespace banger
