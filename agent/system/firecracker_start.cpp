// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/firecracker_start.hpp"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "agent/core/vm/log_tail.hpp"
#include "agent/core/vm/vm_folder.hpp"
#include "agent/system/firecracker_api.hpp"
#include "agent/system/folder_watch.hpp"
#include "agent/system/unix_http.hpp"
#include "agent/system/unix_socket.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr std::chrono::milliseconds look_limit{2'000};
constexpr std::chrono::milliseconds exit_limit{1'000};  // from a closed connection to a process's end

Error ended_error(const std::filesystem::path& folder)
{
    const auto own = tail_of_log(folder / vm_folder::firecracker_log);
    return Error{ErrorCode::Failed, "Firecracker ended before its guest was started: " +
                                        (own.empty() ? tail_of_log(folder / vm_folder::console_log) : own)};
}

bool listens(const std::filesystem::path& folder)
{
    try {
        connect_in(folder, vm_folder::control_socket);
        return true;
    } catch (const Error&) {
        return false;
    }
}

/// It binds its socket and then says so in its log; what is written there after the socket listens is a reason to look, so no moment
/// is missed and nothing is asked over and over.
Task<void> socket_listens(EventLoop& loop, std::filesystem::path folder, int process, std::chrono::milliseconds limit)
{
    Promise<Unit> there;
    const FolderWatch watch{loop, folder, [there, folder](std::string_view name) {
                                const bool of_interest =
                                    name == vm_folder::control_socket || name == vm_folder::firecracker_log;
                                if (of_interest && !there.is_set() && listens(folder)) {
                                    there.set(Unit{});
                                }
                            }};
    const auto ended = loop.on_io(process, EventLoop::readable, [there, folder](std::uint32_t) {
        there.fail(std::make_exception_ptr(ended_error(folder)));
    });
    if (listens(folder)) {
        co_return;
    }
    const Error late{ErrorCode::TimedOut, "Firecracker does not listen on its API socket after " +
                                              std::to_string(limit.count() / 1000) + " s"};
    co_await there.wait(loop, limit, late);
}

void check_version(const HttpAnswer& answer)
{
    const auto told = nlohmann::json::parse(answer.body, nullptr, false);
    const auto text =
        told.is_object() && told.contains("firecracker_version") && told["firecracker_version"].is_string()
            ? told["firecracker_version"].get<std::string>()
            : std::string{};
    const auto version = parse_firecracker_version(text);
    if (!version || *version < oldest_firecracker) {
        throw Error{ErrorCode::HostLacks, "this Firecracker calls itself \"" + shown(text) + "\"; " +
                                              to_string(oldest_firecracker) +
                                              " or newer is needed, banger runtime fetch brings one"};
    }
}

/// Requests to a Firecracker whose end is the answer to all that are open. Stays where it is while one is.
class Conversation {
public:
    Conversation(EventLoop& loop, const std::filesystem::path& folder, int process)
        : loop_{loop}, api_{loop, folder, vm_folder::control_socket}
    {
        ended_watch_ = loop.on_io(process, EventLoop::readable, [this, folder](std::uint32_t) {
            const auto error = ended_error(folder);
            api_.fail_all(error);
            ended_.fail(std::make_exception_ptr(error));  // last: who waits may destroy us
        });
    }

    Task<HttpAnswer> ask(const char* method, FirecrackerRequest request, std::chrono::milliseconds limit)
    {
        std::optional<Error> failure;
        try {
            auto answer = co_await api_.send(method, request.path, request.body, limit);
            if (answer.status >= 200 && answer.status < 300) {
                co_return answer;
            }
            failure =
                Error{ErrorCode::Failed, "Firecracker refuses " + request.what + ": " + firecracker_fault(answer.body)};
        } catch (const Error& error) {
            failure = Error{error.code(), "Firecracker, asked for " + request.what + ": " + error.what()};
        }
        if (failure->code() == ErrorCode::Unavailable) {
            // A process that ends closes its connection before its pidfd tells, and its end says more.
            const Error cut_off{ErrorCode::Failed, failure->what()};
            co_await ended_.wait(loop_, exit_limit, cut_off);
        }
        throw Error{*failure};
    }

private:
    EventLoop& loop_;
    UnixHttp api_;
    Promise<Unit> ended_;
    EventLoop::Source ended_watch_;
};

}  // namespace

Task<void> start_firecracker(EventLoop& loop, std::filesystem::path folder, VmmConfig config, int process,
                             FirecrackerLimits limits)
{
    co_await socket_listens(loop, folder, process, limits.socket);
    Conversation firecracker{loop, folder, process};
    FirecrackerRequest version{"its version", "/version", {}};
    const auto answer = co_await firecracker.ask("GET", std::move(version), limits.request);
    check_version(answer);
    for (auto& request : firecracker_requests(config)) {
        co_await firecracker.ask("PUT", std::move(request), limits.request);
    }
}

Task<bool> firecracker_has_booted(EventLoop& loop, std::filesystem::path folder)
{
    try {
        UnixHttp api{loop, folder, vm_folder::control_socket};
        const auto answer = co_await api.send("GET", "/", {}, look_limit);
        const auto told = nlohmann::json::parse(answer.body, nullptr, false);
        co_return !(told.is_object() && told.contains("state") && told["state"] == "Not started");
    } catch (const Error&) {
        co_return true;
    }
}

}  // namespace banger::agent
