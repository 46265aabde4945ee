// SPDX-License-Identifier: GPL-2.0-or-later
#include <fstream>

#include "tests/fakes/ports.hpp"

namespace banger::agent::test {

Fault FakeBroker::enter(const std::string& call)
{
    if (!world_->broker.there) {
        throw Error{ErrorCode::HostLacks, "this world has no broker"};
    }
    const auto fault = world_->take("broker." + call.substr(0, call.find(' ')));
    if (fault != Fault::DieBefore) {
        world_->broker_calls.push_back(call);
    }
    return fault;
}

void FakeBroker::authorize(Prompt prompt) const
{
    if (!world_->broker.allows && (prompt == Prompt::Never || !world_->broker.user_says_yes)) {
        throw Error{ErrorCode::NotAuthorized, "polkit wants a password; members of the group banger need none"};
    }
}

FakeSandbox& FakeBroker::at(const std::string& id)
{
    const auto found = world_->sandboxes.find(id);
    if (found == world_->sandboxes.end()) {
        throw Error{ErrorCode::NotFound, "there is no such sandbox"};
    }
    return found->second;
}

void FakeBroker::check_free()
{
    if (world_->broker.times_in_use > 0) {
        --world_->broker.times_in_use;
        throw Error{ErrorCode::InUse, "its disk is open"};
    }
}

Task<void> FakeBroker::create(std::string id, std::optional<Digest> base, ByteSize overlay, Nat nat, Prompt prompt)
{
    const auto fault =
        enter("create " + id + (nat == Nat::On ? " nat" : "") + (prompt == Prompt::Allowed ? " asking" : ""));
    co_await world_->before_async(fault);
    if (nat == Nat::On && world_->broker.is_first_version) {
        throw Error{ErrorCode::InvalidArgument, "flags has bits that are not known"};
    }
    authorize(prompt);
    if (world_->sandboxes.contains(id)) {
        throw Error{ErrorCode::AlreadyExists, "there is such a sandbox"};
    }
    if (overlay > world_->broker.quota) {
        throw Error{ErrorCode::QuotaExceeded, "you may have " + world_->broker.quota.to_string()};
    }
    world_->sandboxes[id] = FakeSandbox{.base = std::move(base), .limit = overlay, .nat = nat};
    co_await world_->after_async(fault);
}

Task<StartedSandbox> FakeBroker::start(std::string id, std::optional<SandboxBase> base, SandboxNetwork network)
{
    const auto fault = enter("start " + id + (network == SandboxNetwork::Tap ? " tap" : ""));
    co_await world_->before_async(fault);
    auto& sandbox = at(id);
    auto& ways = world_->broker;
    if (sandbox.running) {
        throw Error{ErrorCode::WrongState, "the sandbox runs already"};
    }
    if (base.has_value() != sandbox.base.has_value() || (base && base->digest != *sandbox.base)) {
        throw Error{ErrorCode::InvalidArgument, "another base"};
    }
    if (base && !ways.lacks_for_disks.empty()) {
        throw Error{ErrorCode::HostLacks, ways.lacks_for_disks};
    }
    if (network == SandboxNetwork::Tap && !ways.lacks_for_taps.empty()) {
        throw Error{ErrorCode::HostLacks, ways.lacks_for_taps};
    }
    const bool gone = ways.times_gone > 0;
    ways.times_gone -= gone ? 1 : 0;
    if (!gone || ways.gone_after) {
        sandbox.running = true;
        sandbox.tap = network == SandboxNetwork::Tap;
    }
    if (gone) {
        throw Error{ErrorCode::Unavailable, "the broker is gone"};
    }
    co_await world_->after_async(fault);
    StartedSandbox started;
    if (base) {
        started.disk = world_->root / "dm" / id;
        std::filesystem::create_directories(world_->root / "dm");
        std::ofstream{started.disk} << "a disk";
    }
    if (sandbox.tap) {
        started.tap = "bgr7";
        started.guest_address = "10.213.0.2";
        started.gateway = "10.213.0.1";
        started.prefix = 30;
        started.mac = "02:00:00:00:00:07";
    }
    co_return started;
}

Task<void> FakeBroker::stop(std::string id)
{
    const auto fault = enter("stop " + id);
    co_await world_->before_async(fault);
    auto& sandbox = at(id);
    check_free();
    sandbox.running = false;
    sandbox.tap = false;
    sandbox.name.clear();
    co_await world_->after_async(fault);
}

Task<void> FakeBroker::grow(std::string id, ByteSize overlay)
{
    const auto fault = enter("grow " + id);
    co_await world_->before_async(fault);
    auto& sandbox = at(id);
    if (overlay > world_->broker.quota) {
        throw Error{ErrorCode::QuotaExceeded, "you may have " + world_->broker.quota.to_string()};
    }
    sandbox.limit = overlay;
    sandbox.held = false;
    co_await world_->after_async(fault);
}

Task<void> FakeBroker::set_nat(std::string id, Nat nat, Prompt prompt)
{
    const auto fault =
        enter((nat == Nat::On ? "nat-on " : "nat-off ") + id + (prompt == Prompt::Allowed ? " asking" : ""));
    co_await world_->before_async(fault);
    if (nat == Nat::On) {
        if (world_->broker.answer && prompt == Prompt::Allowed) {
            const auto answer = *world_->broker.answer;
            co_await answer.wait();
        }
        authorize(prompt);
    }
    at(id).nat = nat;
    co_await world_->after_async(fault);
}

Task<void> FakeBroker::destroy(std::string id)
{
    const auto fault = enter("destroy " + id);
    co_await world_->before_async(fault);
    at(id);
    check_free();
    world_->sandboxes.erase(id);
    std::filesystem::remove(world_->root / "dm" / id);
    co_await world_->after_async(fault);
}

Task<void> FakeBroker::publish(std::string id, std::string name, std::string gateway, std::string address)
{
    const auto fault = enter("publish " + id + " " + name + " " + gateway + " " + address);
    co_await world_->before_async(fault);
    if (!world_->broker.routes_names) {
        throw Error{ErrorCode::HostLacks, "nobody routes names here"};
    }
    at(id).name = name;
    answered.insert(name);
    co_await world_->after_async(fault);
}

void FakeBroker::forget_name(const std::string& name) noexcept { answered.erase(name); }

Task<std::vector<SandboxRow>> FakeBroker::list()
{
    const auto fault = enter("list");
    co_await world_->before_async(fault);
    co_await world_->after_async(fault);
    std::vector<SandboxRow> rows;
    for (const auto& [id, sandbox] : world_->sandboxes) {
        auto state = sandbox.running ? SandboxRow::State::Running : SandboxRow::State::Stopped;
        if (sandbox.held) {
            state = SandboxRow::State::Held;
        }
        if (sandbox.broken) {
            state = SandboxRow::State::Broken;
        }
        rows.push_back({.id = id,
                        .state = state,
                        .nat = sandbox.nat,
                        .name = sandbox.name,
                        .used = sandbox.used,
                        .allocated = sandbox.limit,
                        .limit = sandbox.limit});
    }
    co_return rows;
}

Task<BrokerReport> FakeBroker::examine() { co_return BrokerReport{BrokerReport::State::Ready, "fake"}; }

}  // namespace banger::agent::test
