// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/firecracker_driver.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "agent/core/vm/log_tail.hpp"
#include "agent/core/vm/vm_folder.hpp"
#include "agent/system/firecracker_start.hpp"
#include "agent/system/guest_doors.hpp"
#include "agent/system/subprocess.hpp"

namespace banger::agent {
namespace {

UniqueFd open_file(const std::filesystem::path& path, int flags)
{
    UniqueFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC | flags, 0600)};
    if (!file) {
        throw errno_error("can't write " + path.string(), errno);
    }
    return file;
}

/// It opens its log and its metrics to read and write, and binds its sockets itself; its guest's calls go to one that bangerd listens on.
VmmNeeds::Network network_of(const VmmNetwork& network)
{
    if (network.kind != VmmNetwork::Kind::Tap) {
        return VmmNeeds::Network::None;
    }
    return network.namespace_holder == 0 ? VmmNeeds::Network::Host : VmmNeeds::Network::Given;
}

VmmNeeds needs_of(const VmmConfig& config)
{
    VmmNeeds needs{.read = {vm_folder::kernel, vm_folder::initrd},
                   .write = {vm_folder::firecracker_log, vm_folder::firecracker_metrics},
                   .devices = {"/dev/kvm"},
                   .sockets = VmmNeeds::Sockets::Own,
                   .network = network_of(config.network)};
    if (config.disks == VmmConfig::Disks::All) {
        needs.read.emplace_back(vm_folder::modules_disk);
        needs.write.insert(needs.write.end(), {vm_folder::root_disk, vm_folder::work_disk});
    }
    if (config.network.kind == VmmNetwork::Kind::Tap) {
        needs.devices.emplace_back("/dev/net/tun");
    }
    return needs;
}

/// Firecracker has no command to leave by, and needs none: what its guest wrote is the kernel's, and a signal ends it.
class Control final : public VmmControl {
public:
    explicit Control(std::filesystem::path folder) : folder_{std::move(folder)} {}

    bool quit() override { return false; }
    bool is_stuck() const override { return false; }  // it passes a full disk on to the guest, as an I/O error
    void go_on() override {}
    /// A reset is all that ends it in order, and its last line then says so.
    std::optional<GuestEnd> guest_end() override
    {
        const auto end = tail_of_log(folder_ / vm_folder::firecracker_log);
        const bool in_order = end.find("Firecracker exiting successfully") != std::string::npos;
        return in_order ? std::optional{GuestEnd::Reset} : std::nullopt;
    }

private:
    std::filesystem::path folder_;
};

}  // namespace

std::string_view FirecrackerDriver::log_name() const noexcept { return vm_folder::firecracker_log; }

/// It binds its sockets itself, and refuses when there is something in their place; its log and metrics must be there, are written from the
/// start of the file, and it never appends (1.12, logging.rs). So standard error, which is little, goes to the console's log.
VmmStreams FirecrackerDriver::prepare(const std::filesystem::path& folder) const
{
    for (const auto* socket : {vm_folder::guest_socket, vm_folder::control_socket}) {
        if (::unlink((folder / socket).c_str()) < 0 && errno != ENOENT) {
            throw errno_error("can't remove " + (folder / socket).string(), errno);
        }
    }
    const auto log = folder / vm_folder::firecracker_log;
    ::rename(log.c_str(), (log.string() + ".1").c_str());  // none: the first start
    open_file(log, O_TRUNC);
    open_file(folder / vm_folder::firecracker_metrics, O_TRUNC);
    return {.output = open_file(folder / vm_folder::console_log, O_APPEND), .error_log = vm_folder::console_log};
}

std::vector<std::string> FirecrackerDriver::command(const VmmConfig& config) const
{
    std::vector<std::string> words;
    if (config.network.namespace_holder > 0) {
        // The TAP is there, and Firecracker opens it by name. It stays the same user, without capabilities.
        words = {find_program("nsenter").string(),
                 "--preserve-credentials",
                 "--user",
                 "--net",
                 "--target",
                 std::to_string(config.network.namespace_holder),
                 "--"};
    }
    if (confine_) {  // inside: from where it is confined no way leads into a namespace
        const auto more = confine_(needs_of(config));
        words.insert(words.end(), more.begin(), more.end());
    }
    words.insert(words.end(), {program_().string(), "--id", config.name, "--api-sock", vm_folder::control_socket,
                               "--log-path", vm_folder::firecracker_log, "--level", "Info"});
    return words;
}

std::string FirecrackerDriver::kernel_arguments() const
{
    // Only a reset ends Firecracker, and by the keyboard controller it resets at once (lab.md of the design, measured with 1.12.1).
    return std::string{
               " reboot=k banger.poweroff=reset banger.root=/dev/vda banger.work=/dev/vdb banger.modules=/dev/vdc "
               "banger.channel="} +
           firecracker_channel;
}

Task<void> FirecrackerDriver::boot(EventLoop& loop, std::filesystem::path folder, VmmConfig config, int process) const
{
    return start_firecracker(loop, std::move(folder), std::move(config), process);
}

Task<bool> FirecrackerDriver::has_booted(EventLoop& loop, std::filesystem::path folder) const
{
    return firecracker_has_booted(loop, std::move(folder));
}

std::unique_ptr<VmmControl> FirecrackerDriver::attach(EventLoop&, const std::filesystem::path& folder) const
{
    return std::make_unique<Control>(folder);
}

GuestDoor FirecrackerDriver::guest_door(const std::filesystem::path& folder) const
{
    return firecracker_guest_door(folder);
}

}  // namespace banger::agent
