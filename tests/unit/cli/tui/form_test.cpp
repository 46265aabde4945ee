// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/form.hpp"

#include <gtest/gtest.h>

namespace banger::cli::tui {
namespace {

void type(Form& form, const std::string& text)
{
    for (const char c : text) {
        EXPECT_EQ(form.press({Key::Kind::Character, static_cast<char32_t>(c)}), Form::Outcome::Open);
    }
}

void go_to(Form& form, const std::string& name)
{
    while (form.fields()[form.chosen()].name != name) {
        form.press({Key::Kind::Tab});
    }
}

VmRow web(const std::string& state = "stopped")
{
    VmRow vm;
    vm.id = "aaaabbbbcccc";
    vm.name = "web";
    vm.state = state;
    vm.vcpus = 2;
    vm.memory_mib = 2048;
    return vm;
}

TEST(Form, WhatIsNotFilledInIsNotSent)
{
    auto form = make_create_form({"debian", "web"});
    EXPECT_EQ(form.press({Key::Kind::Enter}), Form::Outcome::Submitted);
    const auto intent = form.submit();
    EXPECT_EQ(intent.verb, Verb::Create);
    EXPECT_TRUE(intent.values.empty());
}

TEST(Form, TakesTextAndChoices)
{
    auto form = make_create_form({"debian", "web"});
    type(form, "calm-otter");
    go_to(form, "image");
    form.press({Key::Kind::Left});
    go_to(form, "memory");
    type(form, "2G");
    go_to(form, "nat");
    form.press({Key::Kind::Character, U' '});
    form.press({Key::Kind::Right});
    const std::map<std::string, std::string> expected{
        {"name", "calm-otter"}, {"image", "web"}, {"memory", "2G"}, {"nat", "no"}};
    EXPECT_EQ(form.submit().values, expected);
}

TEST(Form, GoesThroughChoicesAndNothing)
{
    auto form = make_create_form({"debian"});
    go_to(form, "image");
    const auto value = [&form] { return form.fields()[form.chosen()].value.text(); };
    form.press({Key::Kind::Right});
    EXPECT_EQ(value(), "debian");
    form.press({Key::Kind::Right});
    EXPECT_EQ(value(), "");
    type(form, "x");
    EXPECT_EQ(value(), "") << "a choice is not typed";
}

TEST(Form, FieldsAreARing)
{
    auto form = make_change_form(web());
    form.press({Key::Kind::Up});
    EXPECT_EQ(form.chosen(), form.fields().size() - 1);
    form.press({Key::Kind::Down});
    EXPECT_EQ(form.chosen(), 0U);
}

TEST(Form, AChangeSaysWhatThereIsAndWhenItIsTaken)
{
    EXPECT_EQ(make_change_form(web()).fields()[0].hint, "2 now");
    EXPECT_EQ(make_change_form(web()).fields()[1].hint, "2G now; MiB, or like 2G");
    EXPECT_EQ(make_change_form(web("running")).fields()[0].hint, "2 now; changed while it is stopped");
    auto form = make_change_form(web("running"));
    go_to(form, "autostart");
    form.press({Key::Kind::Right});
    const std::map<std::string, std::string> expected{{"autostart", "yes"}};
    EXPECT_EQ(form.submit().values, expected);
}

TEST(Form, AForwardBeginsWithThePortThatWasChosen)
{
    auto form = make_forward_form("aaaabbbbcccc", "web", "80");
    const std::map<std::string, std::string> expected{{"guest-port", "80"}};
    const auto intent = form.submit();
    EXPECT_EQ(intent.verb, Verb::Forward);
    EXPECT_EQ(intent.values, expected);
}

TEST(Form, WaitsForItsAnswerAndGoesOnAfterANo)
{
    auto form = make_change_form(web());
    const auto intent = form.submit();
    EXPECT_EQ(intent.target, "aaaabbbbcccc");
    EXPECT_TRUE(form.waits());
    EXPECT_EQ(form.press({Key::Kind::Enter}), Form::Outcome::Open) << "once is enough";
    form.refuse("web runs");
    EXPECT_EQ(form.problem(), "web runs");
    type(form, "2");
    EXPECT_EQ(form.problem(), "");
    EXPECT_EQ(form.press({Key::Kind::Enter}), Form::Outcome::Submitted);
    EXPECT_EQ(form.press({Key::Kind::Escape}), Form::Outcome::Cancelled);
}

}  // namespace
}  // namespace banger::cli::tui
