// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "common/unique_fd.hpp"

namespace banger::agent {

/// A TCP port of this host that takes connections; destroying it closes it. Connections that it gave away stay.
class TcpPort {
public:
    TcpPort() = default;
    TcpPort(const TcpPort&) = delete;
    TcpPort& operator=(const TcpPort&) = delete;
    virtual ~TcpPort() = default;
    virtual std::uint16_t number() const noexcept = 0;
};

/// Opens a port at a numeric address of this host; number 0: any free one. `accepted` gets each connection, non-blocking, on the loop's
/// thread. Throws InvalidArgument (no such address, a port for root alone), InUse (somebody has it), Failed.
using OpenTcpPort = std::function<std::unique_ptr<TcpPort>(const std::string& address, std::uint16_t number,
                                                           std::function<void(UniqueFd)> accepted)>;

}  // namespace banger::agent
