// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/exec_session.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <fstream>
#include <iterator>

#include "tests/unit/guest/guest_host.hpp"
#include "tests/unit/guest/held_file.hpp"

namespace banger::guest::test {
namespace {

using wire::RefusedCode;

class ExecSessionTest : public testing::Test {
protected:
    wire::StreamId run(const std::string& script, wire::StreamId* error = nullptr)
    {
        const auto id = pair.host->shell(script, error);
        pair.host->end(id);
        EXPECT_TRUE(pair.wait_end(id)) << script;
        return id;
    }
    RefusedCode refusal(const wire::Exec& exec)
    {
        const auto id = pair.host->exec(exec);
        EXPECT_TRUE(pair.wait_end(id));
        EXPECT_TRUE(pair.seen(id).refused);
        return pair.seen(id).refused ? pair.seen(id).refused->code : RefusedCode::Failed;
    }
    bool exists(const std::string& name) const { return std::filesystem::exists(pair.folder / name); }
    std::string content(const std::string& name) const
    {
        std::ifstream file{pair.folder / name};
        return {std::istreambuf_iterator<char>{file}, {}};
    }

    GuestAndHost pair;
};

TEST_F(ExecSessionTest, ItsCodeAndBothOutputsArrive)
{
    wire::StreamId error = 0;
    const auto id = run("echo out; echo err >&2; exit 7", &error);
    EXPECT_TRUE(pair.seen(id).opened);
    EXPECT_GT(pair.seen(id).opened->pid, 0);
    EXPECT_EQ(pair.seen(id).data, "out\n");
    EXPECT_EQ(pair.seen(error).data, "err\n");
    EXPECT_EQ(pair.seen(id).code(), 7);
}

TEST_F(ExecSessionTest, TheExitComesAfterAllOutput)
{
    const auto id = run("head -c 1500000 /dev/zero");
    EXPECT_EQ(pair.seen(id).data.size(), 1'500'000U);
    EXPECT_EQ(pair.seen(id).data_at_end, 1'500'000U);
    EXPECT_EQ(pair.seen(id).code(), 0);
}

TEST_F(ExecSessionTest, ASignalIsToldAsOne) { EXPECT_EQ(pair.seen(run("kill -9 $$")).signal(), 9); }

TEST_F(ExecSessionTest, StandardInputAndItsEndArrive)
{
    const auto id = pair.host->exec({{"cat"}, {}, "/", "", {}, false, 0});
    pair.host->send(id, std::string(700'000, 'x'));
    ASSERT_TRUE(pair.wait([&] { return pair.seen(id).unsent.empty() && pair.seen(id).data.size() == 700'000; }));
    EXPECT_FALSE(pair.seen(id).closed);
    pair.host->end(id);
    ASSERT_TRUE(pair.wait_end(id));
    EXPECT_EQ(pair.seen(id).code(), 0);
}

TEST_F(ExecSessionTest, InputThatNobodyReadsHoldsUpNothing)
{
    const auto id = pair.host->exec({{"true"}, {}, "/", "", {}, false, 0});
    pair.host->send(id, std::string(1'000'000, 'x'));
    ASSERT_TRUE(pair.wait_end(id));
    EXPECT_EQ(pair.seen(id).code(), 0);
}

TEST_F(ExecSessionTest, WhatCannotRunIsRefusedWithItsReason)
{
    std::ofstream{pair.folder / "plain"} << "x";
    std::ofstream{pair.folder / "script"} << "#!/no/such/interpreter\n";
    std::filesystem::permissions(pair.folder / "script", std::filesystem::perms{0755});
    const auto exec = [&](const std::string& name) { return wire::Exec{{name}, {}, "/", "", {}, false, 0}; };
    EXPECT_EQ(refusal(exec("/no/such/program")), RefusedCode::NotFound);
    EXPECT_EQ(refusal(exec("no-such-program")), RefusedCode::NotFound);
    EXPECT_EQ(refusal(exec((pair.folder / "plain").string())), RefusedCode::NotRunnable);
    EXPECT_EQ(refusal(exec((pair.folder / "script").string())), RefusedCode::NotRunnable);
    EXPECT_EQ(refusal(exec("/tmp")), RefusedCode::NotRunnable);
    EXPECT_EQ(refusal({{"true"}, {}, "/no/such/folder", "", {}, false, 0}), RefusedCode::BadDirectory);
    EXPECT_EQ(refusal({{"true"}, {}, "/", "no-such-user", {}, false, 0}), RefusedCode::BadUser);
    EXPECT_EQ(pair.seen(run("echo fine")).data, "fine\n");
}

TEST_F(ExecSessionTest, ARefusalFreesTheStreamOfItsStderr)
{
    for (int i = 0; i < 3; ++i) {
        wire::StreamId error = 0;
        const auto id = pair.host->exec({{"/no/such/program"}, {}, {}, "", {}, false, 0}, &error);
        ASSERT_TRUE(pair.wait_end(id));
        ASSERT_TRUE(pair.seen(id).refused);
    }
    EXPECT_EQ(pair.host->lost, "");
}

TEST_F(ExecSessionTest, AProgramThatHangsBeforeItRunsHoldsUpNoOther)
{
    const auto path = (pair.folder / "tool").string();
    std::ofstream{path} << "#!/bin/sh\nread word; echo $word; echo x >> " << (pair.folder / "mark").string()
                        << "; exit 3\n";
    std::filesystem::permissions(path, std::filesystem::perms{0755});
    HeldFile tool{path};
    if (!tool.holds()) {
        GTEST_SKIP() << "no leases on the file system of " << path;
    }
    wire::StreamId error = 0;
    wire::StreamId other_error = 0;
    const auto id = pair.host->exec({{path}, {}, "/", "", {}, false, 0}, &error);
    pair.host->send(id, "early\n");
    const auto given_up = pair.host->exec({{path}, {}, "/", "", {}, true, 0}, &other_error);
    pair.host->close(given_up);
    EXPECT_EQ(pair.seen(run("echo fine")).data, "fine\n");
    EXPECT_FALSE(pair.seen(id).opened || pair.seen(id).refused);
    tool.release();
    ASSERT_TRUE(pair.wait_end(id));
    EXPECT_EQ(pair.seen(id).data, "early\n");
    EXPECT_EQ(pair.seen(id).code(), 3);
    EXPECT_EQ(content("mark"), "x\n") << "the one that was given up did not run";
    EXPECT_EQ(pair.host->lost, "");
}

TEST_F(ExecSessionTest, EnvironmentAndDirectoryAreItsOwn)
{
    const auto id =
        pair.host->exec({{"sh", "-c", "echo $A $HOME; pwd"}, {"A=b c", "HOME=/h"}, "/usr", "", {}, false, 0});
    ASSERT_TRUE(pair.wait_end(id));
    EXPECT_EQ(pair.seen(id).data, "b c /h\n/usr\n");
}

TEST_F(ExecSessionTest, SignalsReachItsWholeGroup)
{
    const auto id = pair.host->shell("trap 'echo caught; exit 3' INT; echo up; while :; do sleep 1; done");
    ASSERT_TRUE(pair.wait([&] { return pair.seen(id).data == "up\n"; }));
    pair.host->message(id, wire::Signal{SIGINT});
    ASSERT_TRUE(pair.wait_end(id));
    EXPECT_EQ(pair.seen(id).data, "up\ncaught\n");
    EXPECT_EQ(pair.seen(id).code(), 3);
}

TEST_F(ExecSessionTest, ATerminalHasASizeAndAnInterruptKey)
{
    const auto id =
        pair.host->exec({{"sh", "-c", "trap 'stty size; exit 4' WINCH; stty size; while :; do sleep 0.1; done"},
                         {},
                         "/",
                         "",
                         wire::Terminal{33, 99},
                         false,
                         0});
    ASSERT_TRUE(pair.wait([&] { return pair.seen(id).data.find("33 99") != std::string::npos; }));
    pair.host->message(id, wire::WindowSize{{44, 111}});
    ASSERT_TRUE(pair.wait_end(id));
    EXPECT_NE(pair.seen(id).data.find("44 111"), std::string::npos) << pair.seen(id).data;
    EXPECT_EQ(pair.seen(id).code(), 4);

    const auto sleeper = pair.host->exec({{"sleep", "100"}, {}, "/", "", wire::Terminal{}, false, 0});
    ASSERT_TRUE(pair.wait([&] { return pair.seen(sleeper).opened.has_value(); }));
    pair.host->send(sleeper, "\x03");
    ASSERT_TRUE(pair.wait_end(sleeper));
    EXPECT_EQ(pair.seen(sleeper).signal(), SIGINT);
}

TEST_F(ExecSessionTest, TheEndOfInputEndsAShellOnATerminal)
{
    const auto id = pair.host->exec({{"sh"}, {}, "/", "", wire::Terminal{}, false, 0});
    pair.host->send(id, "exit 5\n");
    pair.host->end(id);
    ASSERT_TRUE(pair.wait_end(id));
    EXPECT_EQ(pair.seen(id).code(), 5);
}

TEST_F(ExecSessionTest, AGrandchildThatKeepsTheOutputOpenDelaysTheExitOnlyShortly)
{
    const auto id = run("sleep 60 & echo x; echo $! > " + (pair.folder / "pid").string());
    EXPECT_EQ(pair.seen(id).data, "x\n");
    EXPECT_EQ(pair.seen(id).code(), 0);
    ::kill(std::stoi(content("pid")), SIGKILL);
}

TEST_F(ExecSessionTest, AStalledReaderStopsAtTheWindowAndNoOtherStream)
{
    const auto stalled = pair.host->exec({{"cat", "/dev/zero"}, {}, "/", "", {}, false, 0});
    pair.seen(stalled).stalled = true;
    ASSERT_TRUE(pair.wait([&] { return pair.seen(stalled).data.size() == wire::stream_window; }));
    EXPECT_EQ(pair.seen(run("head -c 2000000 /dev/zero")).data.size(), 2'000'000U);
    EXPECT_EQ(pair.seen(stalled).data.size(), wire::stream_window);
    pair.host->close(stalled);
    EXPECT_TRUE(pair.wait([&] { return pair.seen(stalled).closed || true; }));
}

TEST_F(ExecSessionTest, AClosedStreamHangsItsCommandUpAndLetsItTidy)
{
    const auto mark = (pair.folder / "mark").string();
    const auto id = pair.host->shell("trap 'echo tidying; sleep 0.1; echo more; echo x > " + mark +
                                     "; exit' HUP; echo up; while :; do sleep 0.1; done");
    ASSERT_TRUE(pair.wait([&] { return pair.seen(id).data == "up\n"; }));
    pair.host->close(id);
    EXPECT_TRUE(pair.wait([&] { return content("mark") == "x\n"; }, 30s)) << "or the loop slept through it";
}

TEST_F(ExecSessionTest, ADetachedCommandOutlivesItsHost)
{
    const auto mark = (pair.folder / "mark").string();
    const auto id = pair.host->exec(
        {{"sh", "-c", "trap 'echo hup > " + mark + "' HUP; sleep 0.3; yes | head -c 500000; echo whole > " + mark},
         {},
         "/",
         "",
         {},
         true,
         0});
    ASSERT_TRUE(pair.wait([&] { return pair.seen(id).opened.has_value(); }));
    pair.host->vanish();
    pair.connect();
    const auto other = pair.host->shell("while [ ! -e " + mark + " ]; do sleep 0.05; done");
    ASSERT_TRUE(pair.wait_end(other));
    EXPECT_EQ(content("mark"), "whole\n");
}

TEST_F(ExecSessionTest, ALostHostLeavesACommandTimeBeforeItIsHungUp)
{
    const auto hup = (pair.folder / "hup").string();
    const auto id = pair.host->shell("trap 'echo x > " + hup + "; exit' HUP; echo up; while :; do sleep 0.1; done");
    ASSERT_TRUE(pair.wait([&] { return pair.seen(id).data == "up\n"; }));
    const auto begin = std::chrono::steady_clock::now();
    pair.host->vanish();
    pair.connect();
    const auto watcher = pair.host->shell("while [ ! -e " + hup + " ]; do sleep 0.1; done");
    ASSERT_TRUE(pair.wait_end(watcher));
    EXPECT_GE(std::chrono::steady_clock::now() - begin, ExecSession::grace - 100ms);
}

TEST_F(ExecSessionTest, ACommandThatEndsAfterItsHostWasLostIsForgotten)
{
    const auto open_files = [] { return std::distance(std::filesystem::directory_iterator{"/proc/self/fd"}, {}); };
    ASSERT_EQ(pair.seen(run("echo first")).code(), 0);
    const auto before = open_files();
    for (int i = 0; i < 10; ++i) {
        const auto id = pair.host->shell("sleep 0.2; echo unheard");
        ASSERT_TRUE(pair.wait([&] { return pair.seen(id).opened.has_value(); }));
        pair.host->vanish();
        pair.connect();
    }
    ASSERT_EQ(pair.seen(run("sleep 1")).code(), 0);
    EXPECT_EQ(open_files(), before);
}

TEST_F(ExecSessionTest, ManyRunAtOnce)
{
    constexpr int count = 100;
    std::vector<wire::StreamId> ids;
    for (int i = 0; i < count; ++i) {
        ids.push_back(pair.host->shell("read word; echo $word-" + std::to_string(i) + "; exit " + std::to_string(i)));
    }
    ASSERT_TRUE(pair.wait([&] {
        return std::all_of(ids.begin(), ids.end(), [&](auto id) { return pair.seen(id).opened.has_value(); });
    }));
    for (const auto id : ids) {
        pair.host->send(id, "in\n");
    }
    for (int i = 0; i < count; ++i) {
        const auto id = ids[static_cast<std::size_t>(i)];
        ASSERT_TRUE(pair.wait_end(id));
        EXPECT_EQ(pair.seen(id).data, "in-" + std::to_string(i) + "\n");
        EXPECT_EQ(pair.seen(id).code(), i);
    }
}

TEST_F(ExecSessionTest, WindingDownEndsCommandsAndTellsTheirCodes)
{
    const auto id = pair.host->shell("trap 'echo bye; exit 9' TERM; echo up; while :; do sleep 0.1; done");
    const auto terminal = pair.host->exec({{"sh"}, {}, "/", "", wire::Terminal{}, false, 0});
    ASSERT_TRUE(pair.wait([&] { return pair.seen(id).data == "up\n" && pair.seen(terminal).opened; }));
    bool down = false;
    pair.server->wind_down(10s, [&] { down = true; });
    ASSERT_TRUE(pair.wait([&] { return down; }));
    ASSERT_TRUE(pair.wait_end(id));
    EXPECT_EQ(pair.seen(id).code(), 9);
    EXPECT_TRUE(pair.seen(id).data.ends_with("bye\n")) << pair.seen(id).data;  // dash says "Terminated" for its sleep
    EXPECT_EQ(pair.seen(terminal).signal(), SIGHUP);
}

TEST_F(ExecSessionTest, WindingDownBeginsWithTheSignalThatWasAskedFor)
{
    wire::Exec exec{{"sh", "-c", "trap 'exit 7' QUIT; trap '' TERM; echo up; while :; do sleep 0.1; done"},
                    {},
                    "/",
                    "",
                    {},
                    false,
                    0};
    exec.stop_signal = SIGQUIT;
    const auto id = pair.host->exec(exec);
    ASSERT_TRUE(pair.wait([&] { return pair.seen(id).data == "up\n"; }));
    bool down = false;
    pair.server->wind_down(10s, [&] { down = true; });
    ASSERT_TRUE(pair.wait([&] { return down; }));
    ASSERT_TRUE(pair.wait_end(id));
    EXPECT_EQ(pair.seen(id).code(), 7);
}

}  // namespace
}  // namespace banger::guest::test
