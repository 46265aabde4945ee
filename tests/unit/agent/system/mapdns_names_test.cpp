// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/mapdns_names.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class KeptNames final : public HostNames {
public:
    void tell(const std::vector<HostName>& names) override
    {
        told = names;
        if (full) {
            throw Error{ErrorCode::NoSpace, "no room"};
        }
    }
    std::vector<HostName> told;
    bool full{false};
};

const HostName otter{.name = "otter", .address = "10.213.0.2"};
const HostName heron{.name = "heron", .address = "10.213.0.6"};

class MapdnsNamesTest : public test::LoopTest {
protected:
    void SetUp() override
    {
        program = folder.path / "mapdns";
        write_program("echo \"$@\" >>" + (folder.path / "calls").string() + "\n");
    }
    void write_program(const std::string& script) const
    {
        std::ofstream{program} << "#!/bin/sh\n" << script;
        ::chmod(program.c_str(), 0700);
    }
    MapdnsNames& open()
    {
        names = std::make_unique<MapdnsNames>(
            first, loop, lane,
            MapdnsNames::Settings{.published = folder.path / "published",
                                  .program =
                                      [this] {
                                          return MapdnsNames::Program{program, data_file};
                                      },
                                  .log = [this](const std::string& line) { log.push_back(line); },
                                  .limit = limit});
        return *names;
    }
    std::vector<std::string> calls() const
    {
        std::vector<std::string> lines;
        std::ifstream file{folder.path / "calls"};
        for (std::string line; std::getline(file, line);) {
            lines.push_back(line);
        }
        return lines;
    }
    void await_calls(std::size_t count)
    {
        ASSERT_TRUE(drive([&] { return calls().size() >= count; }));
        let_pass();
    }

    test::TemporaryFolder folder;
    std::filesystem::path program;
    std::filesystem::path data_file;
    std::chrono::milliseconds limit{5'000};
    KeptNames first;
    std::vector<std::string> log;
    Lane lane;
    std::unique_ptr<MapdnsNames> names;
};

TEST_F(MapdnsNamesTest, WhatComesIsSetAndWhatGoesIsRemoved)
{
    open().tell({otter});
    EXPECT_THAT(first.told, ElementsAre(otter));
    await_calls(1);
    names->tell({otter, heron});
    await_calls(2);
    names->tell({heron});
    await_calls(3);
    EXPECT_THAT(calls(), ElementsAre("set otter.vm 10.213.0.2", "set heron.vm 10.213.0.6", "rm otter.vm"));
    names->tell({heron});
    let_pass();
    EXPECT_EQ(calls().size(), 3U) << "nothing is new";
}

TEST_F(MapdnsNamesTest, ItsDataFileIsNamed)
{
    data_file = "/home/u/.mapdns";
    open().tell({otter});
    await_calls(1);
    names->tell({});
    await_calls(2);
    EXPECT_THAT(calls(), ElementsAre("set --data-file /home/u/.mapdns otter.vm 10.213.0.2",
                                     "rm --data-file /home/u/.mapdns otter.vm"));
}

TEST_F(MapdnsNamesTest, ANewBangerdTakesBackWhatAKilledOneLeft)
{
    open().tell({otter, heron});
    await_calls(2);
    names.reset();
    open().tell({heron});
    await_calls(3);
    EXPECT_EQ(calls().back(), "rm otter.vm");
}

TEST_F(MapdnsNamesTest, WithoutItOrWithoutAFileOfThatNameNothingRuns)
{
    std::filesystem::remove(program);
    open().tell({otter});
    let_pass();
    program.clear();
    names->tell({});
    let_pass();
    EXPECT_THAT(log, IsEmpty());
    EXPECT_THAT(first.told, IsEmpty());
}

TEST_F(MapdnsNamesTest, OneThatFailsIsLoggedAndTriedAgainWithTheNextChange)
{
    write_program("echo no such zone >&2; exit 1\n");
    open().tell({otter});
    ASSERT_TRUE(drive([&] { return !log.empty(); }));
    EXPECT_THAT(log, ElementsAre(HasSubstr("no such zone")));
    write_program("echo \"$@\" >>" + (folder.path / "calls").string() + "\n");
    names->tell({otter, heron});
    await_calls(2);
    EXPECT_THAT(calls(), ElementsAre("set otter.vm 10.213.0.2", "set heron.vm 10.213.0.6"));
}

TEST_F(MapdnsNamesTest, OneThatHangsIsEnded)
{
    limit = std::chrono::milliseconds{50};
    write_program("exec sleep 1000\n");
    open().tell({otter});
    ASSERT_TRUE(drive([&] { return !log.empty(); }));
    EXPECT_THAT(log, ElementsAre(HasSubstr("too long")));
}

TEST_F(MapdnsNamesTest, TheOtherOnesTroubleIsToldAndStopsNothing)
{
    first.full = true;
    open();
    EXPECT_THROW(names->tell({otter}), Error);
    await_calls(1);
}

TEST_F(MapdnsNamesTest, ItMayGoWhileAProgramRuns)
{
    write_program("exec sleep 0.2\n");
    open().tell({otter});
    let_pass();
    names.reset();
    let_pass(std::chrono::milliseconds{400});
    EXPECT_THAT(log, IsEmpty());
}

}  // namespace
}  // namespace banger::agent
