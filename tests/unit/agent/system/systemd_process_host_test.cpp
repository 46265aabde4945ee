// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/systemd_process_host.hpp"

#include <gmock/gmock.h>

#include <map>
#include <systemd1_adaptor.hpp>

#include "agent/system/private_bus.hpp"
#include "common/pipe.hpp"
#include "dbus/compat/bus.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/loop_test.hpp"

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

using ErrorName = std::decay_t<decltype(std::declval<const sdbus::Error&>().getName())>;
using Properties = std::vector<sdbus::Struct<std::string, sdbus::Variant>>;
using Auxiliary = std::vector<sdbus::Struct<std::string, Properties>>;

/// A manager that tells of no unit by the time that somebody asks for it: each has ended at once.
class FakeSystemd final : public sdbus::AdaptorInterfaces<org::freedesktop::systemd1::Manager_adaptor> {
public:
    FakeSystemd(EventLoop& loop, sdbus::IConnection& bus)
        : AdaptorInterfaces{bus, sdbus::ObjectPath{"/org/freedesktop/systemd1"}}, loop_{&loop}
    {
        registerAdaptor();
        bus::request_name(bus, "org.freedesktop.systemd1");
    }
    FakeSystemd(const FakeSystemd&) = delete;
    FakeSystemd& operator=(const FakeSystemd&) = delete;
    ~FakeSystemd() { unregisterAdaptor(); }

    /// What ExecStop's end brings.
    void remove(const std::string& name)
    {
        emitJobRemoved(1, sdbus::ObjectPath{"/job/1"}, name, "done");
        emitUnitRemoved(name, sdbus::ObjectPath{"/unit"});
    }

    int taken{0};  ///< how many times yet the name is taken
    int starts{0};
    std::string unit;
    std::map<std::string, sdbus::Variant> properties;  ///< of the last one
    std::string result{"done"};
    std::string lack{"org.freedesktop.systemd1.NoSuchUnit"};  ///< what is said where somebody asks for a unit

private:
    void Subscribe() override {}
    sdbus::ObjectPath StartTransientUnit(const std::string& name, const std::string&, const Properties& told,
                                         const Auxiliary&) override
    {
        ++starts;
        unit = name;
        properties.clear();
        for (const auto& property : told) {
            properties.emplace(property.get<0>(), property.get<1>());
        }
        if (taken > 0) {
            --taken;
            throw sdbus::Error{ErrorName{"org.freedesktop.systemd1.UnitExists"},
                               "Unit " + name + " was already loaded or has a fragment file."};
        }
        loop_->post([this, name] { emitJobRemoved(2, sdbus::ObjectPath{"/job/2"}, name, result); });
        return sdbus::ObjectPath{"/job/2"};
    }
    sdbus::ObjectPath GetUnit(const std::string& name) override
    {
        throw sdbus::Error{ErrorName{lack}, "Unit " + name + " not loaded."};
    }

    EventLoop* loop_;
};

class SystemdProcessHostTest : public test::LoopTest {
protected:
    ProcessSpec spec() const
    {
        return {.vm = VmId::parse("aaaaaaaaaaaa"),
                .role = "vmm",
                .argv = {"/bin/true"},
                .directory = folder.path,
                .standard_input = {},
                .standard_output = {},
                .log = folder.path / "log"};
    }

    test::TemporaryFolder folder;
    PrivateBus bus{folder.path / "bus"};
    std::unique_ptr<sdbus::IConnection> systemd_connection{bus::open_bus(bus.address())};
    std::unique_ptr<sdbus::IConnection> connection{bus::open_bus(bus.address())};
    bus::LoopAttachment systemd_attachment{*systemd_connection, loop, [] {}};
    bus::LoopAttachment attachment{*connection, loop, [] {}};
    FakeSystemd systemd{loop, *systemd_connection};
    Lane lane{1};
    ForkProcessHost plain{loop, lane};
};

TEST_F(SystemdProcessHostTest, AUnitThatStillRunsItsExecStopIsWaitedFor)
{
    SystemdProcessHost processes{loop, *connection, plain};
    systemd.taken = 2;
    const auto answer = begin(processes.start(spec()));
    EXPECT_TRUE(drive([&] { return answer->ended || systemd.starts == 1; }));
    let_pass();
    EXPECT_FALSE(answer->ended);
    EXPECT_EQ(systemd.starts, 1) << "asked again before the unit was gone";
    systemd.remove("banger-bbbbbbbbbbbb-vmm.service");
    let_pass();
    EXPECT_EQ(systemd.starts, 1) << "another's unit was gone";
    systemd.remove(systemd.unit);
    EXPECT_TRUE(drive([&] { return answer->ended || systemd.starts == 2; }));
    systemd.remove(systemd.unit);
    ASSERT_TRUE(drive([&] { return answer->ended; }));
    EXPECT_TRUE(answer->value) << answer->error->what();
    EXPECT_EQ(systemd.starts, 3);
}

TEST_F(SystemdProcessHostTest, AUnitThatNeverGoesIsToldAfterAWhile)
{
    SystemdProcessHost processes{loop, *connection, plain, std::chrono::milliseconds{50}};
    systemd.taken = 1;
    const auto answer = run(processes.start(spec()));
    ASSERT_TRUE(answer->error);
    EXPECT_THAT(answer->error->what(), HasSubstr("banger-aaaaaaaaaaaa-vmm.service"));
    EXPECT_THAT(answer->error->what(), HasSubstr("has not ended"));
}

TEST_F(SystemdProcessHostTest, EachUnitIsInTheSliceOfVmsAndItsMemoryIsCounted)
{
    SystemdProcessHost processes{loop, *connection, plain};
    for (const std::string role : {"vmm", "net"}) {
        auto each = spec();
        each.role = role;
        run(processes.start(std::move(each)));
        ASSERT_TRUE(systemd.properties.contains("Slice") && systemd.properties.contains("MemoryAccounting")) << role;
        EXPECT_EQ(systemd.properties.at("Slice").get<std::string>(), "banger.slice");
        EXPECT_TRUE(systemd.properties.at("MemoryAccounting").get<bool>());
        EXPECT_EQ(systemd.properties.contains("ExecStop"), role == "vmm") << role;
    }
}

TEST_F(SystemdProcessHostTest, AProcessThatDiedAtOnceIsNone)
{
    SystemdProcessHost processes{loop, *connection, plain};
    const auto answer = run(processes.start(spec()));
    ASSERT_TRUE(answer->value) << answer->error->what();
    EXPECT_FALSE(*answer->value);
}

TEST_F(SystemdProcessHostTest, AManagerThatDoesNotTellIsNoEndOfAProcess)
{
    SystemdProcessHost processes{loop, *connection, plain};
    systemd.lack = "org.freedesktop.DBus.Error.NoReply";
    const auto started = run(processes.start(spec()));
    ASSERT_TRUE(started->error);
    EXPECT_THAT(started->error->what(), HasSubstr("banger-aaaaaaaaaaaa-vmm.service"));
    const auto found = run(processes.find(spec().vm, "vmm", folder.path, {}));
    ASSERT_TRUE(found->error) << "it may run";
    EXPECT_EQ(found->error->code(), ErrorCode::Unavailable);
}

TEST_F(SystemdProcessHostTest, WhatTheRowHasNotedCountsWhereTheManagerDoesNotTell)
{
    SystemdProcessHost processes{loop, *connection, plain};
    auto cat = spec();
    cat.argv = {"/bin/cat"};
    auto input = make_pipe("cat");
    cat.standard_input = std::move(input.read);
    const auto noted = run(plain.start(std::move(cat)))->value.value_or(ProcessId{});
    ASSERT_TRUE(noted);
    std::filesystem::remove(folder.path / "vmm.pid");
    for (const auto* lack : {"org.freedesktop.systemd1.NoSuchUnit", "org.freedesktop.DBus.Error.NoReply"}) {
        systemd.lack = lack;
        const auto found = run(processes.find(spec().vm, "vmm", folder.path, noted));
        ASSERT_TRUE(found->value) << lack;
        EXPECT_EQ(found->value->pid, noted.pid) << lack;
    }
}

TEST_F(SystemdProcessHostTest, AJobThatFailsSaysSo)
{
    SystemdProcessHost processes{loop, *connection, plain};
    systemd.result = "failed";
    const auto answer = run(processes.start(spec()));
    ASSERT_TRUE(answer->error);
    EXPECT_THAT(answer->error->what(), HasSubstr("/bin/true failed"));
}

}  // namespace
}  // namespace banger::agent
