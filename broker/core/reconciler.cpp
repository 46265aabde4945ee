// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/core/reconciler.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/error.hpp"

namespace banger::broker {
namespace {

using Keys = std::set<SandboxKey>;

Keys as_set(const std::vector<SandboxKey>& keys) { return {keys.begin(), keys.end()}; }

const char* word(Repair::Kind kind) noexcept
{
    switch (kind) {
        case Repair::Kind::DestroySandbox:
            return "destroy sandbox ";
        case Repair::Kind::PutAway:
            return "put away sandbox ";
        case Repair::Kind::GiveBack:
            return "give back sandbox ";
        case Repair::Kind::StopSandbox:
            return "stop sandbox ";
        case Repair::Kind::RemoveStray:
            return "remove kernel objects of ";
    }
    return "";
}

}  // namespace

/// What the machine has of ours.
struct Reconciler::Seen {
    Keys nodes;
    Keys taps;
    Keys files;
};

std::string Repair::to_string() const { return word(kind) + key.str() + ": " + why; }

std::vector<Repair> Reconciler::plan()
{
    const auto seen = look();
    std::vector<Repair> repairs;
    left_alone_.clear();
    for (const auto& [key, record] : parts_.journal.records()) {
        plan_record(record, seen, repairs);
    }
    plan_strays(seen, repairs);
    // What belongs to nobody any more goes before anything else may use its uid, its names or its room (R32).
    std::stable_partition(repairs.begin(), repairs.end(), [](const Repair& repair) {
        return repair.kind == Repair::Kind::DestroySandbox || repair.kind == Repair::Kind::PutAway;
    });
    return repairs;
}

Reconciler::Seen Reconciler::look()
{
    Seen seen{.nodes = {}, .taps = {}, .files = as_set(kernel_.files.list())};
    try {
        seen.nodes = as_set(kernel_.mapper.list());
    } catch (const Error& problem) {
        if (problem.code() != ErrorCode::HostLacks) {
            throw;
        }
    }
    for (const auto& tap : kernel_.taps.list()) {
        seen.taps.insert(tap.key);
    }
    std::map<SandboxKey, ByteSize> sizes;  // all of them first: where one can't be had, what is booked stays
    for (const auto& [key, record] : parts_.journal.records()) {
        sizes[key] = {};
    }
    for (const auto& key : seen.files) {
        sizes[key] = kernel_.files.size(key);
    }
    for (const auto& [key, size] : sizes) {
        parts_.quota.set_allocated(key, size);
    }
    return seen;
}

bool Reconciler::is_up(const SandboxRecord& record, const Seen& seen)
{
    return record.phase != Phase::Stopped || seen.nodes.contains(record.key) || seen.taps.contains(record.key);
}

/// Whether its user is gone or another person. A user database that is away has removed nobody, and brought nobody back.
bool Reconciler::plan_user(const SandboxRecord& record, const Seen& seen, std::vector<Repair>& repairs)
{
    const auto& key = record.key;
    std::optional<std::string> name;
    try {
        name = parts_.users.name_of(key.uid);
    } catch (const Error&) {
        if (record.is_left() && is_up(record, seen)) {
            repairs.push_back({Repair::Kind::PutAway, key, "it was put away before"});
        }
        return record.is_left();
    }
    if (name == record.user) {
        if (record.is_left()) {
            repairs.push_back({Repair::Kind::GiveBack, key, "its user " + record.user + " is there again"});
        }
        return false;
    }
    const auto why = "its user " + record.user + (name ? " is now " + *name : " is gone");
    const auto now = parts_.now();
    const bool is_known = record.is_left() && record.left <= now;  // else the clock was wrong then
    const bool is_whole = !record.has_disk() || seen.files.contains(key);
    if (is_known && is_whole && now - record.left >= grace) {
        repairs.push_back({Repair::Kind::DestroySandbox, key, why});
    } else if (!is_known || is_up(record, seen)) {
        repairs.push_back({Repair::Kind::PutAway, key, why});
    }
    return true;
}

void Reconciler::plan_record(const SandboxRecord& record, const Seen& seen, std::vector<Repair>& repairs)
{
    const auto& key = record.key;
    const auto add = [&](Repair::Kind kind, std::string why) { repairs.push_back({kind, key, std::move(why)}); };
    const bool has_node = seen.nodes.contains(key);
    const bool has_tap = seen.taps.contains(key);
    if (record.is_half()) {
        add(Repair::Kind::DestroySandbox, "it was cut off");
        return;
    }
    if (record.has_disk() && !seen.files.contains(key)) {
        left_alone_.push_back("sandbox " + key.str() + " has a record, and its copy-on-write file is not there");
    }
    if (plan_user(record, seen, repairs)) {
        return;
    }
    if (record.phase == Phase::Starting || record.phase == Phase::Stopping) {
        add(Repair::Kind::StopSandbox, "it was cut off");
    } else if (record.phase == Phase::Running && !(record.has_disk() ? has_node : has_tap)) {
        add(Repair::Kind::StopSandbox, "what it ran on is gone");
    } else if (record.phase == Phase::Stopped && (has_node || has_tap)) {
        add(Repair::Kind::StopSandbox, "it is stopped, and parts of it are there");
    }
}

void Reconciler::plan_strays(const Seen& seen, std::vector<Repair>& repairs)
{
    const auto unknown = [this](const SandboxKey& key) {
        return parts_.journal.find(key) == nullptr && !parts_.journal.is_damaged(key);
    };
    Keys objects = seen.nodes;
    objects.insert(seen.taps.begin(), seen.taps.end());
    for (const auto& key : objects) {
        if (unknown(key)) {
            repairs.push_back({Repair::Kind::RemoveStray, key, "no record knows it"});
        }
    }
    for (const auto& key : seen.files) {
        if (unknown(key)) {
            left_alone_.push_back("sandbox " + key.str() + " has a copy-on-write file, and its record is not there");
        }
    }
}

std::vector<std::string> Reconciler::apply(const std::vector<Repair>& repairs)
{
    std::vector<std::string> problems;
    const auto attempt = [&problems](const std::string& what, auto&& work) {
        try {
            work();
        } catch (const Error& problem) {
            problems.push_back(what + ": " + problem.what());
        }
    };
    for (const auto& repair : repairs) {
        attempt(repair.to_string(), [&] { apply(repair); });
    }
    try {
        restore_firewall();
    } catch (const Error& problem) {
        take_networks_down();
        problems.push_back(std::string{"the firewall, so all networks go down: "} + problem.what());
    }
    attempt("forwarding", [&] { parts_.assembly.follow_forwarding(); });
    return problems;
}

std::vector<std::string> Reconciler::mend_network()
{
    std::vector<std::string> news;
    try {
        if (networks_are_down_ || !kernel_.firewall.is_whole()) {
            restore_firewall();
            news.emplace_back("somebody has changed banger's firewall rules; they are back");
        }
    } catch (const Error& problem) {
        take_networks_down();
        news.push_back(std::string{"banger's firewall rules can't be put back, so its networks are down: "} +
                       problem.what());
    }
    try {
        parts_.assembly.follow_forwarding();
    } catch (const Error& problem) {
        news.push_back(std::string{"can't follow the default routes: "} + problem.what());
    }
    return news;
}

/// Rules for the TAPs that are there and ours by the journal; all others go down first, as none are left for them. A TAP that its own user has
/// taken away has none, and must not keep the others from theirs (R15).
void Reconciler::restore_firewall()
{
    auto networks = parts_.assembly.running_networks();
    std::set<std::string> there;
    for (const auto& tap : kernel_.taps.list()) {
        const auto altname = tap.key.mark();
        const auto known = [&](const SandboxNetwork& each) { return each.altname == altname && each.tap == tap.name; };
        if (std::any_of(networks.begin(), networks.end(), known)) {
            there.insert(altname);
        } else {
            kernel_.taps.down({.tap = tap.name,
                               .altname = altname,
                               .uid = tap.key.uid,
                               .gateway = 0,
                               .guest = 0,
                               .mac = {},
                               .nat = Nat::Off});
        }
    }
    std::erase_if(networks, [&](const SandboxNetwork& each) { return !there.contains(each.altname); });
    kernel_.firewall.restore(networks);
    for (const auto& network : networks) {
        kernel_.taps.up(network);
    }
    networks_are_down_ = false;
}

void Reconciler::take_networks_down() noexcept
{
    networks_are_down_ = true;
    for (const auto& network : parts_.assembly.running_networks()) {
        kernel_.taps.down(network);
    }
}

void Reconciler::remove_node(const SandboxKey& key)
{
    try {
        kernel_.mapper.remove(key);
    } catch (const Error& problem) {
        if (problem.code() != ErrorCode::HostLacks) {  // where there is no device-mapper there is no node
            throw;
        }
    }
}

void Reconciler::stop(SandboxRecord record)
{
    parts_.assembly.take_apart(record);
    record.phase = Phase::Stopped;
    record.name.clear();
    parts_.journal.save(record);
}

/// First the journal: from then on nobody finds it, whether or not it can be stopped.
void Reconciler::put_away(SandboxRecord record)
{
    if (!record.is_left() || record.left > parts_.now()) {
        record.left = parts_.now();
    }
    record.phase = Phase::Stopping;
    parts_.journal.save(record);
    stop(std::move(record));
}

void Reconciler::apply(const Repair& repair)
{
    const auto& key = repair.key;
    const auto* known = parts_.journal.find(key);
    switch (repair.kind) {
        case Repair::Kind::DestroySandbox:
            parts_.assembly.take_apart(*known);
            kernel_.files.remove(key);
            parts_.quota.set_allocated(key, ByteSize{});
            parts_.journal.remove(key);
            break;
        case Repair::Kind::PutAway:
            put_away(*known);
            break;
        case Repair::Kind::GiveBack: {
            auto record = *known;
            record.left = {};
            parts_.journal.save(record);
            break;
        }
        case Repair::Kind::StopSandbox:
            stop(*known);
            break;
        case Repair::Kind::RemoveStray:
            kernel_.taps.remove(key.mark());
            remove_node(key);
            break;
    }
}

}  // namespace banger::broker
