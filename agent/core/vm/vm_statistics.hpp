// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/core/task.hpp"
#include "agent/core/vm/vm.hpp"
#include "agent/ports/process_host.hpp"
#include "agent/ports/vm_disks.hpp"

namespace banger::agent {

/// Names and meanings: Manager.Stats in dbus/dev.banger.Agent1.xml. What isn't known isn't there.
using VmNumbers = std::map<std::string, std::uint64_t>;

/// What a guest says of itself, with what can't be true for this VM brought down to what can: a guest may say anything.
VmNumbers numbers_of_guest(const nlohmann::json& answer, const VmSpec& spec);

/// What VMs use now: what this host sees of them, and what their guests say. Loop thread.
class VmStatistics {
public:
    using UsageOf = std::function<std::optional<ProcessUsage>(const ProcessId&)>;

    VmStatistics(EventLoop& loop, const VmDisks& disks, UsageOf usage_of)
        : loop_{&loop}, disks_{&disks}, usage_of_{std::move(usage_of)}
    {
    }

    /// Of these VMs, in their order; all guests are asked at once. One that takes longer than `patience` is left out, and not asked again
    /// before it has answered.
    Task<std::vector<VmNumbers>> of(std::vector<VmPtr> vms, std::chrono::milliseconds patience = usual_patience);

    static constexpr std::chrono::milliseconds usual_patience{1'000};

private:
    struct Answers;
    VmNumbers seen_from_outside(const VmPtr& vm) const;
    static Task<void> ask(VmPtr vm, std::shared_ptr<Answers> answers, std::size_t index);

    EventLoop* loop_;
    const VmDisks* disks_;
    UsageOf usage_of_;
    std::shared_ptr<std::set<std::string>> asked_{
        std::make_shared<std::set<std::string>>()};  ///< ids of VMs with a question open
};

}  // namespace banger::agent
