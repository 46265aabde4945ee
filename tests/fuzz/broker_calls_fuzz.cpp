// SPDX-License-Identifier: GPL-2.0-or-later
// Two users' calls in any order, while disks are opened, filled and lost, and any step of any call fails or is the broker's last.
#include <sys/mman.h>
#include <unistd.h>

#include <optional>

#include "tests/fakes/broker_machine.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

using namespace broker;
using broker::test::BrokerMachine;
using broker::test::FakeKernel;
using broker::test::Killed;

constexpr uid_t first_user = 1000;
constexpr int most_calls = 160;

BrokerConfig small()
{
    BrokerConfig config;
    config.pool = AddressPool::parse("10.1.0.0/28");
    config.user = {.sandboxes = 3, .bytes = 700 * mib, .calls = 1};
    config.all = {.sandboxes = 4, .bytes = 1100 * mib, .calls = 1};
    return config;
}

void demand_empty(const std::vector<std::string>& sentences)
{
    demand(sentences.empty(), sentences.empty() ? "" : sentences.front().c_str());
}

class World {
public:
    explicit World(Choices& choices) : choices_{&choices}
    {
        kernel_.names_of_users = {{first_user, "alice"}, {first_user + 1, "bob"}};
        kernel_.uplinks["eth0"] = {};
        kernel_.uplinks["wlan0"] = {.forwards = true, .has_default_route = false};
        kernel_.nodes["banger-1000-c"] = {.whose = FakeKernel::Whose::Strangers};
        kernel_.links["bgr1"] = {.whose = FakeKernel::Whose::Strangers};
        kernel_.free_space = 1 * gib;
        constexpr auto digits = 64;
        digest_ = std::string(digits, 'a');
        base_ = UniqueFd{::memfd_create("base", MFD_CLOEXEC)};
        demand(::ftruncate(base_.get(), 1 << 20U) == 0, "there is a base");
        restart();
    }

    void one_call()
    {
        const auto what = choices_->byte();
        arm(choices_->byte());
        try {
            call(what);
        } catch (const Error&) {
        } catch (const Killed&) {
            demand(kernel_.is_dead(), "nobody is killed without a signal");
        }
        const bool dead = kernel_.is_dead();
        kernel_.revive();
        if (dead) {
            demand_empty(kernel_.faults());
            restart();
        } else {
            check_always();
        }
    }

    void restart()
    {
        cloning_.reset();
        broker_.reset();
        kernel_.revive();
        broker_.emplace(kernel_, small());
        demand_empty(broker_->start());
        demand_empty(kernel_.leaks());
        demand(broker_->reconciler.plan().empty(), "reconciling twice does nothing more");
        check_always();
        for (const auto& [key, record] : broker_->journal.records()) {
            const auto user = kernel_.names_of_users.find(key.uid);
            const bool is_theirs = user != kernel_.names_of_users.end() && user->second == record.user;
            demand(is_theirs != record.is_left(), "nothing is inherited, and nothing is kept from who is there again");
            demand(is_theirs || record.phase == Phase::Stopped, "what was left does not run");
        }
    }

private:
    enum What {
        Create,
        Start,
        Stop,
        Grow,
        SetNat,
        Name,
        Destroy,
        BeginClone,
        EndClone,
        Open,
        Close,
        Fill,
        Care,
        LoseTap,
        Flush,
        Route,
        Space,
        Person,
        Daily,
        Restart,
        Kinds
    };

    void arm(std::uint8_t fault)
    {
        constexpr std::uint8_t none = 128;
        constexpr std::uint8_t deaths = 64;
        if (fault >= none) {
            return;
        }
        if (fault >= deaths) {
            kernel_.die_at(fault - deaths + 1);
        } else {
            kernel_.fail_at(fault / 2 + 1, fault % 2 == 0 ? ErrorCode::Failed : ErrorCode::NoSpace);
        }
    }

    void call(std::uint8_t what)
    {
        const auto who = choices_->byte();
        const uid_t uid = first_user + (who & 1U);
        const SandboxKey key{uid, SandboxId::parse(std::string(1, static_cast<char>('a' + (who >> 1U) % 3)))};
        switch (what % Kinds) {
            case Open:
            case Close:
            case LoseTap:
            case Flush:
            case Route:
            case Space:
            case Person:
            case Restart:
                kernel_.revive();  // what others do is none of our steps
                happen(static_cast<What>(what % Kinds), key);
                break;
            case Fill:
                kernel_.revive();
                fill(key);
                break;
            case Care:
                broker_->caretaker.look_after(broker_->sandboxes.being_cloned());
                break;
            case Daily:
                if (!broker_->sandboxes.any_cloning()) {  // as Broker does it
                    broker_->journal.load();
                    broker_->reconciler.apply(broker_->reconciler.plan());
                }
                break;
            case EndClone:  // whoever's it is
                of_user(EndClone, cloning_ ? cloning_->first : key);
                break;
            default:
                of_user(static_cast<What>(what % Kinds), key);
        }
    }

    /// A call of `key`'s user: what the other has stays as it is.
    void of_user(What what, const SandboxKey& key)
    {
        const auto other = key.uid == first_user ? first_user + 1 : first_user;
        const auto before = kernel_.describe(other);
        const auto unchanged = [&] { demand(kernel_.describe(other) == before, "another user's things are changed"); };
        try {
            if (what == EndClone || is_let_in(key.uid)) {
                run(what, key);
            }
        } catch (...) {
            unchanged();
            throw;
        }
        unchanged();
    }

    /// As the gate and BrokerObject do before each call.
    bool is_let_in(uid_t uid)
    {
        const auto user = kernel_.names_of_users.find(uid);
        if (user == kernel_.names_of_users.end()) {
            return false;
        }
        broker_->sandboxes.know_user(uid, user->second);
        for (const auto& view : broker_->sandboxes.list(uid)) {
            demand(view.record.user == user->second, "nobody sees what another user has left");
        }
        return true;
    }

    void run(What what, const SandboxKey& key)
    {
        auto& sandboxes = broker_->sandboxes;
        const auto how = choices_->byte();
        const bool odd = (how & 1U) != 0;
        switch (what) {
            case Create:
                sandboxes.create(key, kernel_.names_of_users.at(key.uid), how < 64 ? "" : digest_,
                                 how < 64 ? ByteSize{} : std::uint64_t{how} * (4 * mib));
                break;
            case Start: {
                std::optional<BaseDisk> base;
                if (const auto* record = broker_->journal.find(key); record != nullptr && record->has_disk()) {
                    base = BaseDisk{UniqueFd{::dup(base_.get())}, 1 * mib, digest_};
                }
                sandboxes.start(key, base, odd ? Sandboxes::Tap::Yes : Sandboxes::Tap::No);
                break;
            }
            case Stop:
                sandboxes.stop(key);
                break;
            case Grow:
                sandboxes.grow(key, std::uint64_t{how} * (8 * mib));
                break;
            case SetNat:
                sandboxes.set_nat(key, odd ? Nat::On : Nat::Off);
                break;
            case Name:
                sandboxes.set_name(key, odd ? "web" : "");
                break;
            case Destroy:
                sandboxes.destroy(key, odd ? Sandboxes::Force::Yes : Sandboxes::Force::No);
                break;
            case BeginClone:
                if (!cloning_) {
                    const SandboxKey to{key.uid, SandboxId::parse(how % 3 == 0 ? "b" : "d")};
                    sandboxes.begin_clone(key, to);
                    cloning_.emplace(key, to);
                }
                break;
            case EndClone:
                end_clone();
                break;
            default:
                break;
        }
    }

    void end_clone()
    {
        const auto pair = std::exchange(cloning_, std::nullopt);
        if (!pair) {
            return;
        }
        auto copy = Sandboxes::Copy::Whole;
        try {
            kernel_.ports().files.clone(pair->first, pair->second);
        } catch (const Error&) {
            copy = Sandboxes::Copy::Failed;
        }
        broker_->sandboxes.end_clone(pair->first, pair->second, copy);
    }

    void happen(What what, const SandboxKey& key)
    {
        const auto how = choices_->byte();
        switch (what) {
            case Open:
                if (auto* node = kernel_.node(key); node != nullptr && !node->leaving) {
                    kernel_.open_node(key);
                }
                break;
            case Close:
                kernel_.close_node(key);
                break;
            case LoseTap:
                kernel_.lose_tap(key);
                broker_->reconciler.mend_network();
                break;
            case Flush:
                kernel_.flush_firewall();
                kernel_.fail_at(how % 8, ErrorCode::Failed);
                broker_->reconciler.mend_network();
                break;
            case Route:
                kernel_.uplinks["eth0"].has_default_route = (how & 1U) != 0;
                kernel_.uplinks["wlan0"].has_default_route = (how & 2U) != 0;
                broker_->reconciler.mend_network();
                break;
            case Space:
                kernel_.free_space = std::uint64_t{how} * (8 * mib);
                break;
            case Person:
                kernel_.names_of_users[key.uid] = (how & 1U) != 0 ? "mallory" : key.uid == first_user ? "alice" : "bob";
                kernel_.users_unavailable = (how & 2U) != 0;
                kernel_.now += std::chrono::hours{how % 48};
                if (how % 7 == 0) {
                    kernel_.names_of_users.erase(key.uid);
                }
                if (!kernel_.users_unavailable) {
                    restart();
                }
                kernel_.users_unavailable = false;
                break;
            default:
                restart();
        }
    }

    /// Between two of the caretaker's rounds a guest writes less than the room that it holds back.
    void fill(const SandboxKey& key)
    {
        const auto& busy = broker_->sandboxes.being_cloned();
        broker_->caretaker.look_after(busy);
        const auto* record = broker_->journal.find(key);
        const auto* node = kernel_.node(key);
        if (record == nullptr || node == nullptr || node->leaving || record->phase != Phase::Running) {
            return;
        }
        const auto more = std::min((32 * mib).bytes(), record->cow_limit.bytes() / 8);
        kernel_.fill(key, ByteSize{node->used.bytes() + more});
        broker_->caretaker.look_after(busy);
        demand(!node->overflown, "a guest's disk has overflown between two rounds");
    }

    void check_always()
    {
        demand_empty(kernel_.faults());
        demand(kernel_.nodes.at("banger-1000-c").whose == FakeKernel::Whose::Strangers, "a stranger's node is there");
        demand(kernel_.links.at("bgr1").whose == FakeKernel::Whose::Strangers, "a stranger's link is there");
        demand(kernel_.uplinks.at("wlan0").forwards, "what forwarded before does so still");
        check_quota();
    }

    void check_quota()
    {
        const auto config = small();
        std::map<uid_t, Usage> has;
        Usage all;
        for (const auto& [key, record] : broker_->journal.records()) {
            const auto file = kernel_.files.find("banger-" + key.str());
            const auto size = file == kernel_.files.end() ? ByteSize{} : file->second.size;
            const auto booked = broker_->quota.allocated(key);
            const bool cloned = broker_->sandboxes.being_cloned().contains(key);
            demand(cloned || booked == size, "what is booked is what the file has");
            for (auto* usage : {&has[key.uid], &all}) {
                if (record.is_left() && usage != &all) {
                    continue;
                }
                ++usage->sandboxes;
                usage->bytes = ByteSize{usage->bytes.bytes() + booked.bytes()};
            }
        }
        for (const auto& [uid, usage] : has) {
            demand(usage.sandboxes <= config.user.sandboxes && usage.bytes <= config.user.bytes,
                   "a user's quota holds");
        }
        demand(all.sandboxes <= config.all.sandboxes && all.bytes <= config.all.bytes, "the quota of all holds");
    }

    Choices* choices_;
    FakeKernel kernel_;
    std::string digest_;
    UniqueFd base_;
    std::optional<std::pair<SandboxKey, SandboxKey>> cloning_;
    std::optional<BrokerMachine> broker_;
};

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger::fuzz;
    Choices choices{{data, size}};
    World world{choices};
    for (int i = 0; i < most_calls && choices.any(); ++i) {
        world.one_call();
    }
    world.restart();
    return 0;
}
