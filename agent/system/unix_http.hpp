// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "agent/core/task.hpp"
#include "common/event_loop.hpp"

namespace banger::agent {

struct HttpAnswer {
    long status;
    std::string body;  ///< at most 1 MiB
};

/// HTTP over a UNIX socket by libcurl, without a thread: libcurl says which descriptors and timers it waits for, and the loop does.
/// One connection, kept between requests. Loop thread; what is on its way when this is destroyed fails with Unavailable.
class UnixHttp {
public:
    /// The socket is FOLDER/NAME; the folder may be deeper than a socket address is long. Throws Failed.
    UnixHttp(EventLoop& loop, const std::filesystem::path& folder, const std::string& name);
    UnixHttp(const UnixHttp&) = delete;
    UnixHttp& operator=(const UnixHttp&) = delete;
    ~UnixHttp();

    /// `body`: JSON, empty for none. Any status is an answer. Throws Unavailable (no connection, or cut off), TimedOut.
    Task<HttpAnswer> send(std::string method, std::string path, std::string body, std::chrono::milliseconds limit);
    /// Ends what is on its way with `why`, for who knows by other means that no answer will come.
    void fail_all(const Error& why);

private:
    class Connection;
    std::unique_ptr<Connection> connection_;
};

}  // namespace banger::agent
