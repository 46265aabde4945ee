// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/task.hpp"
#include "agent/core/vm/vm_record.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {

/// How a guest's network card is backed.
struct VmmNetwork {
    enum class Kind { None, StreamSocket, Tap } kind{Kind::None};
    std::string path{};  ///< StreamSocket: of what carries its frames, relative to the VM's folder
    std::string mac{};
    std::string tap{};  ///< Tap: the device's name
    int namespace_holder{
        0};  ///< Tap: pid of a process in whose user and network namespace the device is; 0: the host's
};

/// All that a VMM is told. Its files are in the VM's folder under fixed names (vm_folder.hpp), so that no path is absolute.
struct VmmConfig {
    std::string name;
    std::uint32_t vcpus;
    std::uint32_t memory_mib;
    std::string kernel_arguments;
    enum class Disks { All, None } disks;  ///< None: the KVM probe
    VmmNetwork network;
    RateLimits rates{};
};

/// What a VMM starts with. A VMM that takes listening sockets gets them here, so that nobody waits for them to appear.
struct VmmStreams {
    UniqueFd input{};            ///< none: /dev/null
    UniqueFd output{};           ///< none: the log
    std::string_view error_log;  ///< file in the VM's folder to which its standard error is appended
};

/// The way to a guest's end of the channel.
struct GuestDoor {
    std::function<UniqueFd()> connect;  ///< a new connection; throws Unavailable
    /// Listening: a guest that has just come to its end of the channel connects and leaves again. None: connect() always works.
    UniqueFd knocks{};
};

/// How the VMM says that the guest went down.
enum class GuestEnd { PowerOff, Reset };

/// The control connection to one running VMM. Loop thread. Gone connections are no error: the process watch tells the end.
class VmmControl {
public:
    VmmControl() = default;
    VmmControl(const VmmControl&) = delete;
    VmmControl& operator=(const VmmControl&) = delete;
    virtual ~VmmControl() = default;

    /// Asks the VMM to leave at once, in order (flushing what it holds). False: it can't be asked, and holds nothing.
    virtual bool quit() = 0;
    /// The VMM has stopped the guest, as the host's disk is full; go_on() lets it try again.
    virtual bool is_stuck() const = 0;
    virtual void go_on() = 0;
    /// What the VMM said of the guest's end, with what is still unread of it; nullopt while nothing was said.
    virtual std::optional<GuestEnd> guest_end() = 0;
};

/// One kind of VMM.
class Vmm {
public:
    Vmm() = default;
    Vmm(const Vmm&) = delete;
    Vmm& operator=(const Vmm&) = delete;
    virtual ~Vmm() = default;

    /// As in VmRecord::vmm.
    virtual std::string_view name() const noexcept = 0;
    /// The kind of user-mode network that it takes; a TAP of the broker's, which is the host's, each of them takes.
    virtual VmmNetwork::Kind network_kind() const noexcept = 0;
    /// What it says itself: a file in the VM's folder.
    virtual std::string_view log_name() const noexcept = 0;
    /// Readies the folder of a VM that is to start, and binds its sockets. Throws NoSpace, Failed.
    virtual VmmStreams prepare(const std::filesystem::path& folder) const = 0;
    /// The program and its arguments. Throws HostLacks naming the package.
    virtual std::vector<std::string> command(const VmmConfig& config) const = 0;
    /// Kernel arguments that only this VMM needs: above all, where the guest finds its disks and its channel.
    virtual std::string kernel_arguments() const = 0;
    /// Lets a VMM that has just been started boot its guest. `process` (a pidfd) stays the caller's: the VMM's end, at any step, is
    /// seen at once. Throws Failed (with what the VMM says), TimedOut.
    virtual Task<void> boot(EventLoop& loop, std::filesystem::path folder, VmmConfig config, int process) const = 0;
    /// False: it was started and never came to boot(), as bangerd was killed in between.
    virtual Task<bool> has_booted(EventLoop& loop, std::filesystem::path folder) const = 0;
    virtual std::unique_ptr<VmmControl> attach(EventLoop& loop, const std::filesystem::path& folder) const = 0;
    virtual GuestDoor guest_door(const std::filesystem::path& folder) const = 0;
};

}  // namespace banger::agent
