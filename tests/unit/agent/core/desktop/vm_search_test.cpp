// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/desktop/vm_search.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/agent/core/desktop/desk_world.hpp"

namespace banger::agent::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class VmSearchTest : public ::testing::Test {
protected:
    void add(const std::string& name, VmState state = VmState::Stopped) { vms.push_back(row_of_vm(name, state)); }
    std::vector<std::string> found(const std::vector<std::string>& terms) const
    {
        std::vector<std::string> titles;
        for (const auto& hit : search_vms(vms, terms)) {
            titles.push_back(title_of(hit));
        }
        return titles;
    }

    std::vector<VmPtr> vms;
};

TEST_F(VmSearchTest, TheWholeNameComesBeforePrefixesAndThoseBeforeTheRest)
{
    for (const char* name : {"a-web", "cobweb", "db", "web", "web-1", "web-2"}) {
        add(name);
    }
    EXPECT_THAT(found({"web"}), ElementsAre("web", "web-1", "web-2", "a-web", "cobweb"));
}

TEST_F(VmSearchTest, EveryTermMustBeInTheNameInWhateverCaseAndOrder)
{
    add("calm-otter");
    add("calm-fox");
    EXPECT_THAT(found({"OTT", "calm"}), ElementsAre("calm-otter"));
    EXPECT_THAT(found({"calm", "", "fox"}), ElementsAre("calm-fox"));
    EXPECT_THAT(found({"calm", "owl"}), IsEmpty());
    EXPECT_THAT(found({"c\xc3\xa4lm"}), IsEmpty());
}

TEST_F(VmSearchTest, WithoutATermThereIsNothing)
{
    add("web");
    EXPECT_THAT(found({}), IsEmpty());
    EXPECT_THAT(found({"", ""}), IsEmpty());
}

TEST_F(VmSearchTest, MoreTermsThanANameHasWordsFindNothing)
{
    add("web");
    EXPECT_THAT(found(std::vector<std::string>(10'000, "w")), IsEmpty());
    EXPECT_THAT(found({std::string(1'000'000, 'w')}), IsEmpty());
    EXPECT_THAT(found(std::vector<std::string>(most_terms, "w")), SizeIs(1));
}

TEST_F(VmSearchTest, OfManyTheFirstTwentyAreGivenAndARefinedSearchFindsTheOthers)
{
    for (int i = 10; i < 110; ++i) {
        add("web" + std::to_string(i));
    }
    EXPECT_THAT(found({"web"}), SizeIs(most_hits));
    EXPECT_THAT(found({"web109"}), ElementsAre("web109"));
}

TEST_F(VmSearchTest, AWordForAnActionGivesItWhereItMakesSense)
{
    add("web", VmState::Running);
    add("web-old");
    EXPECT_THAT(found({"start", "web"}), ElementsAre("Start web-old"));
    EXPECT_THAT(found({"web", "Stop"}), ElementsAre("Stop web"));
    add("web-start", VmState::Failed);
    EXPECT_THAT(found({"start", "web"}), ElementsAre("Start web-old", "Start web-start", "web-start"));
}

TEST_F(VmSearchTest, AWordForAnActionAloneIsAPartOfAName)
{
    add("start-up");
    add("web");
    EXPECT_THAT(found({"start"}), ElementsAre("start-up"));
}

TEST_F(VmSearchTest, WhatIsHalfMadeOrHalfGoneIsNotOffered)
{
    add("web1", VmState::Creating);
    add("web2", VmState::Deleting);
    add("web3", VmState::Stopping);
    EXPECT_THAT(found({"web"}), ElementsAre("web3"));
    EXPECT_THAT(found({"stop", "web"}), IsEmpty());
}

TEST_F(VmSearchTest, NamesLikeOptionsAreNamesAndNoneBeginsWithADash)
{
    for (const char* name : {"e", "help", "rm", "no-sandbox"}) {
        add(name);
        EXPECT_THAT(found({name}), ::testing::Contains(name));
    }
    // What Desk relies on: it gives a name to `banger vm ssh` as it is.
    for (const char* name : {"-e", "--help", "-", "a b", "a;b", ""}) {
        EXPECT_THROW(VmName::parse(name), Error) << name;
    }
}

TEST_F(VmSearchTest, AResultNamesItsVmAndActionAndNothingElse)
{
    add("web", VmState::Running);
    for (const auto action : {DeskAction::Open, DeskAction::Start, DeskAction::Stop}) {
        const auto found_again = find_result(vms, result_id({vms[0], action, Closeness::Whole}));
        ASSERT_TRUE(found_again);
        EXPECT_EQ(found_again->vm, vms[0]);
        EXPECT_EQ(found_again->action, action);
        EXPECT_EQ(desk_action_of(to_string(action)), action);
    }
    const auto id = vms[0]->record.id.str();
    for (const auto& garbage :
         {std::string{}, std::string{":"}, std::string{"start:"}, "start:start:" + id, "kill:" + id, id + " ",
          std::string{"web"}, std::string(1'000'000, 'a'), std::string{"\0", 1}}) {
        EXPECT_FALSE(find_result(vms, garbage)) << garbage.substr(0, 30);
    }
    EXPECT_EQ(desk_action_of("kill"), std::nullopt);
}

TEST_F(VmSearchTest, ALineIsTakenApartAtBlanks)
{
    EXPECT_THAT(terms_of("  start \t web\n"), ElementsAre("start", "web"));
    EXPECT_THAT(terms_of(" \t"), IsEmpty());
    EXPECT_THAT(terms_of(""), IsEmpty());
}

TEST_F(VmSearchTest, ADescriptionSaysStateAndImage)
{
    add("web", VmState::Failed);
    EXPECT_EQ(description_of({vms[0], DeskAction::Open, Closeness::Whole}), "failed, image debian");
}

}  // namespace
}  // namespace banger::agent::test
