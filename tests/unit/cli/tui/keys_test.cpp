// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/keys.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/unit/cli/tui/models.hpp"

namespace banger::cli::tui {
namespace {

class KeysTest : public testing::Test {
protected:
    KeysTest() { fill(model, {24, 80}); }
    std::string chosen() { return model.vms.chosen()->name; }
    void choose(const std::string& name)
    {
        press(model, Key::Kind::Home);
        while (chosen() != name) {
            press(model, Key::Kind::Down);
        }
    }
    /// What a key on this VM comes to, after a yes where it is asked.
    std::optional<Intent> on(const std::string& name, char key)
    {
        choose(name);
        auto intent = press(model, key);
        return intent || !model.question ? intent : press(model, 'y');
    }

    Model model;
};

TEST_F(KeysTest, EachKeyOfAPaneIsAnother)
{
    for (const auto pane : {Pane::Vms, Pane::Images, Pane::Operations, Pane::Host}) {
        std::set<char> seen{'q', '/', '?', 'j', 'k', 'z', '1', '2', '3', '4'};
        if (pane == Pane::Vms) {
            seen.insert({'l', 'o'});
        }
        for (const auto& info : keys_of(pane)) {
            EXPECT_TRUE(seen.insert(info.key).second) << info.key;
        }
    }
}

TEST_F(KeysTest, AKeyDoesItsVerbToTheChosenVm)
{
    const auto start = on("amber-fox", 's');
    ASSERT_TRUE(start);
    EXPECT_EQ(start->verb, Verb::Start);
    EXPECT_EQ(start->target, a_vm("amber-fox").id);
    EXPECT_EQ(start->name, "amber-fox");
    EXPECT_EQ(on("brave-owl", 't')->verb, Verb::Stop);
    EXPECT_EQ(on("brave-owl", 'r')->verb, Verb::Restart);
    EXPECT_EQ(on("brave-owl", 'e')->verb, Verb::Shell);
    EXPECT_EQ(on("brave-owl", 'h')->verb, Verb::Ssh);
    EXPECT_EQ(on("brave-owl", 'K')->verb, Verb::Kill);
    EXPECT_EQ(on("brave-owl", 'd')->verb, Verb::ForceDelete);
    EXPECT_EQ(on("amber-fox", 'd')->verb, Verb::Delete);
    EXPECT_EQ(on("amber-fox", 'a')->verb, Verb::NatOn);
    model.vms.find(a_vm("amber-fox").id)->nat = true;
    EXPECT_EQ(on("amber-fox", 'a')->verb, Verb::NatOff);
}

TEST_F(KeysTest, WhatIsNotPossibleIsSaidAndNotDone)
{
    EXPECT_FALSE(on("amber-fox", 't'));
    EXPECT_NE(model.notice.text.find("amber-fox is stopped"), std::string::npos);
    press(model, 'j');
    EXPECT_EQ(model.notice.text, "") << "until the next key";
    EXPECT_FALSE(on("brave-owl", 'a'));
    EXPECT_NE(model.notice.text, "");
}

TEST_F(KeysTest, AQuestionTakesNothingButYesForAYes)
{
    for (const char no : {'n', 'N', 'q'}) {
        choose("amber-fox");
        EXPECT_FALSE(press(model, 'd'));
        ASSERT_TRUE(model.question);
        EXPECT_FALSE(press(model, no));
        EXPECT_FALSE(model.question) << no;
    }
    press(model, 'd');
    EXPECT_FALSE(press(model, Key::Kind::Enter));
    EXPECT_FALSE(press(model, 's'));
    EXPECT_TRUE(model.question) << "it goes on asking";
    EXPECT_FALSE(press(model, Key::Kind::Escape));
    EXPECT_FALSE(model.question);
    press(model, 'd');
    EXPECT_EQ(press(model, 'Y')->verb, Verb::Delete);
}

TEST_F(KeysTest, PortsOfAVmThatRunsAreLookedAtAndChanged)
{
    EXPECT_FALSE(on("amber-fox", 'p'));
    EXPECT_FALSE(model.ports) << "it is stopped";
    const auto look = on("brave-owl", 'p');
    ASSERT_TRUE(look && model.ports);
    EXPECT_EQ(look->verb, Verb::Ports);
    EXPECT_FALSE(press(model, 'd'));
    EXPECT_NE(model.notice.text.find("no port"), std::string::npos) << "nothing is there yet";
    model.ports->fill({{.protocol = "tcp", .port = 22, .address = "0.0.0.0"},
                       {.protocol = "tcp", .port = 80, .address = "::1", .forwards = {{"127.0.0.1", 8080, 80}}}},
                      "");
    EXPECT_FALSE(press(model, 'd')) << "nothing leads to port 22";
    press(model, 'n');
    ASSERT_TRUE(model.form);
    EXPECT_EQ(press(model, Key::Kind::Enter)->values.at("guest-port"), "22");
    press(model, Key::Kind::Escape);
    press(model, 'j');
    scroll(model, 100);
    const auto end = press(model, 'd');
    ASSERT_TRUE(end);
    EXPECT_EQ(end->verb, Verb::EndForward);
    EXPECT_EQ(end->target, a_vm("brave-owl").id);
    EXPECT_EQ(end->values.at("port"), "127.0.0.1:8080");
    EXPECT_EQ(press(model, 'r')->verb, Verb::Ports);
    EXPECT_EQ(chosen(), "brave-owl") << "keys go to what is in front";
    model.lost("");
    EXPECT_FALSE(press(model, 'd'));
    EXPECT_FALSE(model.ports->waits);
    press(model, Key::Kind::Escape);
    EXPECT_FALSE(model.ports);
}

TEST_F(KeysTest, AnExportAsksWhereTo)
{
    EXPECT_FALSE(on("amber-fox", 'x'));
    ASSERT_TRUE(model.form);
    type(model, "fox.tar.gz");
    const auto intent = press(model, Key::Kind::Enter);
    ASSERT_TRUE(intent);
    EXPECT_EQ(intent->verb, Verb::Export);
    EXPECT_EQ(intent->values.at("output"), "fox.tar.gz");
}

TEST_F(KeysTest, AVmThatGoesWhileItIsAskedIsStillTheOneThatIsMeant)
{
    choose("amber-fox");
    press(model, 'd');
    model.vms.erase(a_vm("amber-fox").id);
    const auto intent = press(model, 'y');
    ASSERT_TRUE(intent);
    EXPECT_EQ(intent->target, a_vm("amber-fox").id);
}

TEST_F(KeysTest, FiltersAsOneTypes)
{
    press(model, '/');
    type(model, "ot");
    EXPECT_EQ(model.vms.shown().size(), 1U);
    press(model, Key::Kind::Backspace);
    EXPECT_EQ(model.vms.shown().size(), 3U) << "o is in all of them";
    type(model, "tter");
    press(model, Key::Kind::Enter);
    EXPECT_FALSE(model.typed_filter);
    EXPECT_EQ(chosen(), "calm-otter");
    EXPECT_FALSE(press(model, Key::Kind::Escape));
    EXPECT_EQ(model.vms.shown().size(), 3U);
    press(model, '/');
    type(model, "qdK");
    EXPECT_FALSE(model.question) << "keys are letters there";
    EXPECT_EQ(model.vms.shown().size(), 0U);
    press(model, Key::Kind::Escape);
    EXPECT_EQ(model.vms.shown().size(), 3U);
}

TEST_F(KeysTest, AnEmptyListHasNothingToDo)
{
    model.vms.replace({});
    for (const auto& info : keys_of(Pane::Vms)) {
        if (info.verb != Verb::Create) {
            EXPECT_FALSE(press(model, info.key));
            EXPECT_FALSE(model.question);
        }
    }
    press(model, 'n');
    EXPECT_TRUE(model.form);
}

TEST_F(KeysTest, TheFormOffersTheImagesThatAreThere)
{
    press(model, 'n');
    ASSERT_TRUE(model.form);
    EXPECT_EQ(model.form->fields()[1].choices, std::vector<std::string>{"debian"});
    type(model, "q");
    EXPECT_EQ(model.form->fields()[0].value.text(), "q") << "a name may begin like a key";
    const auto intent = press(model, Key::Kind::Enter);
    ASSERT_TRUE(intent);
    EXPECT_EQ(intent->values.at("name"), "q");
    EXPECT_TRUE(model.form) << "until bangerd has taken it";
    press(model, Key::Kind::Escape);
    EXPECT_FALSE(model.form);
}

TEST_F(KeysTest, TheFormOffersAllImagesThatHaveANameWhateverIsFiltered)
{
    model.images.put({.name = "", .digest = "fedcba", .origin = "", .users = {"amber-fox"}});
    model.images.put({.name = "web", .digest = "abcdef", .origin = "", .users = {}});
    model.images.set_filter("nothing like this");
    press(model, 'n');
    ASSERT_TRUE(model.form);
    EXPECT_EQ(model.form->fields()[1].choices, (std::vector<std::string>{"debian", "web"}));
}

TEST_F(KeysTest, PanesAreARingAndHaveNumbers)
{
    press(model, Key::Kind::BackTab);
    EXPECT_EQ(model.pane, Pane::Host);
    press(model, Key::Kind::Tab);
    EXPECT_EQ(model.pane, Pane::Vms);
    press(model, '3');
    EXPECT_EQ(model.pane, Pane::Operations);
    press(model, 'x');
    ASSERT_TRUE(model.question);
    const auto intent = press(model, 'y');
    EXPECT_EQ(intent->verb, Verb::Cancel);
    EXPECT_EQ(intent->target, "/dev/banger/Agent1/operation/7");
    press(model, '4');
    EXPECT_EQ(press(model, 'r')->verb, Verb::Examine);
    press(model, '2');
    press(model, 'd');
    const auto deletion = press(model, 'y');
    EXPECT_EQ(deletion->target, model.images.chosen()->digest) << "another may have its name by now";
    EXPECT_EQ(deletion->name, "image debian");
    EXPECT_EQ(press(model, 'v')->verb, Verb::VerifyImage);
}

TEST_F(KeysTest, AnOperationThatHasEndedCantBeCancelled)
{
    press(model, '3');
    model.operations.find("/dev/banger/Agent1/operation/7")->state = "done";
    EXPECT_FALSE(press(model, 'x'));
    EXPECT_FALSE(model.question);
}

TEST_F(KeysTest, WithoutBangerdOneMayLookAndQuit)
{
    model.lost("it was killed");
    EXPECT_FALSE(press(model, 's'));
    EXPECT_NE(model.notice.text.find("away"), std::string::npos);
    press(model, 'n');
    EXPECT_FALSE(model.form);
    press(model, '?');
    EXPECT_TRUE(model.shows_help);
    EXPECT_FALSE(press(model, 'q')) << "any key ends the help";
    EXPECT_FALSE(model.shows_help);
    EXPECT_EQ(press(model, 'q')->verb, Verb::Quit);
}

TEST_F(KeysTest, AFormThatWaitsForAnAnswerOfALostBangerdSaysSo)
{
    press(model, 'n');
    press(model, Key::Kind::Enter);
    model.lost("");
    EXPECT_FALSE(model.form->waits());
    EXPECT_NE(model.form->problem(), "");
}

TEST_F(KeysTest, AFormThatIsSentWhileBangerdIsAwayCanBeSentAgain)
{
    press(model, 'n');
    type(model, "web");
    model.lost("");
    EXPECT_FALSE(press(model, Key::Kind::Enter));
    EXPECT_NE(model.form->problem(), "");
    model.found();
    const auto intent = press(model, Key::Kind::Enter);
    ASSERT_TRUE(intent) << "it waits for no answer that nobody gives";
    EXPECT_EQ(intent->values.at("name"), "web");
}

TEST_F(KeysTest, TheMouseChoosesRowsAndPanesAndTurnsThroughThem)
{
    click(model, {Spot::Kind::Row, {}, 1, 2});
    EXPECT_EQ(chosen(), "calm-otter");
    scroll(model, -100);
    EXPECT_EQ(chosen(), "amber-fox");
    press(model, 'd');
    click(model, {Spot::Kind::Pane, {}, 1, 2});
    EXPECT_EQ(model.pane, Pane::Vms) << "a question is answered first";
    press(model, 'n');
    click(model, {Spot::Kind::Pane, {}, 1, 2});
    EXPECT_EQ(model.pane, Pane::Operations);
}

TEST_F(KeysTest, APageIsAsManyRowsAsTheListHas)
{
    std::vector<VmRow> many;
    for (int number = 0; number < 100; ++number) {
        many.push_back(a_vm("vm-" + std::to_string(100 + number)));
    }
    for (auto& vm : many) {
        vm.id = vm.name;
    }
    put_vms(model.vms, many);
    press(model, Key::Kind::Home);
    press(model, Key::Kind::PageDown);
    EXPECT_EQ(model.vms.chosen_place(), 12U) << "24 rows: names of panes, titles, 9 of the detail, the last row";
    press(model, Key::Kind::End);
    EXPECT_EQ(chosen(), "vm-199");
}

}  // namespace
}  // namespace banger::cli::tui
