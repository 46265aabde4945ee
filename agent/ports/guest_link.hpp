// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "agent/core/task.hpp"
#include "agent/ports/guest_network.hpp"
#include "agent/ports/host_names.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {

using Bytes = std::vector<std::uint8_t>;

/// What a guest is told before it says that it is ready.
struct GuestSettings {
    GuestNetwork network;
    std::vector<std::string> authorized_keys;
    /// a guest that says it is ready is left as it was configured; the rest is then for one that isn't
    bool keep{false};
};

/// A command to run in the guest; as in Vm.Exec (dbus/dev.banger.Agent1.xml).
struct GuestCommand {
    std::vector<Bytes> argv;
    std::vector<Bytes> env;
    Bytes cwd;
    std::string user;
    bool terminal{false};
    bool detached{false};
    std::uint16_t rows{0};
    std::uint16_t columns{0};
    int stop_signal{0};  ///< what ends it in order where the guest shuts down; 0: the usual one
};

/// The client's ends of a running command.
struct GuestCommandEnds {
    UniqueFd input;
    UniqueFd output;
    UniqueFd error;
    UniqueFd control;
};

/// The client's ends of a copy.
struct GuestCopyEnds {
    UniqueFd stream;
    UniqueFd control;
};

enum class GuestGoodbye { PowerOff, Reboot };

/// What comes from the guest by itself. Calls on the loop's thread, never from inside a call to the link.
struct GuestLinkEvents {
    std::function<void()> ready;
    std::function<void(GuestGoodbye)> goodbye;
    std::function<void(std::string why)> failed;  ///< the guest says that it can't boot
};

/// The channel to banger-guest in one VM. It reconnects by itself for as long as it lives. Loop thread. A guest is not trusted:
/// whatever it sends ends in an Error at most.
class GuestLink {
public:
    GuestLink() = default;
    GuestLink(const GuestLink&) = delete;
    GuestLink& operator=(const GuestLink&) = delete;
    virtual ~GuestLink() = default;

    /// All throw Unavailable while the guest does not answer.
    virtual Task<GuestCommandEnds> exec(GuestCommand command) = 0;
    virtual Task<UniqueFd> connect(std::string host, std::uint16_t port) = 0;
    /// As connect(), for a stream socket that a client has already: non-blocking, and closed where that fails.
    virtual Task<void> join(std::string host, std::uint16_t port, UniqueFd client) = 0;
    virtual Task<GuestCopyEnds> copy_in(Bytes directory) = 0;
    virtual Task<GuestCopyEnds> copy_out(Bytes path) = 0;
    /// `what` and the answer's members: banger-guest(7). Throws InvalidArgument, NotFound.
    virtual Task<nlohmann::json> query(std::string what, Bytes argument) = 0;
    /// From now on the guest finds these machines as NAME.vm, in place of those of before, also after it was booted anew. What goes wrong
    /// is the guest's loss alone.
    virtual void tell_names(std::vector<HostName> names) = 0;
    /// Its clock may be wrong, as this host has slept: it is told what time it is, as soon as it hears. What goes wrong is the guest's loss alone.
    virtual void tell_time() = 0;
    /// When a stream was open last: now, while there is one. Not before the guest was ready.
    virtual std::chrono::steady_clock::time_point last_use() const noexcept = 0;
    /// Asks for a clean shutdown; comes back when the guest has heard it. Throws TimedOut.
    virtual Task<void> shut_down(std::chrono::milliseconds limit) = 0;
    /// The last goodbye. Once its VMM has ended: also one that was on its way still, of which `goodbye` has not told.
    virtual std::optional<GuestGoodbye> last_goodbye() = 0;
};

class GuestLinks {
public:
    GuestLinks() = default;
    GuestLinks(const GuestLinks&) = delete;
    GuestLinks& operator=(const GuestLinks&) = delete;
    virtual ~GuestLinks() = default;
    virtual std::unique_ptr<GuestLink> open(GuestDoor door, GuestSettings settings, GuestLinkEvents events) = 0;
};

}  // namespace banger::agent
