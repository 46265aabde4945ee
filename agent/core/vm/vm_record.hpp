// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/image/image_config.hpp"
#include "agent/core/vm/vm_state.hpp"
#include "common/ids.hpp"
#include "common/size.hpp"

namespace banger::agent {

enum class VmmChoice { Auto, Firecracker, QemuKvm, QemuTcg };
enum class NetworkChoice { Auto, User, None, Tap };
enum class StorageChoice { Auto, File, DmSnapshot };
enum class Nat { Off, On };
enum class LoopbackPolicy { Shielded, Allowed };  ///< of all addresses that the host has
enum class StopPolicy { Keep, Remove };
/// Whether `vm start --marked` starts it, as the user's session or the machine does when it comes up.
enum class Autostart { Off, On };
/// Where /root is: on the work disk, or in the image itself, as for a VM that is to become an image.
enum class HomePlace { WorkDisk, Image };

std::string_view to_string(VmmChoice choice) noexcept;
std::string_view to_string(NetworkChoice choice) noexcept;
std::string_view to_string(StorageChoice choice) noexcept;
/// Throws InvalidArgument that lists the words there are.
VmmChoice parse_vmm(std::string_view text);
NetworkChoice parse_network(std::string_view text);
StorageChoice parse_storage(std::string_view text);

inline constexpr auto default_overlay = 16 * gib;

/// What a VM may move in a second, one-way each; 0: as much as it can.
struct RateLimits {
    ByteSize disk{};                  ///< of each disk, reads and writes together
    std::uint32_t disk_operations{};  ///< the same, counted
    ByteSize network{};               ///< in each direction; Firecracker alone has it
};

/// What the user asked for; checked, complete, and fixed but for `vm set`.
struct VmSpec {
    VmName name;
    std::string image;  ///< its name when the VM was made
    Digest image_digest;
    std::string kernel;
    Digest kernel_digest;
    std::uint32_t vcpus;
    std::uint32_t memory_mib;
    ByteSize disk;  ///< the work disk
    VmmChoice vmm{VmmChoice::Auto};
    NetworkChoice network{NetworkChoice::Auto};
    Nat nat{Nat::Off};  ///< with a TAP alone: whether the guest reaches more than the host
    StorageChoice storage{
        StorageChoice::Auto};           ///< of the root disk; Auto only until it is made, from then on what it is
    ByteSize overlay{default_overlay};  ///< what a dm-snapshot may come to on the host
    LoopbackPolicy loopback{LoopbackPolicy::Shielded};
    RateLimits rates{};
    StopPolicy on_stop{StopPolicy::Keep};
    HomePlace home{HomePlace::WorkDisk};
    Autostart autostart{Autostart::Off};
    std::optional<ImageConfig> image_config{};  ///< of a pulled image: as it was when the VM was made
};

/// A process that outlives bangerd, named so that a reused pid is not mistaken for it.
struct ProcessId {
    std::int32_t pid{0};          ///< 0: none
    std::uint64_t start_time{0};  ///< clock ticks since boot, field 22 of /proc/PID/stat, proc(5)
    std::string unit{};           ///< of the user's systemd; empty without one
    explicit operator bool() const noexcept { return pid > 0; }
};

/// A TCP port of this host that leads into a guest.
struct Forward {
    std::string address;  ///< of this host, numeric
    std::uint16_t port{0};
    std::uint16_t guest_port{0};  ///< of the guest's loopback
    bool operator==(const Forward&) const = default;
};

/// A row of the database.
struct VmRecord {
    VmId id;
    VmSpec spec;
    VmState state{VmState::Creating};
    std::string reason{};   ///< why it is failed, or what was odd about its last end; empty else
    std::string vmm{};      ///< what runs it: firecracker, qemu-kvm or qemu-tcg; empty while stopped
    std::string network{};  ///< user, tap or none; empty while stopped
    std::string address{};  ///< the guest's IPv4 address; empty while stopped or without a network
    ProcessId process{};
    std::int64_t created{0};  ///< seconds since 1970
    std::int64_t started{0};
    /// The broker has a sandbox of this VM's, or may have: written before it is asked for one.
    bool sandbox{false};
    Nat sandbox_nat{Nat::Off};        ///< what the broker was told last
    std::vector<Forward> forwards{};  ///< while it runs
};

/// The spec as JSON, for the database and for vm.json in the VM's folder.
nlohmann::json to_json(const VmSpec& spec);
/// Throws CorruptData naming the member that is wrong.
VmSpec vm_spec_of(const nlohmann::json& json);

/// Alike.
nlohmann::json to_json(const std::vector<Forward>& forwards);
std::vector<Forward> forwards_of(const nlohmann::json& json);

}  // namespace banger::agent
