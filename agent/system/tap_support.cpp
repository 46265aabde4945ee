// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/tap_support.hpp"

#include "agent/system/subprocess.hpp"

namespace banger::agent {
namespace {

/// Blocks.
std::string problem_of(const std::filesystem::path& tap)
{
    if (tap.empty()) {
        return "banger-tap is not beside bangerd; install banger again";
    }
    try {
        const Program program{.argv = {tap.string(), "--check"}};
        const auto result = run_program(program);
        return result.ok() ? "" : "Firecracker can have no network here: " + result.tail;
    } catch (const Error& error) {
        return error.what();
    }
}

}  // namespace

Task<std::string> TapSupport::problem()
{
    if (may_) {
        co_return "";
    }
    auto look = [tap = tap_] { return problem_of(tap); };
    auto problem = co_await run_on(*loop_, *lane_, std::move(look));
    while (problem.ends_with('\n')) {
        problem.pop_back();
    }
    may_ = problem.empty();
    co_return problem;
}

}  // namespace banger::agent
