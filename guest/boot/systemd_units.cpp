// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/systemd_units.hpp"

#include <array>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "common/error.hpp"

namespace banger::guest {
namespace {

// Early, with a truthful "ready": file systems are mounted, and the folders of tmpfiles.d are there; before that, what a command
// leaves in /tmp would be deleted again. The numbers are in guest/README.md. No Conflicts=shutdown.target: it says goodbye last, and
// systemd's final round ends it. KillMode=process: a crash of ours is none of a detached command.
constexpr const char* service = R"([Unit]
Description=Commands, files and forwards for banger on the host
DefaultDependencies=no
After=local-fs.target systemd-tmpfiles-setup.service systemd-tmpfiles-setup-dev.service systemd-remount-fs.service
StartLimitIntervalSec=0

[Service]
ExecStart=/run/banger/banger-guest --service
Restart=always
RestartSec=100ms
KillMode=process
TimeoutStopSec=10
OOMPolicy=continue
OOMScoreAdjust=-900
TasksMax=infinity
LimitNOFILE=1024:524288
)";

constexpr const char* ssh_keys = R"([Unit]
Description=A host key for sshd, which the image has not
DefaultDependencies=no
After=local-fs.target
Before=ssh.service sshd.service ssh.socket sshd.socket sshd-keygen.service
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key
ConditionPathExists=/usr/bin/ssh-keygen

[Service]
Type=oneshot
ExecStart=/run/banger/banger-guest --ssh-keys
)";

// Lets the service know when a refused connection is final.
constexpr const char* booted = R"([Unit]
Description=Tell banger that the guest has started
DefaultDependencies=no
After=multi-user.target

[Service]
Type=oneshot
ExecStart=/run/banger/banger-guest --announce booted
TimeoutStartSec=15
)";

// Type=oneshot: shutdown waits until commands have ended, as long as the file systems are still there.
std::string bye_unit(const std::string& how)
{
    return "[Unit]\n"
           "Description=Tell banger on the host about the " +
           how +
           "\n"
           "DefaultDependencies=no\n"
           "Before=umount.target final.target " +
           how + ".target systemd-" + how +
           ".service\n\n"
           "[Service]\n"
           "Type=oneshot\n"
           "ExecStart=/run/banger/banger-guest --announce " +
           how +
           "\n"
           "TimeoutStartSec=15\n";
}

/// Units that wait for devices or networks that a VM of ours has not.
constexpr std::array masked{"serial-getty@ttyS0.service", "dev-ttyS0.device", "systemd-networkd-wait-online.service",
                            "NetworkManager-wait-online.service", "ifupdown-wait-online.service"};

/// Generators of what a VM of ours never has: boot loaders, partitions, hibernation, consoles to log in at, and units named on
/// the kernel's command line. Each costs a process while systemd loads its units.
constexpr std::array masked_generators{"systemd-bless-boot-generator", "systemd-debug-generator",
                                       "systemd-getty-generator",      "systemd-gpt-auto-generator",
                                       "systemd-run-generator",        "systemd-hibernate-resume-generator"};

void write(const std::filesystem::path& path, const std::string& content)
{
    std::filesystem::create_directories(path.parent_path());
    std::ofstream file{path};
    file << content;
    file.close();
    if (!file) {
        throw errno_error(path.string(), errno);
    }
}

void link(const std::filesystem::path& path, const std::string& target)
{
    std::filesystem::create_directories(path.parent_path());
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
    std::filesystem::create_symlink(target, path);
}

}  // namespace

std::string mount_unit(std::string_view path)
{
    std::string name;
    for (const char letter : path.substr(path.find_first_not_of('/'))) {
        const bool plain = std::isalnum(static_cast<unsigned char>(letter)) != 0 || letter == '_' || letter == ':' ||
                           (letter == '.' && !name.empty());
        if (letter == '/') {
            name += '-';
        } else if (plain) {
            name += letter;
        } else {
            std::array<char, 5> escaped{};
            std::snprintf(escaped.data(), escaped.size(), "\\x%02x", static_cast<unsigned char>(letter));
            name += escaped.data();
        }
    }
    return name + ".mount";
}

void write_systemd_units(const std::string& run, bool reset_to_power_off, const std::vector<std::string>& mounts)
try {
    const std::filesystem::path units{run + "/systemd/system"};
    write(units / "banger-guest.service", service);
    link(units / "sysinit.target.wants/banger-guest.service", "../banger-guest.service");
    write(units / "banger-ssh-keys.service", ssh_keys);
    for (const std::string sshd : {"ssh.service", "sshd.service", "ssh.socket", "sshd.socket"}) {
        link(units / (sshd + ".wants") / "banger-ssh-keys.service", "../banger-ssh-keys.service");
    }
    write(units / "banger-booted.service", booted);
    link(units / "multi-user.target.wants/banger-booted.service", "../banger-booted.service");
    for (const std::string how : {"poweroff", "reboot", "halt"}) {
        const auto name = "banger-bye-" + how + ".service";
        write(units / name, bye_unit(how));
        link(units / (how + ".target.wants") / name, "../" + name);
    }
    for (const auto* unit : masked) {
        link(units / unit, "/dev/null");
    }
    for (const auto* generator : masked_generators) {
        link(units.parent_path() / "system-generators" / generator, "/dev/null");
    }
    // A halted VM would be a hung one. Where only a reset ends the VMM, a power-off has to be one.
    const std::string off = reset_to_power_off ? "reboot-force" : "poweroff-force";
    write(units / "systemd-halt.service.d/banger.conf", "[Unit]\nSuccessAction=" + off + "\n\n[Service]\nExecStart=\n");
    if (reset_to_power_off) {
        write(units / "systemd-poweroff.service.d/banger.conf", "[Unit]\nSuccessAction=" + off + "\n");
    }
    for (const auto& mount : mounts) {
        write(units / (mount_unit(mount) + ".d/banger.conf"), "[Unit]\nDefaultDependencies=no\n");
    }
} catch (const std::filesystem::filesystem_error& error) {
    throw errno_error("Units for systemd can't be written", error.code().value());
}

}  // namespace banger::guest
