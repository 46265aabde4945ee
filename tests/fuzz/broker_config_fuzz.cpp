// SPDX-License-Identifier: GPL-2.0-or-later
// /etc/banger/broker.toml, which an administrator edits by hand: whatever is in it, there is a configuration or a sentence with a line.
#include "broker/core/config.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

void check_quota(const broker::Quota& quota)
{
    demand(quota.sandboxes <= 4096, "sandboxes are at most 4096");
    demand(quota.calls >= 1 && quota.calls <= 4096, "calls are 1 to 4096");
    demand(quota.bytes.bytes() > 0 && quota.bytes.bytes() < (std::uint64_t{1} << 63U), "bytes are a size");
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    using namespace banger::fuzz;
    try {
        const auto config = broker::parse_broker_config(text_of({data, size}), "broker.toml");
        check_quota(config.user);
        check_quota(config.all);
        demand(config.pool.slots() >= 4 && config.pool.slots() <= 16384, "a pool has 4 to 16384 networks");
        demand(config.log_level == "debug" || config.log_level == "info" || config.log_level == "warn" ||
                   config.log_level == "error",
               "a level is one of the four");
    } catch (const Error& problem) {
        demand(problem.code() == ErrorCode::InvalidArgument, problem.what());
        demand(std::string_view{problem.what()}.starts_with("broker.toml:"), "a complaint names file and line");
    }
    return 0;
}
