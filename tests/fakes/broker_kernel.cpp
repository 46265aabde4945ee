// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fakes/broker_kernel.hpp"

#include <poll.h>

#include <algorithm>

#include "broker/core/record_text.hpp"
#include "tests/fakes/broker_ports.hpp"

namespace banger::broker::test {
FakeKernel::FakeKernel() : ports_{std::make_unique<Ports>(*this)} {}
FakeKernel::~FakeKernel() = default;

Kernel FakeKernel::ports()
{
    auto& each = *ports_;
    return {each.mapper, each.loops, each.files, each.taps, each.rules, each.routes};
}

RecordStore& FakeKernel::records() { return ports_->records; }
Users& FakeKernel::users() { return ports_->people; }

void FakeKernel::fail_at(int step, ErrorCode code)
{
    revive();
    fail_at_ = step;
    code_ = code;
}

void FakeKernel::die_at(int step)
{
    revive();
    die_at_ = step;
}

void FakeKernel::revive()
{
    steps_ = 0;
    fail_at_ = 0;
    die_at_ = 0;
    dead_ = false;
    fired_.clear();
}

bool FakeKernel::step_quietly(const char* name) noexcept
{
    if (dead_) {
        return false;
    }
    reap();
    if (++steps_ == die_at_) {
        dead_ = true;
        fired_ = name;
    }
    return !dead_;
}

void FakeKernel::step(const char* name)
{
    if (!step_quietly(name)) {
        throw Killed{};
    }
    if (steps_ == fail_at_) {
        fired_ = name;
        throw Error{code_, std::string{"the test lets this fail: "} + name};
    }
}

/// Loop devices that neither a descriptor nor a table holds are gone (LO_FLAGS_AUTOCLEAR).
void FakeKernel::reap()
{
    std::erase_if(loops_, [this](const auto& row) {
        const BlockDevice device{Ports::loop_major, row.first};
        const auto holds = [&](const auto& each) {
            return each.second.whose == Whose::Ours && (each.second.base == device || each.second.cow == device);
        };
        pollfd watch{row.second.watch.get(), POLLIN, 0};
        const bool closed = ::poll(&watch, 1, 0) == 1 && (watch.revents & POLLHUP) != 0;
        return closed && std::none_of(nodes.begin(), nodes.end(), holds);
    });
}

FakeKernel::Loop* FakeKernel::loop(BlockDevice device)
{
    const auto found = loops_.find(device.minor);
    return device.major == Ports::loop_major && found != loops_.end() ? &found->second : nullptr;
}

void FakeKernel::take_space(ByteSize size)
{
    if (size > free_space) {
        throw Error{ErrorCode::NoSpace, "no space left on device"};
    }
    free_space = ByteSize{free_space.bytes() - size.bytes()};
}

FakeKernel::Node* FakeKernel::node(const SandboxKey& key)
{
    const auto found = nodes.find(name_of(key));
    return found != nodes.end() && found->second.whose == Whose::Ours ? &found->second : nullptr;
}

void FakeKernel::open_node(const SandboxKey& key) { ++node(key)->open; }

void FakeKernel::close_node(const SandboxKey& key)
{
    auto* const found = node(key);
    if (found != nullptr && found->open > 0 && --found->open == 0 && found->leaving) {
        nodes.erase(name_of(key));
        reap();
    }
}

void FakeKernel::fill(const SandboxKey& key, ByteSize used)
{
    auto& full = *node(key);
    if (full.held) {
        return;  // its writes wait
    }
    const auto room = loop_size(full.cow);
    full.overflown |= used > room;
    full.used = std::max(full.used, std::min(used, room));
}

void FakeKernel::lose_tap(const SandboxKey& key)
{
    const auto lost = std::erase_if(links, [&](const auto& row) { return row.second.altname == name_of(key); });
    firewall_touched_ |= lost > 0;  // a netdev chain goes with its device
}

ByteSize FakeKernel::loop_size(BlockDevice device)
{
    const auto* found = loop(device);
    return found != nullptr ? found->size : ByteSize{};
}

std::size_t FakeKernel::loop_count()
{
    reap();
    return loops_.size();
}

std::string FakeKernel::describe(std::optional<uid_t> uid)
{
    reap();
    std::string text;
    const auto line = [&](const std::string& name, const std::string& what) {
        const auto key = key_in(name);
        if (!uid || (key && key->uid == *uid)) {
            text += name + ' ' + what + '\n';
        }
    };
    for (const auto& [name, each] : texts) {
        line("banger-" + name.substr(0, name.rfind('.')), "record " + each);
    }
    for (const auto& [name, each] : files) {
        line(name, "file " + each.size.to_string());
    }
    for (const auto& [name, each] : nodes) {
        line(name, "node open " + std::to_string(each.open) + (each.leaving ? " leaving" : "") +
                       (each.held ? " held" : "") + (each.overflown ? " overflown" : "") + " used " +
                       std::to_string(each.used.bytes()) + " of " + std::to_string(loop_size(each.cow).bytes()));
    }
    for (const auto& [minor, each] : loops_) {
        line(each.mark, each.access == LoopDevices::Access::ReadOnly ? "loop below" : "loop above");
    }
    for (const auto& [name, each] : links) {
        line(each.altname, "link " + name + " of " + std::to_string(each.owner) + (each.up ? " up" : " down"));
    }
    for (const auto& [altname, each] : rules) {
        line(altname, "rules for " + each.tap + ' ' + mac_text(each.mac) + ' ' + ipv4_text(each.guest) +
                          (each.nat == Nat::On ? " nat" : ""));
    }
    for (const auto& [name, each] : uplinks) {
        line(name, std::string{"uplink"} + (each.forwards ? " forwards" : "") + (each.ours ? " by us" : ""));
    }
    return text;
}

std::vector<std::string> FakeKernel::faults()
{
    reap();
    std::vector<std::string> found;
    for (const auto& [name, each] : links) {
        const auto rule = rules.find(each.altname);
        if (each.whose == Whose::Ours && each.up && (rule == rules.end() || rule->second.tap != name)) {
            found.push_back(name + " is up, and nothing filters what goes through it");
        }
        if (each.whose == Whose::Ours && (!key_in(each.altname) || key_in(each.altname)->uid != each.owner)) {
            found.push_back(name + " is another user's than its altname says");
        }
    }
    for (const auto& [name, each] : nodes) {
        const auto mine = [this, mark = name](BlockDevice device) {
            const auto* const below = loop(device);
            return below != nullptr && below->mark == mark;
        };
        if (each.whose == Whose::Ours && (!mine(each.base) || !mine(each.cow))) {
            found.push_back(name + " stands on no loop devices of its own");
        }
        if (each.overflown) {
            found.push_back(name + " has overflown");
        }
    }
    for (const auto& [name, each] : files) {
        if (!each.writers_at_copy.empty()) {
            found.push_back(name + " was copied from a file that was being written");
        }
    }
    return found;
}

std::vector<std::string> FakeKernel::leaks()
{
    auto found = faults();
    std::map<std::string, SandboxRecord> records_by_name;
    for (const auto& [name, text] : texts) {
        try {
            auto record = parse_record(text, name);
            records_by_name.emplace(name_of(record.key), std::move(record));
        } catch (const Error& problem) {
            found.push_back(std::string{"a record does not parse: "} + problem.what());
        }
    }
    const auto runs = [&](const std::string& name) {
        const auto record = records_by_name.find(name);
        return record != records_by_name.end() && record->second.phase == Phase::Running;
    };
    for (const auto& [name, record] : records_by_name) {
        if (record.phase != Phase::Stopped && record.phase != Phase::Running) {
            found.push_back(name + " is left half way");
        }
        if (record.has_disk() != files.contains(name)) {
            found.push_back(name + " has a file and no record of it, or the other way round");
        }
    }
    for (const auto& [name, each] : files) {
        if (!records_by_name.contains(name)) {
            found.push_back("the file " + name + " is nobody's");
        }
    }
    for (const auto& [name, each] : nodes) {
        if (each.whose == Whose::Ours && !each.leaving && !runs(name)) {
            found.push_back("the node " + name + " is nobody's");
        }
    }
    for (const auto& [minor, each] : loops_) {
        const auto user = nodes.find(each.mark);
        if (user == nodes.end() || user->second.whose != Whose::Ours) {
            found.push_back("a loop device of " + each.mark + " is nobody's");
        }
    }
    for (const auto& [name, each] : links) {
        if (each.whose == Whose::Ours && !runs(each.altname)) {
            found.push_back("the link " + name + " of " + each.altname + " is nobody's");
        }
    }
    const bool any_nat = std::any_of(records_by_name.begin(), records_by_name.end(), [](const auto& row) {
        return row.second.phase == Phase::Running && row.second.network && row.second.nat == Nat::On;
    });
    for (const auto& [altname, each] : rules) {
        if (!runs(altname)) {
            found.push_back("the rules of " + altname + " are nobody's");
        } else if (records_by_name.at(altname).nat != each.nat) {
            found.push_back(altname + " has NAT and should not, or the other way round");
        }
    }
    for (const auto& [name, each] : uplinks) {
        if (each.ours && !any_nat) {
            found.push_back(name + " forwards for nobody");
        }
        if (any_nat && each.has_default_route && !each.forwards) {
            found.push_back(name + " does not forward, and a guest has NAT");
        }
    }
    return found;
}

}  // namespace banger::broker::test
