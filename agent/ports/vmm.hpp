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
    enum class Kind { None, StreamSocket } kind{Kind::None};
    std::string path{};  ///< StreamSocket: of what carries its frames, relative to the VM's folder
    std::string mac{};
};

/// All that a VMM is told. Its files are in the VM's folder under fixed names (vm_folder.hpp), so that no path is absolute.
struct VmmConfig {
    std::string name;
    std::uint32_t vcpus;
    std::uint32_t memory_mib;
    std::string kernel_arguments;
    enum class Disks { All, None } disks;  ///< None: the KVM probe
    VmmNetwork network;
};

/// Sockets that bangerd binds before the VMM starts, so that nobody waits for them to appear.
struct VmmSockets {
    UniqueFd guest;    ///< listening; becomes the VMM's standard input
    UniqueFd control;  ///< listening; becomes its standard output
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

    /// Asks the VMM to leave at once, in order (flushing what it holds).
    virtual void quit() = 0;
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
    /// Binds the sockets of a VM that is to start.
    virtual VmmSockets listen(const std::filesystem::path& folder) const = 0;
    /// The program and its arguments. Throws HostLacks naming the package.
    virtual std::vector<std::string> command(const VmmConfig& config) const = 0;
    /// Kernel arguments that only this VMM needs.
    virtual std::string kernel_arguments() const = 0;
    virtual std::unique_ptr<VmmControl> attach(EventLoop& loop, const std::filesystem::path& folder) const = 0;
    /// A new connection to the guest's channel. Throws Unavailable.
    virtual UniqueFd connect_guest(const std::filesystem::path& folder) const = 0;
};

}  // namespace banger::agent
