// SPDX-License-Identifier: GPL-2.0-or-later
// config.toml: whatever is in it, bangerd gets a configuration in its ranges, or one sentence with file and line.
#include "agent/core/config.hpp"
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
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    const agent::HostSize host{.cpus = 8, .memory_bytes = (16 * gib).bytes()};
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
