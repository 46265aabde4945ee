// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_forwards.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>

#include "tests/fakes/bangerd.hpp"

namespace banger::agent::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class VmForwardsTest : public ::testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(bangerd.create("web").ok()); }

    std::string forward(const Forward& wish)
    {
        std::uint16_t port = 0;
        const auto outcome = bangerd.run(note_port(bangerd.manager.get(), bangerd.vm("web"), wish, &port));
        return outcome.ok() ? std::to_string(port) : outcome.what();
    }
    Outcome close(std::uint16_t port)
    {
        return bangerd.run(bangerd.manager->close_forward(bangerd.vm("web"), "127.0.0.1", port));
    }
    std::vector<std::string> ports(const Bangerd& of) const
    {
        std::vector<std::string> names;
        for (const auto& [name, accepted] : of.open_ports) {
            names.push_back(name);
        }
        return names;
    }
    std::vector<std::string> ports() const { return ports(bangerd); }
    /// In the database.
    std::vector<Forward> written() const { return world.rows.begin()->second.forwards; }

    static Task<void> nothing() { co_return; }
    static Task<void> lend(VmManager* manager, VmPtr vm, OperationPtr operation, RootUse use)
    {
        co_await manager->lend_root(vm, operation, StopFirst::Yes, std::move(use));
    }
    static Task<void> opened(VmManager* manager, VmPtr vm, Forward wish) { co_await manager->open_forward(vm, wish); }

    World world;
    Bangerd bangerd{world};

private:
    static Task<void> note_port(VmManager* manager, VmPtr vm, Forward wish, std::uint16_t* port)
    {
        const auto made = co_await manager->open_forward(vm, wish);
        *port = made.port;
    }
};

TEST_F(VmForwardsTest, AConnectionIsLedToThePortOfTheGuest)
{
    EXPECT_EQ(forward({"127.0.0.1", 8080, 80}), "8080");
    ASSERT_THAT(ports(), ElementsAre("127.0.0.1:8080"));
    bangerd.open_ports.at("127.0.0.1:8080")(UniqueFd{});
    EXPECT_THAT(bangerd.link("web").joined, ElementsAre("localhost:80"));
}

TEST_F(VmForwardsTest, AnyFreePortIsToldByItsNumber)
{
    EXPECT_EQ(forward({"127.0.0.1", 0, 22}), "40000");
    EXPECT_THAT(written(), ElementsAre(Forward{"127.0.0.1", 40'000, 22}));
}

TEST_F(VmForwardsTest, APortThatIsTakenIsRefusedAndNothingIsLeft)
{
    bangerd.taken_ports.insert("127.0.0.1:8080");
    EXPECT_THAT(forward({"127.0.0.1", 8080, 80}), HasSubstr("taken"));
    EXPECT_THAT(written(), IsEmpty());
    EXPECT_THAT(ports(), IsEmpty());
}

TEST_F(VmForwardsTest, ARowThatCantBeWrittenLeavesNothing)
{
    world.arm("store.update", Fault::Fail, ErrorCode::NoSpace);
    EXPECT_THAT(forward({"127.0.0.1", 8080, 80}), HasSubstr("as the test wants"));
    EXPECT_THAT(ports(), IsEmpty());
    EXPECT_THAT(bangerd.vm("web")->record.forwards, IsEmpty());
}

TEST_F(VmForwardsTest, OneOfSeveralIsClosedByHand)
{
    forward({"127.0.0.1", 8080, 80});
    forward({"127.0.0.1", 8081, 81});
    forward({"127.0.0.1", 8082, 82});
    EXPECT_TRUE(close(8081).ok());
    EXPECT_THAT(ports(), ElementsAre("127.0.0.1:8080", "127.0.0.1:8082"));
    EXPECT_THAT(written(), ElementsAre(Forward{"127.0.0.1", 8080, 80}, Forward{"127.0.0.1", 8082, 82}));
    const auto again = close(8081);
    EXPECT_EQ(again.code(), ErrorCode::NotFound);
    EXPECT_THAT(again.what(), HasSubstr("banger vm ports web"));
}

TEST_F(VmForwardsTest, AStoppedVmHasNoneAndGetsNone)
{
    forward({"127.0.0.1", 8080, 80});
    EXPECT_TRUE(bangerd.stop("web").ok());
    EXPECT_THAT(ports(), IsEmpty());
    EXPECT_THAT(written(), IsEmpty());
    EXPECT_THAT(forward({"127.0.0.1", 8080, 80}), HasSubstr("banger vm start web"));
}

TEST_F(VmForwardsTest, ARestartKeepsThem)
{
    forward({"127.0.0.1", 8080, 80});
    EXPECT_TRUE(bangerd.restart("web").ok());
    EXPECT_THAT(ports(), ElementsAre("127.0.0.1:8080"));
    bangerd.open_ports.at("127.0.0.1:8080")(UniqueFd{});
    EXPECT_THAT(bangerd.link("web").joined, ElementsAre("localhost:80"));
}

TEST_F(VmForwardsTest, ARebootOfTheGuestKeepsThem)
{
    forward({"127.0.0.1", 8080, 80});
    const auto before = bangerd.vm("web")->record.process.pid;
    bangerd.end_guest("web", GuestEnd::Reset);
    ASSERT_TRUE(
        bangerd.drive([&] { return bangerd.vm("web")->ready() && bangerd.vm("web")->record.process.pid != before; }));
    bangerd.settle();
    EXPECT_THAT(ports(), ElementsAre("127.0.0.1:8080"));
}

TEST_F(VmForwardsTest, AStopJustAfterARebootEndsThem)
{
    forward({"127.0.0.1", 8080, 80});
    bangerd.end_guest("web", GuestEnd::Reset);
    ASSERT_TRUE(bangerd.drive([&] { return bangerd.vm("web")->reboot_wanted; }));
    ASSERT_TRUE(bangerd.stop("web").ok());
    EXPECT_THAT(written(), IsEmpty());
    ASSERT_TRUE(bangerd.start("web").ok());
    EXPECT_THAT(ports(), IsEmpty()) << "a later start opens none by itself";
}

TEST_F(VmForwardsTest, AStopForItsDiskEndsThem)
{
    forward({"127.0.0.1", 8080, 80});
    RootUse use = [](const std::filesystem::path&) { return nothing(); };
    ASSERT_TRUE(bangerd.run(lend(bangerd.manager.get(), bangerd.vm("web"), bangerd.operation(), std::move(use))).ok());
    EXPECT_THAT(written(), IsEmpty());
    ASSERT_TRUE(bangerd.start("web").ok());
    EXPECT_THAT(ports(), IsEmpty());
}

TEST_F(VmForwardsTest, ABangerdThatComesBackOpensThemAgainButForOneThatIsTaken)
{
    World other;
    {
        Bangerd first{other};
        ASSERT_TRUE(first.create("web").ok());
        for (const std::uint16_t port : {std::uint16_t{8080}, std::uint16_t{8081}}) {
            ASSERT_TRUE(first.run(opened(first.manager.get(), first.vm("web"), {"127.0.0.1", port, 80})).ok());
        }
    }
    Bangerd next{other};
    next.taken_ports.insert("127.0.0.1:8080");
    ASSERT_TRUE(next.recover().ok());
    ASSERT_TRUE(next.vm("web")->running);
    EXPECT_THAT(ports(next), ElementsAre("127.0.0.1:8081"));
    EXPECT_THAT(other.rows.begin()->second.forwards, ElementsAre(Forward{"127.0.0.1", 8081, 80}));
    EXPECT_THAT(next.log.back(), HasSubstr("8080 no longer leads to it"));
}

TEST_F(VmForwardsTest, ThereIsAnEndToTheirNumber)
{
    for (std::uint16_t i = 0; i < 64; ++i) {
        ASSERT_EQ(forward({"127.0.0.1", static_cast<std::uint16_t>(9'000 + i), 80}), std::to_string(9'000 + i));
    }
    EXPECT_THAT(forward({"127.0.0.1", 0, 80}), HasSubstr("--end"));
}

}  // namespace
}  // namespace banger::agent::test
