// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/wire/cbor.hpp"

#include "common/error.hpp"

#include <functional>

#include <gtest/gtest.h>

namespace banger::wire {
namespace {

using nlohmann::json;

void expect_damaged(const std::function<void()>& read)
{
    try {
        read();
        ADD_FAILURE() << "was taken";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::CorruptData);
    }
}

json nested(int depth)
{
    json value = 1;
    for (int i = 0; i < depth; ++i) {
        value = {{"in", value}};
    }
    return value;
}

TEST(CborTest, MapsAreNestedEightDeepAndNoDeeper)
{
    EXPECT_EQ(decode_map(to_bytes(nested(8))), nested(8));
    expect_damaged([] { decode_map(to_bytes(nested(9))); });
}

TEST(CborTest, ListsCountAsMapsDo)
{
    EXPECT_NO_THROW(decode_map(to_bytes({{"a", json::parse("[[[[[[[1]]]]]]]")}})));
    expect_damaged([] { decode_map(to_bytes({{"a", json::parse("[[[[[[[[1]]]]]]]]")}})); });
}

TEST(CborTest, ClosedBranchesDoNotAddToTheDepth)
{
    const json flat{{"a", nested(7)}, {"b", nested(7)}, {"c", nested(7)}};
    EXPECT_EQ(decode_map(to_bytes(flat)), flat);
}

TEST(CborTest, AtMost4096ValuesAreTaken)
{
    const auto with = [](std::size_t numbers) {  // the map and the list are values, too
        return to_bytes({{"a", json(std::vector<int>(numbers, 1))}});
    };
    EXPECT_EQ(decode_map(with(4094)).at("a").size(), 4094U);
    expect_damaged([&] { decode_map(with(4095)); });
}

TEST(CborTest, EndlessListsEndAtTheLimit)
{
    Bytes endless{0xa1, 0x61, 'a', 0x9f};  // a list of unknown length
    endless.resize(100'000, 0x01);
    expect_damaged([&] { decode_map(endless); });
}

TEST(CborTest, StringsInPiecesOfPiecesTakeNoStack)
{
    for (const int head : {0x5f, 0x7f}) {  // bytes, text, of unknown length
        Bytes endless{0xa1, 0x61, 'a'};
        endless.resize(256 * 1024, static_cast<std::uint8_t>(head));
        expect_damaged([&] { decode_map(endless); });
        Bytes with_pieces_between{0xa1, 0x61, 'a'};
        for (int i = 0; i < 100'000; ++i) {
            const auto empty = static_cast<std::uint8_t>(head & 0xe0);
            with_pieces_between.insert(with_pieces_between.end(), {static_cast<std::uint8_t>(head), empty});
        }
        expect_damaged([&] { decode_map(with_pieces_between); });
        Bytes as_key{0xa1};
        as_key.resize(256 * 1024, static_cast<std::uint8_t>(head));
        expect_damaged([&] { decode_map(as_key); });
    }
}

TEST(CborTest, AStringMayComeInPieces)
{
    const Bytes text{0xa1, 0x61, 'a', 0x7f, 0x62, 'b', 'c', 0x78, 0x01, 'd', 0xff};
    EXPECT_EQ(decode_map(text).at("a"), "bcd");
    const Bytes looks_like_heads{0xa2, 0x61, 'a', 0x43, 0x7f, 0x7f, 0x7f, 0x61, 'b', 0x19, 0x5f, 0x5f};
    EXPECT_EQ(decode_map(looks_like_heads).at("b"), 0x5f5f) << "what is inside of an item is no head";
}

TEST(CborTest, HugeClaimsTakeNoMemory)
{
    const Bytes head{0xa1, 0x61, 'a'};
    for (const int kind : {0x5b, 0x7b, 0x9b, 0xbb}) {  // bytes, text, list, map of 2^62
        Bytes claim = head;
        claim.push_back(static_cast<std::uint8_t>(kind));
        claim.insert(claim.end(), {0x40, 0, 0, 0, 0, 0, 0, 0, 1});
        expect_damaged([&] { decode_map(claim); });
    }
}

TEST(CborTest, AMessageThatIsCutAnywhereOrGoesOnIsDamaged)
{
    Bytes whole = to_bytes({{"a", {1, 2, "three"}}, {"b", byte_string("four")}});
    for (std::size_t size = 0; size < whole.size(); ++size) {
        expect_damaged([&] { decode_map(ByteView{whole}.first(size)); });
    }
    EXPECT_NO_THROW(decode_map(whole));
    whole.push_back(0x01);
    expect_damaged([&] { decode_map(whole); });
}

TEST(CborTest, OnlyAMapIsAMessage)
{
    for (const auto& value : {json(1), json("text"), json::array({1}), json(nullptr)}) {
        expect_damaged([&] { decode_map(to_bytes(value)); });
        expect_damaged([&] { Fields{value}; });
    }
}

TEST(FieldsTest, NumbersKeepToTheRangeOfTheirType)
{
    const json map{{"small", 200}, {"minus", -1}, {"vast", UINT64_MAX}, {"part", 1.5}, {"word", "1"}};
    const Fields fields{map};
    EXPECT_EQ(fields.number<std::uint8_t>("small"), 200);
    EXPECT_EQ(fields.number<int>("minus"), -1);
    EXPECT_EQ(fields.number<std::uint64_t>("vast"), UINT64_MAX);
    expect_damaged([&] { (void)fields.number<std::int8_t>("small"); });
    expect_damaged([&] { (void)fields.number<std::uint32_t>("minus"); });
    expect_damaged([&] { (void)fields.number<std::int64_t>("vast"); });
    expect_damaged([&] { (void)fields.number<int>("small", 0, 199); });
    expect_damaged([&] { (void)fields.number<int>("small", 201); });
    expect_damaged([&] { (void)fields.number<int>("part"); });
    expect_damaged([&] { (void)fields.number<int>("word"); });
}

TEST(FieldsTest, BytesAreTakenAsTextIsButNotTheOtherWayRound)
{
    const json map{{"bytes", byte_string("b")}, {"text", "t"}, {"nul", byte_string(std::string_view{"a\0b", 3})}};
    const Fields fields{map};
    EXPECT_EQ(fields.bytes("bytes"), "b");
    EXPECT_EQ(fields.bytes("text"), "t");
    EXPECT_EQ(fields.text("text"), "t");
    expect_damaged([&] { (void)fields.text("bytes"); });
    expect_damaged([&] { (void)fields.bytes("nul"); });
}

TEST(FieldsTest, ANullIsNotAMissingField)
{
    const json map{{"null", nullptr}};
    const Fields fields{map};
    EXPECT_TRUE(fields.has("null"));
    expect_damaged([&] { (void)fields.bytes("null"); });
    EXPECT_FALSE(fields.has("none"));
    expect_damaged([&] { (void)fields.bytes("none"); });
}

TEST(FieldsTest, ListsHoldOnlyWhatTheyShould)
{
    const json map{{"good", byte_strings({"a", ""})}, {"mixed", {"a", 1}}, {"single", "a"}, {"flag", true}};
    const Fields fields{map};
    EXPECT_EQ(fields.byte_list("good"), (std::vector<std::string>{"a", ""}));
    expect_damaged([&] { (void)fields.byte_list("mixed"); });
    expect_damaged([&] { (void)fields.byte_list("single"); });
    expect_damaged([&] { (void)fields.flag("good"); });
    expect_damaged([&] { (void)fields.map("flag"); });
    EXPECT_TRUE(fields.flag("flag"));
}

}  // namespace
}  // namespace banger::wire
