// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/rules.hpp"

#include "broker/core/sandbox.hpp"
#include "common/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <string>

namespace banger::broker {
namespace {

std::string contract()
{
    std::ifstream file{BANGER_SOURCE_DIR "/dbus/dev.banger.Broker1.xml"};
    return {std::istreambuf_iterator<char>{file}, {}};
}

/// Of each member, the text before it in the XML.
std::map<std::string, std::string> methods()
{
    std::map<std::string, std::string> found;
    const auto text = contract();
    const std::regex member{"<method name=\"([A-Za-z]+)\">"};
    std::size_t begin = 0;
    for (std::sregex_iterator each{text.begin(), text.end(), member}, end; each != end; ++each) {
        const auto at = static_cast<std::size_t>(each->position());
        found.emplace((*each)[1], text.substr(begin, at - begin));
        begin = at;
    }
    return found;
}

TEST(RulesTest, R03EveryMemberOfTheContractHasARuleAndNoOther)
{
    std::set<std::string> in_xml;
    for (const auto& [name, text] : methods()) {
        in_xml.insert(name);
    }
    std::set<std::string> ruled;
    for (const auto& rule : rules()) {
        ruled.emplace(rule.name);
    }
    EXPECT_GT(in_xml.size(), 10U);
    EXPECT_EQ(ruled, in_xml);
}

TEST(RulesTest, R03TheActionsAreThoseOfTheContract)
{
    const auto texts = methods();
    for (const auto& rule : rules()) {
        const auto& text = texts.at(std::string{rule.name});
        const bool named = text.find("dev.banger.") != std::string::npos;
        if (rule.method == Method::DisableNat) {
            EXPECT_EQ(rule.need, Rule::Need::Own);
            continue;
        }
        EXPECT_EQ(named, rule.need != Rule::Need::Own) << rule.name;
        EXPECT_EQ(rule.action.empty(), rule.need == Rule::Need::Own) << rule.name;
        for (const auto action : {rule.action, rule.also, rule.both}) {
            EXPECT_NE(text.find(action), std::string::npos) << rule.name << ' ' << action;
        }
        EXPECT_EQ(rule.also.empty(), rule.both.empty()) << rule.name;
    }
}

TEST(RulesTest, R03WhatMakesOrReachesFurtherNeedsAnAction)
{
    for (const auto method : {Method::CreateSandbox, Method::CreateWithNat, Method::CloneSandbox, Method::EnableNat,
                              Method::AdminList, Method::AdminDestroy}) {
        EXPECT_EQ(rule_of(method).need, Rule::Need::Action) << rule_of(method).name;
    }
    EXPECT_EQ(rule_of(Method::CreateWithNat).action, rule_of(Method::CreateSandbox).action);
    EXPECT_EQ(rule_of(Method::CreateWithNat).also, rule_of(Method::EnableNat).action);
    for (const auto method : {Method::AdminList, Method::AdminDestroy}) {
        EXPECT_EQ(rule_of(method).action, "dev.banger.administer-sandboxes");
    }
}

TEST(RulesTest, R08NoMemberTakesAPath)
{
    const std::set<std::string> words{"id", "new_id", "name"};  // each with a grammar without a slash
    const auto text = contract();
    const std::regex argument{"<arg name=\"([a-z_]+)\" type=\"([a-z{}()]+)\" direction=\"in\""};
    std::set<std::string> texts;
    for (std::sregex_iterator each{text.begin(), text.end(), argument}, end; each != end; ++each) {
        if ((*each)[2].str().find_first_of("sog") != std::string::npos) {
            texts.insert((*each)[1]);
        }
    }
    EXPECT_EQ(texts, words);
    for (const auto* path : {"/etc/passwd", "..", "a/b", "../x"}) {
        EXPECT_THROW(SandboxId::parse(path), Error) << path;
        EXPECT_THROW(VmName::parse(path), Error) << path;
    }
}

/// "MEMBER ARGUMENT" of all that goes in as one of these D-Bus types.
std::set<std::string> arguments_of_type(const std::string& type)
{
    const auto text = contract();
    const std::regex part{"<method name=\"([A-Za-z]+)\">|<arg name=\"([a-z_]+)\" type=\"" + type +
                          "\" direction=\"in\""};
    std::set<std::string> found;
    std::string member;
    for (std::sregex_iterator each{text.begin(), text.end(), part}, end; each != end; ++each) {
        if ((*each)[1].matched) {
            member = (*each)[1];
        } else {
            found.insert(member + " " + (*each)[2].str());
        }
    }
    return found;
}

TEST(RulesTest, R13OnlyAnAdministratorSaysWhoseSandboxItIs)
{
    auto numbers = arguments_of_type("[nqiuxd]");
    std::erase_if(numbers, [](const std::string& each) { return each.ends_with(" flags"); });
    EXPECT_EQ(numbers, (std::set<std::string>{"AdminDestroy uid"}));
    EXPECT_EQ(rule_of(Method::AdminDestroy).action, "dev.banger.administer-sandboxes");
}

TEST(RulesTest, R11NoMemberTakesWhatHasNoShape)
{
    for (const auto* type : {"v", "[^\"]*[{v][^\"]*"}) {
        EXPECT_EQ(arguments_of_type(type), std::set<std::string>{});
    }
    EXPECT_EQ(arguments_of_type("t").size(), 2U) << "the check sees what it looks for";
}

TEST(RulesTest, EachMethodsRuleIsItsOwn)
{
    for (const auto& rule : rules()) {
        EXPECT_EQ(&rule_of(rule.method), &rule);
    }
}

}  // namespace
}  // namespace banger::broker
