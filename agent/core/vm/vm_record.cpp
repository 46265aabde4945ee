// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_record.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <utility>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr std::array vmm_names{"auto", "firecracker", "qemu-kvm", "qemu-tcg"};
constexpr std::array network_names{"auto", "user", "none", "tap"};
constexpr std::array storage_names{"auto", "file", "dm-snapshot"};

template <typename Choice, std::size_t N>
Choice parse_choice(std::string_view what, std::string_view text, const std::array<const char*, N>& names)
{
    std::string known;
    for (std::size_t i = 0; i < N; ++i) {
        if (text == names[i]) {
            return static_cast<Choice>(i);
        }
        known += (i == 0 ? "" : ", ") + std::string{names[i]};
    }
    throw Error{ErrorCode::InvalidArgument,
                "\"" + shown(text) + "\" is not a " + std::string{what} + "; there are " + known};
}

/// get<T>() would make something of fractions, truth values and numbers beyond its range.
template <typename T>
T whole_number(const nlohmann::json& json, const char* member)
{
    const auto& value = json.at(member);
    const bool is_natural = value.is_number_unsigned() || (value.is_number_integer() && value.get<std::int64_t>() >= 0);
    if (!is_natural || !std::in_range<T>(value.get<std::uint64_t>())) {
        throw Error{ErrorCode::CorruptData, std::string{member} + " is not a whole number in its range"};
    }
    return value.get<T>();
}

/// VMs of before they were there have none.
RateLimits rates_of(const nlohmann::json& json)
{
    const auto bytes = [&json](const char* key) {
        return json.contains(key) ? ByteSize{whole_number<std::uint64_t>(json, key)} : ByteSize{};
    };
    const auto operations = json.contains("disk_iops") ? whole_number<std::uint32_t>(json, "disk_iops") : 0U;
    return {bytes("disk_rate"), operations, bytes("network_rate")};
}

}  // namespace

std::string_view to_string(VmmChoice choice) noexcept { return vmm_names[static_cast<std::size_t>(choice)]; }
std::string_view to_string(NetworkChoice choice) noexcept { return network_names[static_cast<std::size_t>(choice)]; }
std::string_view to_string(StorageChoice choice) noexcept { return storage_names[static_cast<std::size_t>(choice)]; }
VmmChoice parse_vmm(std::string_view text) { return parse_choice<VmmChoice>("VMM", text, vmm_names); }
NetworkChoice parse_network(std::string_view text)
{
    return parse_choice<NetworkChoice>("network", text, network_names);
}
StorageChoice parse_storage(std::string_view text)
{
    return parse_choice<StorageChoice>("storage", text, storage_names);
}

nlohmann::json to_json(const VmSpec& spec)
{
    nlohmann::json json{{"name", spec.name.str()},
                        {"image", spec.image},
                        {"image_digest", spec.image_digest.str()},
                        {"kernel", spec.kernel},
                        {"kernel_digest", spec.kernel_digest.str()},
                        {"vcpus", spec.vcpus},
                        {"memory_mib", spec.memory_mib},
                        {"disk_bytes", spec.disk.bytes()},
                        {"vmm", to_string(spec.vmm)},
                        {"network", to_string(spec.network)},
                        {"nat", spec.nat == Nat::On},
                        {"storage", to_string(spec.storage)},
                        {"overlay_bytes", spec.overlay.bytes()},
                        {"allow_host_loopback", spec.loopback == LoopbackPolicy::Allowed},
                        {"disk_rate", spec.rates.disk.bytes()},
                        {"disk_iops", spec.rates.disk_operations},
                        {"network_rate", spec.rates.network.bytes()},
                        {"remove_on_stop", spec.on_stop == StopPolicy::Remove},
                        {"home_in_image", spec.home == HomePlace::Image},
                        {"autostart", spec.autostart == Autostart::On}};
    if (spec.image_config) {
        json["image_config"] = to_json(*spec.image_config);
    }
    return json;
}

VmSpec vm_spec_of(const nlohmann::json& json)
{
    try {
        return VmSpec{
            .name = VmName::parse(json.at("name").get<std::string>()),
            .image = json.at("image").get<std::string>(),
            .image_digest = Digest::parse(json.at("image_digest").get<std::string>()),
            .kernel = json.at("kernel").get<std::string>(),
            .kernel_digest = Digest::parse(json.at("kernel_digest").get<std::string>()),
            .vcpus = whole_number<std::uint32_t>(json, "vcpus"),
            .memory_mib = whole_number<std::uint32_t>(json, "memory_mib"),
            .disk = ByteSize{whole_number<std::uint64_t>(json, "disk_bytes")},
            .vmm = parse_vmm(json.at("vmm").get<std::string>()),
            .network = parse_network(json.at("network").get<std::string>()),
            .nat = json.value("nat", false) ? Nat::On : Nat::Off,
            .storage = parse_storage(json.value("storage", "file")),  // VMs of before there was another
            .overlay = json.contains("overlay_bytes") ? ByteSize{whole_number<std::uint64_t>(json, "overlay_bytes")}
                                                      : default_overlay,
            .loopback = json.at("allow_host_loopback").get<bool>() ? LoopbackPolicy::Allowed : LoopbackPolicy::Shielded,
            .rates = rates_of(json),
            .on_stop = json.at("remove_on_stop").get<bool>() ? StopPolicy::Remove : StopPolicy::Keep,
            .home = json.value("home_in_image", false) ? HomePlace::Image : HomePlace::WorkDisk,
            .autostart = json.value("autostart", false) ? Autostart::On : Autostart::Off,
            .image_config =
                json.contains("image_config") ? std::optional{image_config_of(json.at("image_config"))} : std::nullopt,
        };
    } catch (const nlohmann::json::exception& problem) {
        throw Error{ErrorCode::CorruptData, std::string{"a VM's description is damaged: "} + problem.what()};
    } catch (const Error& problem) {
        throw Error{ErrorCode::CorruptData, std::string{"a VM's description is damaged: "} + problem.what()};
    }
}

nlohmann::json to_json(const std::vector<Forward>& forwards)
{
    auto list = nlohmann::json::array();
    for (const auto& forward : forwards) {
        list.push_back({{"address", forward.address}, {"port", forward.port}, {"guest_port", forward.guest_port}});
    }
    return list;
}

std::vector<Forward> forwards_of(const nlohmann::json& json)
{
    if (!json.is_array()) {
        throw Error{ErrorCode::CorruptData, "the forwards of a VM are no list"};
    }
    std::vector<Forward> forwards;
    try {
        for (const auto& one : json) {
            forwards.push_back({one.at("address").get<std::string>(), whole_number<std::uint16_t>(one, "port"),
                                whole_number<std::uint16_t>(one, "guest_port")});
        }
    } catch (const nlohmann::json::exception& problem) {
        throw Error{ErrorCode::CorruptData, std::string{"a forward of a VM is damaged: "} + problem.what()};
    }
    return forwards;
}

}  // namespace banger::agent
