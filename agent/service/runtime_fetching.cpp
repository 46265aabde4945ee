// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/agent.hpp"
#include "agent/service/operation_progress.hpp"
#include "common/either_stop.hpp"
#include "common/rollback.hpp"

namespace banger::agent {
namespace {

std::string joined(const std::vector<std::string>& words, const char* separator)
{
    std::string text;
    for (const auto& word : words) {
        text += (text.empty() ? "" : separator) + word;
    }
    return text;
}

}  // namespace

OperationPtr Agent::fetch_runtime(std::filesystem::path from)
{
    return start_fetch([&programs = ports_.programs, from = std::move(from)](const RuntimeProgress& progress) {
        return programs.fetch(from, progress);
    });
}

OperationPtr Agent::fetch_bundle(std::filesystem::path manifest)
{
    return start_fetch([&bundles = ports_.bundles, manifest = std::move(manifest)](const RuntimeProgress& progress) {
        return bundles.fetch(manifest, progress);
    });
}

OperationPtr Agent::start_fetch(std::function<FetchOutcome(const RuntimeProgress&)> fetch)
{
    const std::string key = "runtime";
    if (!being_made_.insert(key).second) {
        throw Error{ErrorCode::InUse, "the runtime is being fetched already; wait for it, or cancel it"};
    }
    auto operation = operations_.add("fetch-runtime", key);
    operations_.run(operation, fetch_runtime(std::move(fetch), operation));
    return operation;
}

Task<void> Agent::fetch_runtime(std::function<FetchOutcome(const RuntimeProgress&)> fetch, OperationPtr operation)
{
    Rollback unlock;
    unlock.add([this] { being_made_.erase("runtime"); });
    const auto progress = progress_with_fraction<RuntimeProgress>(ports_.loop, operation);
    auto do_fetch = [fetch = std::move(fetch), progress] { return fetch(progress); };
    const auto outcome = co_await run_on(ports_.loop, making_lane_, std::move(do_fetch));
    operation->set_stage("registering");
    const auto registered = co_await register_bundle(operation->stop_token());
    operation->result() = {{"fetched", joined(outcome.fetched, " ")},
                           {"missing", joined(outcome.missing, " ")},
                           {"warnings", joined(outcome.warnings, "\n")},
                           {"registered", joined(registered, ", ")}};
}

Task<std::vector<RuntimeProgram>> Agent::verify_runtime(std::stop_token stop)
{
    auto verify = [&programs = ports_.programs, stop, ending = ending_.get_token()] {
        const EitherStop either{stop, ending};
        return programs.verify(either.token());
    };
    co_return co_await run_on(ports_.loop, work_lane_, std::move(verify));
}

}  // namespace banger::agent
