// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/draw.hpp"

#include <random>

#include "tests/unit/cli/tui/models.hpp"
#include "tests/unit/cli/tui/utf8.hpp"

namespace banger::cli::tui {
namespace {

class DrawTest : public Utf8Test {
protected:
    DrawTest() { fill(model, {24, 80}); }
    std::string screen(Size size, Charset charset = Charset::Utf8)
    {
        model.size = size;
        return draw(model, charset).text();
    }
    std::string screen() { return screen({24, 80}); }
    bool shows(const std::string& words) { return screen().find(words) != std::string::npos; }
    std::string row(std::size_t number)
    {
        model.size = {24, 80};
        return draw(model, Charset::Utf8).row_text(number);
    }

    Model model;
};

TEST_F(DrawTest, TheFirstRowHasThePanesAndHowMuchIsInThem)
{
    EXPECT_EQ(row(0), " 1 VMs 3   2 Images 1   3 Operations 1   4 Host" + std::string(21, ' ') + "banger 0.1.0");
}

TEST_F(DrawTest, AVmHasARow)
{
    EXPECT_EQ(row(1).substr(0, 22), "NAME        STATE     ");
    EXPECT_EQ(row(2).substr(0, 20), "amber-fox   stopped ");
    EXPECT_EQ(row(4).substr(0, 20), "!calm-otter failed  ");
    EXPECT_NE(row(3).find("running"), std::string::npos);
}

TEST_F(DrawTest, NumbersHaveSparklinesBesideThem)
{
    const auto id = a_vm("brave-owl").id;
    for (std::uint64_t second = 1; second < 10; ++second) {
        put_numbers(model.vms, id,
                    {{"sampled_ns", second * 1'000'000'000},
                     {"cpu_ns", second * second * 100'000'000},
                     {"memory_total", 1000},
                     {"memory_available", 750},
                     {"block_read", 0},
                     {"block_written", second << 20U}});
    }
    const auto line = row(3);
    EXPECT_NE(line.find("▂▃"), std::string::npos) << line;
    EXPECT_NE(line.find(" 25%"), std::string::npos) << line;
    EXPECT_NE(line.find("170%"), std::string::npos) << line;
    EXPECT_NE(line.find(" 1M"), std::string::npos) << line;
}

TEST_F(DrawTest, TheDetailSaysWhyAndHasTheEndOfTheLog)
{
    press(model, Key::Kind::End);
    model.detail.id = a_vm("calm-otter").id;
    for (int number = 0; number < 100; ++number) {
        model.detail.log.feed("line " + std::to_string(number) + "\n");
    }
    EXPECT_TRUE(shows("the guest was not ready within 120 s"));
    EXPECT_TRUE(shows("line 99"));
    EXPECT_FALSE(shows("line 80"));
    press(model, Key::Kind::Enter);
    EXPECT_TRUE(shows("line 95")) << "the detail alone has more room";
    EXPECT_FALSE(shows("amber-fox"));
}

TEST_F(DrawTest, EachPaneHasItsList)
{
    press(model, '2');
    EXPECT_TRUE(shows("debian bookworm") && shows("400M") && shows("used by amber-fox, brave-owl"));
    press(model, '3');
    EXPECT_TRUE(shows("[####....] 50%") && shows("waiting for the guest"));
    press(model, '4');
    EXPECT_TRUE(shows("default image") && shows("there is none yet"));
    press(model, Key::Kind::Down);
    EXPECT_TRUE(shows("mended by: banger image build"));
}

TEST_F(DrawTest, EmptyListsSayWhatFillsThem)
{
    Model empty;
    empty.size = {24, 80};
    EXPECT_NE(draw(empty, Charset::Utf8).text().find("bangerd is asked"), std::string::npos) << "nothing is known yet";
    empty.knows_vms = true;
    for (const auto& [pane, words] : {std::pair{Pane::Vms, "n makes one"},
                                      {Pane::Images, "b makes the usual one"},
                                      {Pane::Operations, "nothing is being done"},
                                      {Pane::Host, "r looks at this host"}}) {
        empty.pane = pane;
        EXPECT_NE(draw(empty, Charset::Utf8).text().find(words), std::string::npos) << words;
    }
    empty.pane = Pane::Vms;
    empty.vms.set_filter("x");
    EXPECT_NE(draw(empty, Charset::Utf8).text().find("nothing passes the filter"), std::string::npos);
}

TEST_F(DrawTest, ALostBangerdIsSaidAndWhatWasKnownStays)
{
    model.lost("nobody answers");
    EXPECT_TRUE(shows("bangerd is away"));
    EXPECT_TRUE(shows("nobody answers"));
    EXPECT_TRUE(shows("amber-fox"));
    model.found();
    EXPECT_FALSE(shows("away"));
}

TEST_F(DrawTest, WhatIsAskedIsInTheMiddleOfTheScreen)
{
    press(model, 'd');
    EXPECT_TRUE(shows("delete amber-fox and what is on its disks?") && shows("y yes   n no"));
    press(model, 'n');
    press(model, '?');
    EXPECT_TRUE(shows("shut it down; nothing that was written is lost"));
    press(model, '?');
    press(model, 'n');
    EXPECT_TRUE(shows("new VM") && shows("disk-size"));
    EXPECT_TRUE(draw(model, Charset::Utf8).cursor);
    model.form->refuse("--memory is 12, and that is too little");
    EXPECT_TRUE(shows("too little"));
}

TEST_F(DrawTest, PortsSayWhatListensAndHowItIsReached)
{
    model.ports = PortsView{.id = a_vm("brave-owl").id, .name = "brave-owl"};
    EXPECT_TRUE(shows("ports of brave-owl") && shows("bangerd is asked"));
    model.ports->fill({}, "");
    EXPECT_TRUE(shows("nothing listens, and nothing leads there") && shows("Esc back"));
    model.ports->fill({{.protocol = "tcp",
                        .port = 80,
                        .address = "0.0.0.0",
                        .program = "\x1b[2Jnginx",
                        .direct = "10.213.0.2:80",
                        .forwards = {{"127.0.0.1", 8080, 80}, {"::1", 8080, 80}}},
                       {.protocol = "tcp", .port = 81, .forwards = {{"127.0.0.1", 8081, 81}}}},
                      "");
    EXPECT_EQ(model.ports->lines.size(), 4U) << "each way is a row";
    EXPECT_TRUE(shows("10.213.0.2:80") && shows("127.0.0.1:8080") && shows("[::1]:8080"));
    EXPECT_TRUE(shows("nothing does") && shows("127.0.0.1:8081"));
    EXPECT_EQ(screen().find('\x1b'), std::string::npos);
    for (std::uint16_t port = 1; port < 100; ++port) {
        model.ports->lines.push_back({port, "tcp", "0.0.0.0", "", "", std::nullopt});
    }
    model.ports->move(1'000);
    EXPECT_TRUE(shows("   99 tcp"));
    EXPECT_TRUE(screen({10, 40}).find("   99 tcp") != std::string::npos);
    for (const std::size_t rows : {0U, 1U, 2U, 3U, 4U, 5U, 12U}) {
        for (const std::size_t columns : {0U, 1U, 4U, 5U, 20U}) {
            model.size = {rows, columns};
            EXPECT_EQ(draw(model, Charset::Ascii).size(), model.size);
        }
    }
}

TEST_F(DrawTest, AQuestionIsAskedOnTheSmallestScreen)
{
    press(model, 'd');
    EXPECT_NE(screen({10, 40}).find("y yes   n no"), std::string::npos);
    EXPECT_NE(screen({3, 20}).find("y yes   n no"), std::string::npos);
}

TEST_F(DrawTest, NoSizeIsTooSmallOrTooLarge)
{
    const auto at_all_sizes = [this] {
        for (const std::size_t rows : {0U, 1U, 2U, 3U, 5U, 6U, 10U, 16U, 24U, 40U}) {
            for (const std::size_t columns : {0U, 1U, 3U, 5U, 20U, 40U, 80U, 141U, 200U}) {
                for (const auto charset : {Charset::Utf8, Charset::Ascii}) {
                    model.size = {rows, columns};
                    const auto canvas = draw(model, charset);
                    ASSERT_EQ(canvas.size(), model.size);
                    for (std::size_t number = 0; number < rows; ++number) {
                        ASSERT_LE(columns_of(canvas.row_text(number), charset), columns);
                    }
                    if (canvas.cursor) {
                        ASSERT_LT(canvas.cursor->column, std::max<std::size_t>(1, columns));
                    }
                }
            }
        }
    };
    for (const char pane : {'1', '2', '3', '4'}) {
        press(model, pane);
        at_all_sizes();
        press(model, Key::Kind::Enter);
        at_all_sizes();
        press(model, '?');
        at_all_sizes();
        press(model, '?');
        press(model, '/');
        type(model, "日x");
        at_all_sizes();
        press(model, Key::Kind::Escape);
    }
    press(model, '1');
    press(model, 'n');
    type(model, std::string(200, 'x'));
    at_all_sizes();
    press(model, Key::Kind::Escape);
    press(model, 'd');
    at_all_sizes();
}

TEST_F(DrawTest, GarbageFromAnybodyReachesNoTerminal)
{
    std::mt19937 random{11};
    const auto garbage = [&random](std::size_t length) {
        std::string text(length, '\0');
        for (char& c : text) {
            c = static_cast<char>(random());
        }
        return text;
    };
    for (int round = 0; round < 30; ++round) {
        auto vm = a_vm("x", "running");
        vm.name = garbage(30);
        vm.reason = garbage(200);
        vm.image = garbage(20);
        vm.address = garbage(20);
        put_vms(model.vms, {vm});
        model.detail.id = vm.id;
        model.detail.facts = {{garbage(5), garbage(50)}};
        model.detail.log.feed(garbage(5000));
        model.operations.replace({{.path = "/1", .kind = garbage(9), .target = garbage(9), .error = garbage(100)}});
        model.host.replace({{0, garbage(9), garbage(9), garbage(99), garbage(99)}});
        model.say(garbage(100));
        for (const char pane : {'1', '3', '4'}) {
            model.pane = static_cast<Pane>(pane - '1');
            for (const auto charset : {Charset::Utf8, Charset::Ascii}) {
                const auto text = screen({24, 80}, charset);
                for (const char c : text) {
                    const auto byte = static_cast<unsigned char>(c);
                    ASSERT_TRUE(byte == '\n' || (byte >= 0x20U && byte != 0x7FU));
                    ASSERT_TRUE(charset == Charset::Utf8 || byte < 0x80U);
                }
            }
        }
    }
}

TEST(Wrapped, BreaksAtBlanksAndWithinWordsThatAreTooLong)
{
    using Broken = std::vector<std::string>;
    EXPECT_EQ(wrapped("one two three", 7, Charset::Ascii), (Broken{"one two", "three"}));
    EXPECT_EQ(wrapped("abcdefgh ij", 3, Charset::Ascii), (Broken{"abc", "def", "gh", "ij"}));
    EXPECT_EQ(wrapped("", 5, Charset::Ascii), Broken{});
    EXPECT_EQ(wrapped("x", 0, Charset::Ascii), Broken{});
    EXPECT_EQ(wrapped("a\nb", 9, Charset::Ascii), (Broken{"a\\x0ab"}));
}

}  // namespace
}  // namespace banger::cli::tui
