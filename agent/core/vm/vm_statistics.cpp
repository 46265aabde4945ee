// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_statistics.hpp"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <nlohmann/json.hpp>

#include "agent/core/vm/vm_folder.hpp"

namespace banger::agent {
namespace {

std::uint64_t monotonic_ns()
{
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    constexpr std::uint64_t ns_per_s = 1'000'000'000;
    return static_cast<std::uint64_t>(now.tv_sec) * ns_per_s + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t member(const nlohmann::json& answer, const char* name)
{
    const auto at = answer.find(name);
    return at != answer.end() && at->is_number_unsigned() ? at->get<std::uint64_t>() : 0;
}

/// "X_total" and "X_available", with the second no more than the first, and that no more than `most`.
void put_share(VmNumbers& numbers, const nlohmann::json& answer, const std::string& what, std::uint64_t most)
{
    const auto total = std::min(member(answer, (what + "_total").c_str()), most);
    numbers[what + "_total"] = total;
    numbers[what + "_available"] = std::min(member(answer, (what + "_available").c_str()), total);
}

}  // namespace

/// What the guests have said so far; it outlives the call for those that are late.
struct VmStatistics::Answers {
    std::vector<VmNumbers> numbers;
    std::size_t open{0};
    Event all;
};

VmNumbers numbers_of_guest(const nlohmann::json& answer, const VmSpec& spec)
{
    constexpr double most_load = 1e9;
    constexpr double milli = 1000;
    VmNumbers numbers;
    put_share(numbers, answer, "memory", std::uint64_t{spec.memory_mib} * mib.bytes());
    put_share(numbers, answer, "root", ~std::uint64_t{0});
    put_share(numbers, answer, "work", spec.disk.bytes());
    for (const auto* name :
         {"uptime_ms", "processes", "network_received", "network_sent", "block_read", "block_written"}) {
        numbers[name] = member(answer, name);
    }
    const auto load = answer.find("load");
    if (load != answer.end() && load->is_number() && load->get<double>() >= 0) {
        numbers["load_milli"] = static_cast<std::uint64_t>(std::min(load->get<double>(), most_load) * milli);
    }
    return numbers;
}

VmNumbers VmStatistics::seen_from_outside(const VmPtr& vm) const
{
    VmNumbers numbers{{"work_host", disks_->allocated(vm->folder / vm_folder::work_disk)}};
    if (vm->record.spec.storage != StorageChoice::DmSnapshot) {
        numbers["root_host"] = disks_->allocated(vm->folder / vm_folder::root_disk);
    } else if (vm->sandbox_seen) {
        numbers["root_host"] = vm->sandbox_seen->allocated.bytes();
    }
    if (!vm->running) {
        return numbers;
    }
    if (const auto usage = usage_of_(vm->record.process)) {
        numbers["cpu_ns"] = usage->cpu_ns;
        numbers["resident"] = usage->resident_bytes;
        numbers["sampled_ns"] = monotonic_ns();
    }
    return numbers;
}

Task<void> VmStatistics::ask(VmPtr vm, std::shared_ptr<Answers> answers, std::size_t index)
{
    const auto answer = co_await vm->running->link->query("stats", {});
    answers->numbers[index].merge(numbers_of_guest(answer, vm->record.spec));
}

Task<std::vector<VmNumbers>> VmStatistics::of(std::vector<VmPtr> vms, std::chrono::milliseconds patience)
{
    const auto answers = std::make_shared<Answers>();
    answers->numbers.resize(vms.size());
    answers->open = 1;  // ours, so that `all` comes after the last question was asked
    const auto closed = [answers] {
        if (--answers->open == 0) {
            answers->all.set();
        }
    };
    for (std::size_t i = 0; i < vms.size(); ++i) {
        const auto& vm = vms[i];
        answers->numbers[i] = seen_from_outside(vm);
        if (vm->ready() && asked_->insert(vm->record.id.str()).second) {
            ++answers->open;
            // What a guest fails with is its own affair: its numbers are missing.
            spawn(ask(vm, answers, i), [closed, asked = asked_, id = vm->record.id.str()](std::exception_ptr) {
                asked->erase(id);
                closed();
            });
        }
    }
    closed();
    try {
        co_await answers->all.wait(*loop_, patience, Error{ErrorCode::TimedOut, "a guest is late"});
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): then without those
    }
    if (answers->open == 0) {
        co_return std::move(answers->numbers);
    }
    auto numbers = answers->numbers;  // a copy: who is late writes there
    co_return numbers;
}

}  // namespace banger::agent
