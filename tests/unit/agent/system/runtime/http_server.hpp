// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "common/unique_fd.hpp"

namespace banger::agent::test {

/// A real HTTP server on a port of 127.0.0.1, one connection at a time.
class HttpServer {
public:
    struct Reply {
        std::string head;         ///< status line and headers, without the empty line
        std::string body;         ///< sent as it is, whatever the headers promise
        bool stalls_then{false};  ///< keeps the connection open until the client or the test ends
    };

    HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;
    ~HttpServer();

    std::string url(const std::string& path) const;
    /// `path`: as in the request; a whole URL where the server is asked as a proxy.
    void set(const std::string& path, Reply reply);
    void set_file(const std::string& path, const std::string& content);
    /// One after the other; the last one from then on.
    void set_sequence(const std::string& path, std::vector<Reply> replies);
    /// Called on the server's thread once a stalling reply was sent.
    void on_stall(std::function<void()> call) { on_stall_ = std::move(call); }
    /// Paths in the order in which they were asked for.
    std::vector<std::string> asked() const;
    /// The heads of the same requests.
    std::vector<std::string> heads() const;

private:
    void serve();
    void answer(int connection);

    UniqueFd listening_;
    UniqueFd ending_;
    int port_{0};
    std::map<std::string, std::vector<Reply>> replies_;
    std::function<void()> on_stall_;
    mutable std::mutex mutex_;
    std::vector<std::string> asked_;
    std::vector<std::string> heads_;
    std::thread thread_;
};

}  // namespace banger::agent::test
