// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <array>
#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "common/ids.hpp"
#include "common/size.hpp"

namespace banger::broker {

/// The caller's own word for a sandbox, unique within its uid. Shape: [a-z0-9-]{1,32}
class SandboxId {
public:
    /// Throws InvalidArgument.
    static SandboxId parse(std::string_view text);
    const std::string& str() const noexcept { return text_; }
    auto operator<=>(const SandboxId&) const = default;

private:
    explicit SandboxId(std::string text) : text_{std::move(text)} {}
    std::string text_;
};

/// A sandbox of this machine.
struct SandboxKey {
    uid_t uid;
    SandboxId id;
    /// Shape: UID-ID. A dm node's UUID is BANGER-UID-ID.
    std::string str() const { return std::to_string(uid) + '-' + id.str(); }
    /// The reverse of str(). Throws InvalidArgument.
    static SandboxKey parse(std::string_view text);

    /// How each kernel object of the sandbox is marked as ours: the node's name, the TAP's altname, the loops' file name.
    static constexpr std::string_view mark_prefix = "banger-";
    std::string mark() const { return std::string{mark_prefix} + str(); }
    /// The reverse of mark(). Throws InvalidArgument, also without the prefix.
    static SandboxKey parse_mark(std::string_view mark);
    auto operator<=>(const SandboxKey&) const = default;
};

/// Where a sandbox is on its way, as the journal has it before the kernel follows. What is not Stopped or Running when the broker
/// starts was cut off. Making: its file isn't whole yet, be it new or a copy.
enum class Phase { Stopped, Starting, Running, Stopping, Making, Destroying };

enum class Nat { Off, On };

/// All that the journal keeps of a sandbox.
struct SandboxRecord {
    SandboxKey key;
    std::string user;         ///< the uid's name at creation: one that has changed since may be another person (R32)
    std::string base_digest;  ///< as Digest::str(); empty: no disk
    ByteSize cow_limit;       ///< 0: no disk
    std::uint32_t slot;       ///< which of the address pool's networks
    Phase phase{Phase::Stopped};
    bool network{false};  ///< has a TAP while it runs
    Nat nat{Nat::Off};
    std::string name{};  ///< published, without ".vm"; or empty
    /// When it was found that its uid is no longer this user's (R32): it is nobody's from then on. The epoch: its uid is.
    std::chrono::sys_seconds left{};

    bool has_disk() const noexcept { return cow_limit.bytes() != 0; }
    /// Its file may or may not be there, and it is to be destroyed unless somebody is at it. Of all others record and file belong together.
    bool is_half() const noexcept { return phase == Phase::Making || phase == Phase::Destroying; }
    bool is_left() const noexcept { return left != std::chrono::sys_seconds{}; }
};

/// One TAP's network: a /30 of the pool, the host's end first.
struct SandboxNetwork {
    std::string tap;                  ///< interface name: "bgr" and the slot's number
    std::string altname;              ///< "banger-UID-ID": tells ours from a stranger's bgrN
    uid_t uid;                        ///< may open the TAP
    std::uint32_t gateway;            ///< IPv4, host byte order
    std::uint32_t guest;              ///< alike
    std::array<std::uint8_t, 6> mac;  ///< the guest's
    Nat nat;
    static constexpr unsigned prefix = 30;
};

/// Dotted form of an address in host byte order.
std::string ipv4_text(std::uint32_t address);
/// Shape: xx:xx:xx:xx:xx:xx
std::string mac_text(const std::array<std::uint8_t, 6>& mac);

}  // namespace banger::broker
