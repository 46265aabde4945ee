// SPDX-License-Identifier: GPL-2.0-or-later
// What an unpacked kernel says of itself: its version becomes a folder's name, its configuration is unpacked.
#include "agent/core/image/kernel_facts.hpp"
#include "agent/system/image/kernel_checks.hpp"
#include "tests/fuzz/harness.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    using namespace banger::fuzz;
    const fuzz::ByteView kernel{data, size};
    if (const auto version = agent::kernel_version(kernel)) {
        demand(!version->empty() && version->size() <= 64, "a version has a length");
        demand(version->front() >= '0' && version->front() <= '9', "a version begins with a digit");
        demand(version->find('/') == std::string::npos && version->find('\0') == std::string::npos,
               "a version is one name of a folder");
    }
    const auto config = agent::kernel_config(kernel);
    demand(config.empty() || (config.data() >= kernel.data() && config.data() + config.size() <= kernel.data() + size),
           "a configuration is a part of its kernel");
    const auto says = agent::ask_kernel(kernel);
    demand(says.not_built_in.size() <= 5, "it lacks no more than is asked for");
    taken([&] { demand(!agent::version_without_modules(says, "kernel").empty(), "a kernel that boots has a version"); },
          ErrorCode::CorruptData);
    return 0;
}
