// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <filesystem>
#include <string>

#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent::test {

/// A bus that hangs: it takes connections (the kernel does, for whoever listens) and says nothing. Its end is theirs.
class SilentBus {
public:
    explicit SilentBus(const std::filesystem::path& path)
        : address_{"unix:path=" + path.string()}, socket_{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)}
    {
        constexpr int queue = 64;
        sockaddr_un where{};
        where.sun_family = AF_UNIX;
        path.string().copy(where.sun_path, sizeof where.sun_path - 1);
        if (!socket_ || ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&where), sizeof where) < 0 ||
            ::listen(socket_.get(), queue) < 0) {
            throw errno_error("can't listen at " + path.string(), errno);
        }
    }

    const std::string& address() const noexcept { return address_; }

private:
    std::string address_;
    UniqueFd socket_;
};

}  // namespace banger::agent::test
