// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/task.hpp"
#include "agent/core/vm/vm_record.hpp"
#include "common/ids.hpp"
#include "common/size.hpp"

namespace banger::agent {

/// Whether polkit may ask the user, which can take minutes. What he asked for himself may; what banger chooses never does.
enum class Prompt { Never, Allowed };

/// What a sandbox's disk begins as.
struct SandboxBase {
    std::filesystem::path file;  ///< opened here, read-only; the broker gets the descriptor
    Digest digest;
};

enum class SandboxNetwork { None, Tap };

/// What a started sandbox has.
struct StartedSandbox {
    std::string disk{};  ///< absolute path of the block device; empty without a disk
    std::string tap{};   ///< name of the interface; empty without a network, and so are the next
    std::string guest_address{};
    std::string gateway{};
    unsigned prefix{0};
    std::string mac{};
};

/// A sandbox of this user's, as the broker lists it.
struct SandboxRow {
    std::string id;
    /// Held: its writes wait for room. Broken: its I/O fails, as the host could not write its file.
    enum class State { Stopped, Running, Held, Broken } state{State::Stopped};
    Nat nat{Nat::Off};
    std::string name{};    ///< without ".vm", by which the host finds the guest; or empty
    ByteSize used{};       ///< of the allocated; 0 while stopped
    ByteSize allocated{};  ///< what its copy-on-write file takes on the host
    ByteSize limit{};      ///< what it may come to; 0: it has no disk
    bool operator==(const SandboxRow&) const = default;
};

/// How the broker is found to be.
struct BrokerReport {
    enum class State {
        Ready,    ///< it answers, and this user may have sandboxes without being asked
        Refuses,  ///< it answers, and polkit would ask or says no
        Missing,  ///< not installed, or there is no system bus
        Old,      ///< it does not know what this bangerd asks for
        Failing,  ///< it is there and does not answer as it should
    } state;
    std::string detail;                   ///< a sentence
    std::vector<SandboxRow> sandboxes{};  ///< all of this user's
};

/// banger-broker, which does as root what a user can't (dbus/dev.banger.Broker1.xml). Loop thread.
/// All throw HostLacks (there is no broker, or an old one), Unavailable (it went away in the middle), TimedOut, NotAuthorized (the
/// sentence names who may), and what the interface says of each.
class Broker {
public:
    Broker() = default;
    Broker(const Broker&) = delete;
    Broker& operator=(const Broker&) = delete;
    virtual ~Broker() = default;

    /// `overlay`: what its copy-on-write file may come to; without a base there is none. `nat`: has it from the beginning, so that a person is
    /// asked once for both. Throws AlreadyExists, QuotaExceeded, NoSpace.
    virtual Task<void> create(std::string id, std::optional<Digest> base, ByteSize overlay, Nat nat, Prompt prompt) = 0;
    /// Throws NotFound, WrongState (it runs), InUse, NoSpace.
    virtual Task<StartedSandbox> start(std::string id, std::optional<SandboxBase> base, SandboxNetwork network) = 0;
    /// Throws NotFound, InUse (its disk is open).
    virtual Task<void> stop(std::string id) = 0;
    /// Throws NotFound, InvalidArgument (smaller), QuotaExceeded, NoSpace.
    virtual Task<void> grow(std::string id, ByteSize overlay) = 0;
    virtual Task<void> set_nat(std::string id, Nat nat, Prompt prompt) = 0;
    /// Throws NotFound, InUse.
    virtual Task<void> destroy(std::string id) = 0;
    /// All of this user's, those of other state folders too.
    virtual Task<std::vector<SandboxRow>> list() = 0;
    /// From now on the host finds `address` by the name NAME.vm, which is asked for here: at `gateway`, the host's end of the sandbox's network.
    /// Throws AlreadyExists (the name is taken), HostLacks (nobody routes names), WrongState (it does not run).
    virtual Task<void> publish(std::string id, std::string name, std::string gateway, std::string address) = 0;
    /// Answers for this name no more; the host's part of it goes with the network.
    virtual void forget_name(const std::string& name) noexcept = 0;
    /// For `banger doctor`; never throws, changes nothing.
    virtual Task<BrokerReport> examine() = 0;
    /// `call`: a sandbox may have changed by itself. A hint: what holds, list() says.
    virtual void on_change(std::function<void()> call) = 0;
};

}  // namespace banger::agent
