// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/host_examination.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>

#include "agent/system/file_system.hpp"
#include "agent/system/host_guards.hpp"
#include "agent/system/image/user_namespace.hpp"
#include "agent/system/resolvers.hpp"
#include "agent/system/subprocess.hpp"
#include "common/name_switch.hpp"

namespace banger::agent {
namespace {

struct ProgramRow {
    const char* name;
    const char* without;      ///< what doesn't work then
    const char* when_absent;  ///< the verdict
};

constexpr ProgramRow programs_used[] = {
    {"qemu-system-x86_64", "no VM can run", "missing"},
    {"mke2fs", "no disk can be made", "missing"},
    {"resize2fs", "disks can't grow", "warn"},
    {"git", "vm run PATH and vm workspace do not work", "warn"},
    {"passt", "guests get no network", "warn"},
    {"mmdebstrap", "images can't be built", "warn"},
    {"depmod", "kernels can't be imported", "warn"},
    {"ssh-keygen", "vm ssh does not work", "warn"},
    {"unshare", "images can't be built by users", "warn"},
    {"newuidmap", "images can't be built by users", "warn"},
};

Finding check_program(const ProgramRow& program)
{
    try {
        return {program.name, "ok", find_program(program.name).string(), ""};
    } catch (const Error& error) {
        return {program.name, program.when_absent, std::string{program.without} + ": " + error.what(),
                "apt install " + package_of(program.name)};
    }
}

/// Both or neither: one alone pulls nothing.
Finding check_image_tools()
{
    const std::string check = "OCI images";
    std::string missing;
    for (const auto* name : {"skopeo", "umoci"}) {
        try {
            find_program(name);
        } catch (const Error&) {
            missing += (missing.empty() ? "" : " ") + std::string{name};
        }
    }
    return missing.empty()
               ? Finding{check, "ok", "skopeo and umoci are there", ""}
               : Finding{check, "warn", "image pull does not work without " + missing, "apt install " + missing};
}

Finding check_subordinate_ids()
{
    const std::string check = "subordinate ids";
    if (::geteuid() == 0) {
        return {check, "ok", "not needed by root", ""};
    }
    const auto missing = missing_subordinate_ids();
    return missing ? Finding{check, "warn", "images can't be built: " + missing->why, missing->mend}
                   : Finding{check, "ok", "in /etc/subuid and /etc/subgid", ""};
}

/// In the folder of whichever architecture.
bool has_name_module(const std::filesystem::path& root)
{
    std::error_code none;
    const std::filesystem::directory_iterator folders{root / "usr/lib", none};
    return std::any_of(begin(folders), end(folders), [&](const auto& folder) {
        return std::filesystem::exists(folder.path() / "libnss_banger.so.2", none);
    });
}

/// As nscd.conf(5) has it, the last line of several; else it does not. One that runs has a socket.
bool nscd_caches_hosts(const std::filesystem::path& root)
{
    bool is_on = false;
    std::ifstream lines{root / "etc/nscd.conf"};
    for (std::string line; std::getline(lines, line);) {
        line.resize(std::min(line.find('#'), line.size()));
        std::istringstream words{line};
        std::string key;
        std::string service;
        std::string value;
        if (words >> key >> service >> value && key == "enable-cache" && service == "hosts") {
            is_on = value == "yes";
        }
    }
    std::error_code none;
    return is_on && std::filesystem::exists(root / "run/nscd/socket", none);
}

}  // namespace

Finding finding_of_names(const std::filesystem::path& root)
{
    const std::string check = "names of VMs";
    const bool is_asked = looks_up_hosts_by("banger", root / "etc/nsswitch.conf");
    if (is_asked && nscd_caches_hosts(root)) {
        return {check, "warn",
                "nscd caches hosts (/etc/nscd.conf) and looks as its own user, so NAME.vm may not be found, or be a VM "
                "of root's",
                "sed -Ei 's/^(\\s*enable-cache\\s+hosts\\s+)yes/\\1no/' /etc/nscd.conf && systemctl restart nscd"};
    }
    if (is_asked) {
        return {check, "ok", "your programs find a VM with a TAP as NAME.vm", ""};
    }
    return {check, "warn",
            "NAME.vm is found only where systemd-resolved answers: hosts in /etc/nsswitch.conf has no banger",
            has_name_module(root) ? "sed -i '/^hosts:/ s/files/files banger/' /etc/nsswitch.conf"
                                  : "apt install banger-broker"};
}

Finding finding_of_resolvers(const std::filesystem::path& root)
{
    const std::string check = "name servers of guests";
    std::string servers;
    for (const auto& server : host_resolvers(root)) {
        servers += (servers.empty() ? "" : " ") + server;
    }
    return servers.empty() ? Finding{check, "warn",
                                     "guests with a TAP find no name outside, as /etc/resolv.conf has no server but "
                                     "this host itself; "
                                     "those with --network user do",
                                     ""}
                           : Finding{check, "ok", servers, ""};
}

Task<Finding> HostExamination::firecracker()
{
    const std::string check = "firecracker";
    const auto problem = co_await firecracker_->problem();
    Finding finding{check, "ok", "", ""};
    if (problem.empty()) {
        finding.detail = firecracker_->path().string();
    } else {
        finding = {check, "warn", "QEMU is used: " + problem, "banger runtime fetch"};
    }
    co_return finding;
}

Finding finding_of(const BrokerReport& report, const std::filesystem::path& program, const std::string& user)
{
    using State = BrokerReport::State;
    const std::string check = "banger-broker";
    const auto without = "; root disks are files, and networks user-mode";
    std::error_code none;
    const bool installed = std::filesystem::exists(program, none);
    const auto look = installed ? program.string() + " --check" : "systemctl status banger-broker";
    switch (report.state) {
        case State::Ready:
            return {check, "ok", "dm-snapshot and NAT; sandboxes: " + std::to_string(report.sandboxes.size()), ""};
        case State::Refuses: {
            const bool group = report.detail.find("group banger") != std::string::npos;
            return {check, "warn", report.detail + without, group ? "usermod -aG banger " + user : look};
        }
        case State::Missing:
            return {check, "warn", report.detail + without, installed ? look : "apt install banger-broker"};
        case State::Old:
            return {check, "warn", report.detail + without, "apt install --only-upgrade banger-broker"};
        case State::Failing:
            break;
    }
    return {check, "warn", report.detail + without, look};
}

Task<std::vector<Finding>> HostExamination::surroundings()
{
    auto look = [confine = around_.confine, state = around_.state] {
        return std::vector{finding_of_state_folder(state), finding_of_confinement(confine),
                           finding_of_access_control("/")};
    };
    co_return co_await run_on(around_.loop, around_.lane, std::move(look));
}

Task<Finding> HostExamination::broker()
{
    const auto report = co_await broker_->examine();
    const auto* user = ::getpwuid(::geteuid());
    co_return finding_of(report, "/usr/libexec/banger/banger-broker", user != nullptr ? user->pw_name : "USER");
}

std::vector<Finding> HostExamination::programs() const
{
    std::vector<Finding> findings;
    for (const auto& program : programs_used) {
        findings.push_back(check_program(program));
    }
    findings.push_back(check_image_tools());
    findings.push_back(check_subordinate_ids());
    findings.push_back(finding_of_names("/"));
    findings.push_back(finding_of_resolvers("/"));
    return findings;
}

Task<Finding> HostExamination::kvm(std::optional<Artifact> kernel)
{
    if (!kernel) {
        const auto problem = kvm_device_problem();
        co_return Finding{"KVM", problem.empty() ? "ok" : "warn",
                          problem.empty() ? "/dev/kvm opens; tried once there is a kernel" : problem, ""};
    }
    const auto verdict = co_await probe_->ask(std::move(*kernel));
    if (verdict.usable) {
        co_return Finding{"KVM", "ok", "a guest boots on it", ""};
    }
    co_return Finding{"KVM", "warn", verdict.reason + "; qemu-tcg is used, which is slower", ""};
}

}  // namespace banger::agent
