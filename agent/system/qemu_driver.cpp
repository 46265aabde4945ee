// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/qemu_driver.hpp"

#include "agent/core/vm/log_tail.hpp"
#include "agent/core/vm/vm_folder.hpp"
#include "agent/system/guest_doors.hpp"
#include "agent/system/host_tsc.hpp"
#include "agent/system/qmp_client.hpp"
#include "agent/system/subprocess.hpp"
#include "agent/system/unix_socket.hpp"

namespace banger::agent {
namespace {

using Words = std::vector<std::string>;

void add(Words& words, std::initializer_list<std::string> more) { words.insert(words.end(), more); }

enum class DiskAccess { ReadOnly, ReadWrite };

void add_disk(Words& words, const std::string& serial, const std::string& file, DiskAccess access,
              const RateLimits& rates = {})
{
    // cache=writeback honours the guest's flushes (fdatasync); "unsafe" would lose what a guest had synced.
    const bool writable = access == DiskAccess::ReadWrite;
    const auto limit = [](const char* key, std::uint64_t value) {
        return value > 0 ? std::string{",throttling."} + key + "=" + std::to_string(value) : std::string{};
    };
    add(words, {"-drive",
                "if=none,format=raw,id=" + serial + ",file=" + file +
                    (writable ? ",cache=writeback,discard=unmap" : ",readonly=on") +
                    limit("bps-total", rates.disk.bytes()) + limit("iops-total", rates.disk_operations),
                "-device", "virtio-blk-device,drive=" + serial + ",serial=" + serial});
}

}  // namespace

std::string_view QemuDriver::name() const noexcept
{
    return accelerator_ == QemuAccelerator::Kvm ? "qemu-kvm" : "qemu-tcg";
}

/// Its listening sockets and its log are descriptors, so they need nothing.
VmmNeeds QemuDriver::needs_of(const VmmConfig& config) const
{
    VmmNeeds needs{.read = {vm_folder::kernel, vm_folder::initrd}, .append = {vm_folder::console_log}};
    if (config.disks == VmmConfig::Disks::All) {
        needs.read.emplace_back(vm_folder::modules_disk);
        needs.write = {vm_folder::root_disk, vm_folder::work_disk};
    }
    if (accelerator_ == QemuAccelerator::Kvm) {
        needs.devices.emplace_back("/dev/kvm");
    }
    if (config.network.kind == VmmNetwork::Kind::Tap) {
        needs.devices.emplace_back("/dev/net/tun");
    }
    if (config.network.kind == VmmNetwork::Kind::StreamSocket) {
        needs.connect = config.network.path;
    }
    return needs;
}

Words QemuDriver::command(const VmmConfig& config) const
{
    const bool kvm = accelerator_ == QemuAccelerator::Kvm;
    Words words = confine_ ? confine_(needs_of(config)) : Words{};
    words.push_back(find_program("qemu-system-x86_64").string());
    add(words, {"-name", config.name, "-M", "microvm,acpi=on,rtc=on,isa-serial=on,pic=off,pit=off"});
    add(words, {"-accel", kvm ? "kvm" : "tcg,thread=multi", "-cpu", kvm ? "host" : "max"});
    add(words, {"-smp", std::to_string(config.vcpus), "-m", std::to_string(config.memory_mib) + "M"});
    add(words, {"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"});
    add(words, {"-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"});
    add(words, {"-kernel", vm_folder::kernel, "-initrd", vm_folder::initrd, "-append", config.kernel_arguments});
    add(words, {"-chardev", std::string{"file,id=console,append=on,path="} + vm_folder::console_log, "-serial",
                "chardev:console"});
    // 0 and 1 are listening sockets that bangerd bound (VmmStreams): there is nothing to wait for.
    add(words, {"-chardev", "socket,id=control,fd=1,server=on,wait=off", "-mon", "chardev=control,mode=control"});
    add(words, {"-device", "virtio-serial-device,max_ports=2", "-chardev", "socket,id=guest,fd=0,server=on,wait=off",
                "-device", "virtserialport,chardev=guest,name=dev.banger.guest"});
    if (config.disks == VmmConfig::Disks::All) {
        add_disk(words, "root", vm_folder::root_disk, DiskAccess::ReadWrite, config.rates);
        add_disk(words, "work", vm_folder::work_disk, DiskAccess::ReadWrite, config.rates);
        add_disk(words, "modules", vm_folder::modules_disk, DiskAccess::ReadOnly);
    }
    add(words, {"-object", "rng-random,id=rng,filename=/dev/urandom", "-device", "virtio-rng-device,rng=rng"});
    add(words, {"-device", "virtio-balloon-device,free-page-reporting=on"});
    if (config.network.kind == VmmNetwork::Kind::StreamSocket) {
        // A confined one can call no socket, and finds the connection there.
        const auto address =
            confine_ ? std::string{"fd,addr.str="} + confined_connection : "unix,addr.path=" + config.network.path;
        add(words, {"-netdev", "stream,id=net,server=off,addr.type=" + address, "-device",
                    "virtio-net-device,netdev=net,mac=" + config.network.mac});
    } else if (config.network.kind == VmmNetwork::Kind::Tap) {
        // The broker's, made and configured already, and owned by this user: nothing is to be run for it.
        add(words, {"-netdev", "tap,id=net,ifname=" + config.network.tap + ",script=no,downscript=no,vhost=off",
                    "-device", "virtio-net-device,netdev=net,mac=" + config.network.mac});
    }
    return words;
}

std::string QemuDriver::kernel_arguments() const
{
    std::string devices =
        " banger.root=serial=root banger.work=serial=work banger.modules=serial=modules banger.channel=virtio-serial";
    if (accelerator_ == QemuAccelerator::Kvm) {
        return devices;
    }
    // Speculation barriers cost much under emulation, where there is no speculation to guard against.
    // This machine has no other clock than the TSC, which under TCG is the host's (QEMU 7.2, cpu_get_host_ticks). Left to itself the
    // kernel (6.1) doesn't trust it with two CPUs, and then its time runs slow; on a busy host it can't even measure it, and hangs.
    return devices + " mitigations=off tsc=reliable tsc_early_khz=" + std::to_string(host_tsc_khz());
}

std::string_view QemuDriver::log_name() const noexcept { return vm_folder::qemu_log; }

VmmStreams QemuDriver::prepare(const std::filesystem::path& folder) const
{
    rotate_log(folder / vm_folder::qemu_log);
    return {listen_in(folder, vm_folder::guest_socket), listen_in(folder, vm_folder::control_socket),
            vm_folder::qemu_log};
}

std::unique_ptr<VmmControl> QemuDriver::attach(EventLoop& loop, const std::filesystem::path& folder) const
{
    return std::make_unique<QmpClient>(loop, connect_in(folder, vm_folder::control_socket));
}

GuestDoor QemuDriver::guest_door(const std::filesystem::path& folder) const { return qemu_guest_door(folder); }

}  // namespace banger::agent
