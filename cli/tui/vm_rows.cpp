// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/vm_rows.hpp"

#include <array>
#include <tuple>

namespace banger::cli::tui {
namespace {

/// Those that something is to be seen of come first.
std::size_t rank_of(const std::string& state)
{
    constexpr std::array ranks{std::string_view{"failed"},   std::string_view{"starting"},
                               std::string_view{"running"},  std::string_view{"stopping"},
                               std::string_view{"creating"}, std::string_view{"deleting"}};
    return static_cast<std::size_t>(std::find(ranks.begin(), ranks.end(), state) - ranks.begin());
}

std::optional<double> memory_percent(const VmRow& vm, const Numbers& numbers)
{
    constexpr double percent = 100;
    const auto total = known_number(numbers, "memory_total");
    const auto available = known_number(numbers, "memory_available");
    if (total && available && *total > 0 && *available <= *total) {
        return static_cast<double>(*total - *available) / static_cast<double>(*total) * percent;
    }
    const auto resident = known_number(numbers, "resident");
    if (!resident || vm.memory_mib == 0) {
        return std::nullopt;
    }
    constexpr double mebi = 1 << 20;
    return std::min(percent, static_cast<double>(*resident) / (vm.memory_mib * mebi) * percent);
}

/// Bytes a second, read and written.
std::optional<double> disk_rate(const Numbers& before, const Numbers& now)
{
    const auto sum = [](const Numbers& numbers) -> std::optional<std::uint64_t> {
        const auto read = known_number(numbers, "block_read");
        const auto written = known_number(numbers, "block_written");
        return read && written ? std::optional{*read + *written} : std::nullopt;
    };
    const auto old_sum = sum(before);
    const auto old_time = known_number(before, "sampled_ns");
    const auto new_sum = sum(now);
    const auto time = known_number(now, "sampled_ns");
    if (!old_sum || !old_time || !new_sum || !time || *new_sum < *old_sum || *time <= *old_time) {
        return std::nullopt;
    }
    constexpr double ns_per_s = 1e9;
    return static_cast<double>(*new_sum - *old_sum) / static_cast<double>(*time - *old_time) * ns_per_s;
}

}  // namespace

const std::string& key_of(const VmRow& vm) { return vm.id; }
std::string words_of(const VmRow& vm)
{
    return vm.name + " " + vm.state + " " + vm.image + " " + vm.address + " " + vm.vmm + " " + network_of(vm);
}
std::string key_of(const ImageRow& image) { return image.name + " " + image.digest; }
std::string words_of(const ImageRow& image) { return image.name + " " + image.digest + " " + image.origin; }
const std::string& key_of(const OperationRow& operation) { return operation.path; }
std::string words_of(const OperationRow& operation)
{
    return operation.kind + " " + operation.target + " " + operation.state + " " + operation.stage;
}
std::string key_of(const HostRow& row)
{
    constexpr std::size_t digits = 4;
    const auto number = std::to_string(row.number);
    return std::string(digits - std::min(digits, number.size()), '0') + number;
}
std::string words_of(const HostRow& row) { return row.check + " " + row.verdict + " " + row.detail; }

Sheet<VmRow>::Before before(VmOrder order)
{
    switch (order) {
        case VmOrder::State:
            return [](const VmRow& a, const VmRow& b) {
                return std::tuple{rank_of(a.state), a.name} < std::tuple{rank_of(b.state), b.name};
            };
        case VmOrder::Newest:
            return [](const VmRow& a, const VmRow& b) {
                return a.created != b.created ? a.created > b.created : a.name < b.name;
            };
        case VmOrder::Name:
            break;
    }
    return [](const VmRow& a, const VmRow& b) { return a.name < b.name; };
}

std::string_view name_of(VmOrder order)
{
    return order == VmOrder::Name ? "name" : order == VmOrder::State ? "state" : "newest first";
}

bool runs(const VmRow& vm) { return vm.state == "running" || vm.state == "starting" || vm.state == "stopping"; }

std::string network_of(const VmRow& vm) { return vm.nat && vm.network == "tap" ? "tap+nat" : vm.network; }

void put_vms(Sheet<VmRow>& vms, std::vector<VmRow> rows)
{
    for (auto& row : rows) {
        if (auto* known = vms.find(row.id); known != nullptr && runs(row)) {
            row.usage = std::move(known->usage);
        }
    }
    vms.replace(std::move(rows));
}

void put_vm(Sheet<VmRow>& vms, VmRow row)
{
    if (auto* known = vms.find(row.id); known != nullptr && runs(row)) {
        row.usage = std::move(known->usage);
    }
    vms.put(std::move(row));
}

bool set_state(Sheet<VmRow>& vms, const std::string& id, const std::string& state)
{
    auto* vm = vms.find(id);
    if (vm == nullptr) {
        return false;
    }
    vm->state = state;
    if (!runs(*vm)) {
        vm->usage = {};
    }
    vms.touch();
    return true;
}

void put_numbers(Sheet<VmRow>& vms, const std::string& id, Numbers numbers)
{
    auto* vm = vms.find(id);
    if (vm == nullptr || !runs(*vm)) {
        return;
    }
    auto& usage = vm->usage;
    usage.cpu.add(cpu_percent(usage.last, numbers));
    usage.memory.add(memory_percent(*vm, numbers));
    usage.disk.add(disk_rate(usage.last, numbers));
    usage.last = std::move(numbers);
}

}  // namespace banger::cli::tui
