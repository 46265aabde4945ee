// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/desktop/terminal_opener.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <systemd1_adaptor.hpp>

#include "agent/system/private_bus.hpp"
#include "common/error.hpp"
#include "dbus/compat/bus.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::StartsWith;

using UnitValues = std::vector<sdbus::Struct<std::string, sdbus::Variant>>;
using UnitsBeside = std::vector<sdbus::Struct<std::string, UnitValues>>;
using UnitProgram = sdbus::Struct<std::string, std::vector<std::string>, bool>;
using UnitErrorName = std::decay_t<decltype(std::declval<const sdbus::Error&>().getName())>;

/// A user manager that writes down what it is to start, or refuses it.
class SystemdOfTerminals final : public sdbus::AdaptorInterfaces<org::freedesktop::systemd1::Manager_adaptor> {
public:
    explicit SystemdOfTerminals(sdbus::IConnection& bus)
        : AdaptorInterfaces{bus, sdbus::ObjectPath{"/org/freedesktop/systemd1"}}
    {
        registerAdaptor();
        bus::request_name(bus, "org.freedesktop.systemd1");
    }
    SystemdOfTerminals(const SystemdOfTerminals&) = delete;
    SystemdOfTerminals& operator=(const SystemdOfTerminals&) = delete;
    ~SystemdOfTerminals() { unregisterAdaptor(); }

    bool refuses{false};
    std::vector<std::string> units;
    std::vector<std::string> argv;

private:
    void Subscribe() override {}
    sdbus::ObjectPath StartTransientUnit(const std::string& name, const std::string&, const UnitValues& values,
                                         const UnitsBeside&) override
    {
        if (refuses) {
            throw sdbus::Error{UnitErrorName{"org.freedesktop.DBus.Error.AccessDenied"}, "not today"};
        }
        units.push_back(name);
        for (const auto& value : values) {
            if (std::get<0>(value) == "ExecStart") {
                argv = std::get<1>(std::get<1>(value).get<std::vector<UnitProgram>>().at(0));
            }
        }
        return sdbus::ObjectPath{"/job/1"};
    }
    sdbus::ObjectPath GetUnit(const std::string&) override { return sdbus::ObjectPath{"/unit"}; }
};

class TerminalOpenerTest : public test::LoopTest {
protected:
    TerminalOpenerTest()
    {
        std::filesystem::create_directories(folder.path / "bin");
        ::setenv("PATH", (folder.path / "bin").c_str(), 1);
    }
    ~TerminalOpenerTest() override { ::setenv("PATH", path_before.c_str(), 1); }

    /// A program that writes down its umask, its folder, and its words, each a line.
    void install(const std::string& name, const std::string& script = "")
    {
        const auto file = folder.path / "bin" / name;
        const auto told = (folder.path / "told").string();
        std::ofstream{file} << (script.empty() ? "#!/bin/sh\n{ umask; pwd; printf '%s\\n' \"$0\" \"$@\"; } >" + told +
                                                     ".new && /bin/mv " + told + ".new " + told + "\n"
                                               : script);
        std::filesystem::permissions(file, std::filesystem::perms::owner_all);
    }
    std::string program(const std::string& name) const { return (folder.path / "bin" / name).string(); }
    std::vector<std::string> told()
    {
        std::vector<std::string> lines;
        EXPECT_TRUE(drive([this] { return std::filesystem::exists(folder.path / "told"); }));
        std::ifstream file{folder.path / "told"};
        for (std::string line; std::getline(file, line);) {
            lines.push_back(line);
        }
        return lines;
    }
    std::optional<Error> open(TerminalOpener& opener)
    {
        return run(opened_by(opener, {.argv = {"/usr/bin/banger", "vm", "ssh", "a b;c"}, .title = "shell in web"}))
            ->error;
    }

    std::string path_before{std::getenv("PATH")};
    test::TemporaryFolder folder;
    Lane lane{1};

private:
    static Task<Unit> opened_by(TerminalOpener& opener, TerminalCommand command)
    {
        co_await opener.open(std::move(command));
        co_return Unit{};
    }
};

TEST_F(TerminalOpenerTest, WhatTheUserLikesBestComesBeforeDebiansOwn)
{
    install("x-terminal-emulator");
    EXPECT_THAT(in_a_terminal({"/a", "b"}), ElementsAre(program("x-terminal-emulator"), "-e", "/a", "b"));
    install("xdg-terminal-exec");
    EXPECT_THAT(in_a_terminal({"/a", "b"}), ElementsAre(program("xdg-terminal-exec"), "/a", "b"));
}

TEST_F(TerminalOpenerTest, AHostWithoutATerminalSaysWhatBringsOne)
{
    TerminalOpener opener{loop, lane, nullptr, folder.path};
    const auto failure = open(opener);
    ASSERT_TRUE(failure);
    EXPECT_EQ(failure->code(), ErrorCode::HostLacks);
    EXPECT_THAT(failure->what(), HasSubstr("apt install"));
}

TEST_F(TerminalOpenerTest, WithoutSystemdItIsAProcessWithTheUsersUmaskAtHomeAndNoWordIsSplit)
{
    install("xdg-terminal-exec");
    const auto before = ::umask(077);
    TerminalOpener opener{loop, lane, nullptr, folder.path};
    EXPECT_FALSE(open(opener));
    ::umask(before);
    EXPECT_THAT(told(), ElementsAre("0022", std::filesystem::canonical(folder.path).string(),
                                    program("xdg-terminal-exec"), "/usr/bin/banger", "vm", "ssh", "a b;c"));
}

TEST_F(TerminalOpenerTest, AProgramThatCanNotBeRunIsAnError)
{
    install("xdg-terminal-exec", "\177garbage");
    TerminalOpener opener{loop, lane, nullptr, folder.path};
    const auto failure = open(opener);
    ASSERT_TRUE(failure);
    EXPECT_THAT(failure->what(), HasSubstr("xdg-terminal-exec"));
}

TEST_F(TerminalOpenerTest, WithSystemdEachIsAUnitOfItsOwn)
{
    ::setenv("PATH", path_before.c_str(), 1);
    const PrivateBus bus{folder.path / "bus"};
    ::setenv("PATH", (folder.path / "bin").c_str(), 1);
    const auto theirs = bus::open_bus(bus.address());
    const auto ours = bus::open_bus(bus.address());
    const bus::LoopAttachment their_attachment{*theirs, loop, [] {}};
    const bus::LoopAttachment our_attachment{*ours, loop, [] {}};
    SystemdOfTerminals systemd{*theirs};
    install("x-terminal-emulator");
    TerminalOpener opener{loop, lane, ours.get(), folder.path};
    EXPECT_FALSE(open(opener));
    EXPECT_FALSE(open(opener));
    ASSERT_THAT(systemd.units, SizeIs(2));
    EXPECT_NE(systemd.units[0], systemd.units[1]);
    EXPECT_THAT(systemd.units[0], StartsWith("app-dev.banger.Banger@"));
    EXPECT_THAT(systemd.argv,
                ElementsAre(program("x-terminal-emulator"), "-e", "/usr/bin/banger", "vm", "ssh", "a b;c"));
    EXPECT_FALSE(std::filesystem::exists(folder.path / "told"));
    systemd.refuses = true;
    EXPECT_FALSE(open(opener));
    EXPECT_THAT(told(), SizeIs(8)) << "one that refuses is done without";
}

}  // namespace
}  // namespace banger::agent
