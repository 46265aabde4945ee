// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/firecracker_api.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

#include "agent/core/vm/vm_folder.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

using nlohmann::json;

constexpr std::size_t fault_limit = 400;
constexpr unsigned guest_cid = 3;  // of this VM's own vsock; no other VM sees it

enum class DiskAccess { ReadOnly, ReadWrite };

/// Token buckets that fill once a second; empty for no limit.
json rate_limiter(std::uint64_t bytes, std::uint64_t operations)
{
    json limiter = json::object();
    const auto bucket = [](std::uint64_t size) { return json{{"size", size}, {"refill_time", 1000}}; };
    if (bytes > 0) {
        limiter["bandwidth"] = bucket(bytes);
    }
    if (operations > 0) {
        limiter["ops"] = bucket(operations);
    }
    return limiter;
}

/// Guests find disks by their order: Firecracker sets no serial numbers of ours.
FirecrackerRequest disk(const char* id, const char* file, DiskAccess access, const RateLimits& rates = {})
{
    const bool read_only = access == DiskAccess::ReadOnly;
    // Its default, Unsafe, passes no flush on, and what a guest had synced is lost with the host.
    json body{{"drive_id", id},
              {"path_on_host", file},
              {"is_root_device", false},
              {"is_read_only", read_only},
              {"cache_type", read_only ? "Unsafe" : "Writeback"}};
    const auto limiter = rate_limiter(rates.disk.bytes(), rates.disk_operations);
    if (!limiter.empty()) {
        body["rate_limiter"] = limiter;
    }
    return {std::string{"the disk "} + id, std::string{"/drives/"} + id, body.dump()};
}

FirecrackerRequest network_card(const VmmConfig& config)
{
    json body{{"iface_id", "net"}, {"guest_mac", config.network.mac}, {"host_dev_name", config.network.tap}};
    const auto limiter = rate_limiter(config.rates.network.bytes(), 0);
    if (!limiter.empty()) {
        body["rx_rate_limiter"] = limiter;
        body["tx_rate_limiter"] = limiter;
    }
    return {"the network", "/network-interfaces/net", body.dump()};
}

}  // namespace

std::vector<FirecrackerRequest> firecracker_requests(const VmmConfig& config)
{
    std::vector<FirecrackerRequest> requests;
    const auto put = [&](const char* what, const char* path, const json& body) {
        requests.push_back({what, path, body.dump()});
    };
    put("metrics", "/metrics", {{"metrics_path", vm_folder::firecracker_metrics}});
    put("CPUs and memory", "/machine-config", {{"vcpu_count", config.vcpus}, {"mem_size_mib", config.memory_mib}});
    put("the kernel", "/boot-source",
        {{"kernel_image_path", vm_folder::kernel},
         {"initrd_path", vm_folder::initrd},
         {"boot_args", config.kernel_arguments}});
    if (config.disks == VmmConfig::Disks::All) {
        requests.push_back(disk("root", vm_folder::root_disk, DiskAccess::ReadWrite, config.rates));
        requests.push_back(disk("work", vm_folder::work_disk, DiskAccess::ReadWrite, config.rates));
        requests.push_back(disk("modules", vm_folder::modules_disk, DiskAccess::ReadOnly));
    }
    put("vsock", "/vsock", {{"guest_cid", guest_cid}, {"uds_path", vm_folder::guest_socket}});
    if (config.network.kind == VmmNetwork::Kind::Tap) {
        requests.push_back(network_card(config));
    }
    put("the balloon", "/balloon", {{"amount_mib", 0}, {"deflate_on_oom", true}});
    put("the entropy device", "/entropy", json::object());
    put("the start", "/actions", {{"action_type", "InstanceStart"}});
    return requests;
}

std::string firecracker_fault(const std::string& body)
{
    const auto answer = json::parse(body, nullptr, false);
    const auto at = answer.is_object() ? answer.find("fault_message") : answer.end();
    const bool told = answer.is_object() && at != answer.end() && at->is_string();
    return shown(told ? at->get<std::string>() : body, fault_limit);
}

std::optional<FirecrackerVersion> parse_firecracker_version(std::string_view text)
{
    for (const std::string_view prefix : {"Firecracker v", "v"}) {
        if (text.starts_with(prefix)) {
            text.remove_prefix(prefix.size());
        }
    }
    int numbers[3];
    const char* at = text.data();
    const char* const end = text.data() + text.size();
    for (int index = 0; index < 3; ++index) {
        const auto [next, problem] = std::from_chars(at, end, numbers[index]);
        if (problem != std::errc{} || numbers[index] < 0 || (index < 2 && (next == end || *next != '.'))) {
            return std::nullopt;
        }
        at = index < 2 ? next + 1 : next;
    }
    return FirecrackerVersion{numbers[0], numbers[1], numbers[2]};
}

std::string to_string(const FirecrackerVersion& version)
{
    return std::to_string(version.major) + "." + std::to_string(version.minor) + "." + std::to_string(version.patch);
}

}  // namespace banger::agent
