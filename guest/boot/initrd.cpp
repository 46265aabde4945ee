// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "common/error.hpp"
#include "guest/boot/block_devices.hpp"
#include "guest/boot/cmdline.hpp"
#include "guest/boot/guest_role.hpp"
#include "guest/boot/modules.hpp"
#include "guest/boot/mounts.hpp"
#include "guest/boot/power.hpp"
#include "guest/boot/roles.hpp"
#include "guest/boot/rooted.hpp"
#include "guest/boot/run_folders.hpp"
#include "guest/boot/say.hpp"
#include "guest/boot/systemd_units.hpp"
#include "guest/boot/work_disk.hpp"
#include "guest/setup/hostname.hpp"
#include "guest/setup/identity.hpp"

namespace banger::guest {
namespace {

constexpr const char* new_root = "/newroot";
constexpr const char* own_path = "/run/banger/banger-guest";
/// For a host to take a last message before the power goes.
constexpr std::chrono::milliseconds farewell_limit{3000};

/// Serves only hello and one event: for probes, and for boots that failed.
class InitrdRole : public GuestRole {
public:
    explicit InitrdRole(Loop& loop) : GuestRole{"initrd"}, loop_{loop} {}
    bool runs_commands() const override { return false; }
    void shut_down(wire::ShutdownKind /*kind*/) override { loop_.quit(); }

private:
    Loop& loop_;
};

/// Says `event` to the first host that comes, and gives it time to read; the host ends it sooner by a shutdown request.
void say_over_channel(const BootOptions& options, const std::function<wire::Control(GuestRole&)>& event)
try {
    Loop loop;
    InitrdRole role{loop};
    Server server{loop, role, open_channel(loop, options.channel)};
    server.when_synced([&] { server.announce(event(role)); });
    const auto limit = loop.after(farewell_limit, [&] { loop.quit(); });
    loop.run();
} catch (const Error& error) {
    say(error.what());
}

void open_console()
{
    const UniqueFd console{::open("/dev/console", O_RDWR | O_NOCTTY)};
    for (int fd = 0; console && fd <= 2; ++fd) {
        if (console.get() != fd) {
            ::dup2(console.get(), fd);
        }
    }
    if (console.get() <= 2) {
        (void)UniqueFd{console.get() < 0 ? -1 : ::dup(console.get())};
    }
}

void mount_kernel_interfaces()
{
    constexpr unsigned long quiet = MS_NOSUID | MS_NODEV;
    mount_kernel_fs("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
    mount_kernel_fs("proc", "/proc", quiet | MS_NOEXEC);
    mount_kernel_fs("sysfs", "/sys", quiet | MS_NOEXEC);
    mount_kernel_fs("tmpfs", "/run", quiet, "mode=0755");
}

/// Paths in the image.
using MountPoints = std::vector<std::string>;

/// Where modprobe looks: /lib/modules/RELEASE, wherever /lib leads in the image.
void mount_modules(BlockDevices& disks, const BootOptions& options, const Rooted& image, MountPoints& mounts)
{
    if (options.modules.empty()) {
        return;
    }
    utsname kernel{};
    ::uname(&kernel);
    const auto path = std::string{"/lib/modules/"} + kernel.release;
    const auto folder = image.make_folders(path);
    mounts.push_back(image.resolve(path).value_or(path));
    mount_disk(disks.wait_for(options.modules), fd_path(folder.get()), true);
}

void mount_work(BlockDevices& disks, const BootOptions& options, const Rooted& image, MountPoints& mounts)
{
    if (options.work.empty()) {
        return;
    }
    const auto target = image.make_folders("/root", 0700);
    mounts.push_back(image.resolve("/root").value_or("/root"));
    ::mkdir("/work", 0700);
    mount_disk(disks.wait_for(options.work), "/work", false);
    fill_work_disk("/work", fd_path(target.get()));
    if (::mount("/work", fd_path(target.get()).c_str(), nullptr, MS_MOVE, nullptr) != 0) {
        throw errno_error("The work disk can't be mounted at /root", errno);
    }
}

void copy_self()
{
    std::filesystem::create_directories(run_folder);
    std::filesystem::copy_file("/proc/self/exe", own_path, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::permissions(own_path, std::filesystem::perms{0755});
}

/// The program to go over to. An init that isn't systemd can't be told to start us, so we take its place.
std::string choose_init(const BootOptions& options, const Rooted& image)
{
    if (options.init == "guest") {
        return own_path;
    }
    const auto init = options.init == "auto" ? "/sbin/init" : options.init;
    for (const auto& candidate : {init, std::string{"/lib/systemd/systemd"}}) {
        const auto real = image.resolve(candidate);
        if (real && real->ends_with("/systemd")) {
            return candidate;
        }
        if (options.init != "auto") {
            if (!real) {
                throw Error{ErrorCode::NotFound, "The image has no " + init};
            }
            return candidate;
        }
    }
    return own_path;
}

void boot(const BootOptions& options, BlockDevices& disks, Stages& stages)
{
    if (options.root.empty()) {
        throw Error{ErrorCode::InvalidArgument, "The kernel command line has no banger.root="};
    }
    ::mkdir(new_root, 0755);
    mount_disk(disks.wait_for(options.root), new_root, false);
    const Rooted image{new_root};
    stages.reached("root");
    MountPoints mounts;
    mount_modules(disks, options, image, mounts);
    mount_work(disks, options, image, mounts);
    if (options.first_boot) {
        reset_identity(image);
    }
    set_hostname(options.hostname, image);
    copy_self();
    const auto init = choose_init(options, image);
    if (init != own_path) {
        write_systemd_units("/run", options.reset_to_power_off, mounts);
    } else {
        make_run_folders(image, "/run");  // systemd has tmpfiles.d(5) for them
    }
    stages.reached("switch-root");
    stages.save();
    switch_root(new_root, init);
}

}  // namespace

int run_initrd()
{
    BootOptions options;
    std::string failure;
    try {
        mount_kernel_interfaces();
        open_console();
        Stages stages;
        stages.reached("initrd");
        options = read_cmdline();
        BlockDevices disks;
        load_modules("/etc/banger/modules");
        stages.reached("modules");
        if (!options.probe) {
            boot(options, disks, stages);
        }
    } catch (const Error& error) {
        failure = error.what();
    } catch (const std::exception& error) {
        failure = error.what();
    }
    if (!failure.empty()) {
        say("this VM can't boot: " + failure);
    }
    say_over_channel(options, [&](GuestRole& role) -> wire::Control {
        if (failure.empty()) {
            return role.ready();
        }
        return wire::BootFailed{failure};
    });
    end_machine(wire::ShutdownKind::PowerOff, options.reset_to_power_off);
    return 1;
}

}  // namespace banger::guest
