// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace banger::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

std::string refusal(
    const VariantMap& map, const std::function<void(const Options&)>& use = [](const Options&) {})
{
    try {
        use(Options{map, {"memory", "vcpus", "name"}});
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        return error.what();
    }
    return "";
}

TEST(OptionsTest, AKnownKeyIsReadAndAMissingOneHasItsDefault)
{
    const VariantMap map{{"memory", sdbus::Variant{std::uint64_t{512}}},
                         {"name", sdbus::Variant{std::string{"calm-otter"}}}};
    const Options options{map, {"memory", "vcpus", "name"}};
    EXPECT_TRUE(options.has("memory"));
    EXPECT_FALSE(options.has("vcpus"));
    EXPECT_EQ(options.get<std::uint64_t>("memory"), 512U);
    EXPECT_EQ(options.get<std::string>("name", "none"), "calm-otter");
    EXPECT_EQ(options.get<std::uint32_t>("vcpus"), std::nullopt);
    EXPECT_EQ(options.get<std::uint32_t>("vcpus", 2U), 2U);
}

TEST(OptionsTest, AnUnknownKeyIsRefusedWithTheOneThatWasMeant)
{
    EXPECT_THAT(refusal({{"memry", sdbus::Variant{std::uint64_t{512}}}}), HasSubstr("\"memry\"; did you mean memory?"));
    EXPECT_THAT(refusal({{"weather", sdbus::Variant{true}}}), Not(HasSubstr("did you mean")));
    EXPECT_THAT(refusal({{"", sdbus::Variant{true}}}), HasSubstr("unknown option"));
    EXPECT_THAT(refusal({{"\x1b[2J" + std::string(100'000, 'x'), sdbus::Variant{true}}}),
                ::testing::AllOf(HasSubstr("?[2J"), ::testing::SizeIs(::testing::Lt(200U))));
}

TEST(OptionsTest, AnotherTypeIsRefusedAndNotConverted)
{
    const VariantMap map{{"memory", sdbus::Variant{std::string{"512"}}}, {"vcpus", sdbus::Variant{std::uint64_t{2}}}};
    EXPECT_THAT(refusal(map, [](const Options& options) { options.get<std::uint64_t>("memory"); }),
                HasSubstr("memory has the wrong type s"));
    EXPECT_THAT(refusal(map, [](const Options& options) { options.get<std::uint32_t>("vcpus", 1U); }),
                HasSubstr("vcpus has the wrong type t"));
}

}  // namespace
}  // namespace banger::agent
