// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/doctor.hpp"

#include <unistd.h>

namespace banger::agent {
namespace {

Finding check_config(const Agent& agent)
{
    try {
        agent.settings().for_request({});
        return {"configuration", "ok", agent.paths().config.string(), ""};
    } catch (const Error& error) {
        return {"configuration", "missing", error.what(), ""};
    }
}

Finding check_artifact(const std::string& what, const std::optional<Artifact>& artifact, const std::string& mend)
{
    if (artifact) {
        return {"default " + what, "ok", artifact->name + " " + artifact->origin + " " + artifact->version, ""};
    }
    return {"default " + what, "missing", "there is none yet", mend};
}

/// No more than a warning: QEMU runs VMs, too.
Finding check_runtime(const Agent& agent)
{
    const std::string check = "runtime bundle";
    constexpr auto mend = "banger runtime fetch";
    try {
        std::string there;
        for (const auto& program : agent.programs().list()) {
            if (program.state != RuntimeState::Ok && program.state != RuntimeState::Unchecked) {
                return {check, "warn", program.path.string() + " " + program.problem, mend};
            }
            there += (there.empty() ? "" : ", ") + program.name + " " + program.version;
        }
        return {check, "ok", there, ""};
    } catch (const Error& error) {
        return {check, "warn", error.what(), ""};
    }
}

}  // namespace

Task<std::tuple<DoctorRows>> examine_host(Agent* agent)
{
    const auto kernel = agent->kernels().find("debian");
    std::vector<Finding> findings{
        {"bangerd", "ok", "PID " + std::to_string(::getpid()) + ", state in " + agent->paths().state.string(), ""},
        check_config(*agent)};
    const auto programs = agent->host().programs();
    findings.insert(findings.end(), programs.begin(), programs.end());
    const auto surroundings = co_await agent->host().surroundings();
    findings.insert(findings.end(), surroundings.begin(), surroundings.end());
    findings.push_back(check_artifact("kernel", kernel, "banger kernel import"));
    findings.push_back(check_artifact("image", agent->images().find("debian"), "banger image build"));
    findings.push_back(check_runtime(*agent));
    findings.push_back(co_await agent->host().broker());
    auto firecracker = co_await agent->host().firecracker();
    auto kvm = co_await agent->host().kvm(kernel);
    const bool matters = kvm.verdict == "ok";  // Firecracker runs on KVM alone
    findings.push_back(std::move(kvm));
    if (matters) {
        findings.push_back(std::move(firecracker));
    }
    DoctorRows rows;
    for (const auto& finding : findings) {
        rows.emplace_back(finding.check, finding.verdict, finding.detail, finding.mend);
    }
    co_return std::tuple{std::move(rows)};
}

}  // namespace banger::agent
