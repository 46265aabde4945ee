// SPDX-License-Identifier: GPL-2.0-or-later
// config.toml: whatever is in it, bangerd gets a configuration in its ranges, or one sentence with file and line.
#include <algorithm>

#include "agent/core/config.hpp"
#include "agent/core/duration.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

void check(const agent::Config& config)
{
    demand(config.vcpus >= 1 && config.vcpus <= 64, "vcpu is 1 to 64");
    demand(config.memory_mib >= 128 && config.memory_mib <= 1U << 20U, "memory_mib is 128 to 1048576");
    demand(config.disk.bytes() > 0, "the disk is not empty");
    demand(ArtifactName::parse(config.default_image).str() == config.default_image, "default_image is a name");
    demand(ArtifactName::parse(config.default_kernel).str() == config.default_kernel, "default_kernel is a name");
    demand(agent::parse_vmm(agent::to_string(config.vmm)) == config.vmm, "vmm is a known one");
    demand(agent::parse_network(agent::to_string(config.network)) == config.network, "network is a known one");
    demand(config.log_level == "debug" || config.log_level == "info" || config.log_level == "warn" ||
               config.log_level == "error",
           "log_level is a known one");
    demand(config.firecracker_bin.empty() || config.firecracker_bin.is_absolute(), "a path is absolute");
    demand(config.auto_stop_stale_after.count() >= 0, "a duration is none before now");
    demand(agent::parse_duration(agent::to_string(config.auto_stop_stale_after)) == config.auto_stop_stale_after,
           "a duration can be written");
    for (const auto& sync : config.file_sync) {
        const auto climbs = [](const std::filesystem::path& path) {
            return std::find(path.begin(), path.end(), "..") != path.end();
        };
        demand(sync.from.is_relative() && !sync.from.empty() && !climbs(sync.from), "what is copied is below the home");
        demand(sync.to.is_absolute() && sync.to.has_filename() && !climbs(sync.to), "and goes to a place in the guest");
        demand(sync.mode <= 0777, "with permissions alone");
    }
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    const agent::HostFacts host{.cpus = 8, .memory_bytes = (16 * gib).bytes(), .home = "/home/u"};
    try {
        fuzz::check(agent::parse_config(fuzz::text_of({data, size}), "config.toml", host));
    } catch (const Error& error) {
        fuzz::demand(error.code() == ErrorCode::InvalidArgument, error.what());
        const std::string_view sentence = error.what();
        fuzz::demand(
            sentence.starts_with("config.toml:") && sentence.size() > 12 && sentence[12] >= '1' && sentence[12] <= '9',
            "a refusal begins with file and line");
    }
    return 0;
}
