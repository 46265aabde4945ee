// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/host_examination.hpp"

#include <unistd.h>

#include "agent/system/image/user_namespace.hpp"
#include "agent/system/subprocess.hpp"

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

}  // namespace

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

std::vector<Finding> HostExamination::programs() const
{
    std::vector<Finding> findings;
    for (const auto& program : programs_used) {
        findings.push_back(check_program(program));
    }
    findings.push_back(check_subordinate_ids());
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
