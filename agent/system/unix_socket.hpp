// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string_view>

#include "common/unique_fd.hpp"

namespace banger::agent {

/// A listening stream socket FOLDER/NAME, in place of one that is there. The folder may be deeper than a socket address is long.
/// Throws Failed, NoSpace.
UniqueFd listen_in(const std::filesystem::path& folder, std::string_view name);
/// A non-blocking connection to FOLDER/NAME. Throws Unavailable.
UniqueFd connect_in(const std::filesystem::path& folder, std::string_view name);

/// Both ends of a stream or SOCK_SEQPACKET pair, close-on-exec.
struct SocketPair {
    UniqueFd ours;  ///< non-blocking
    UniqueFd theirs;
};
SocketPair make_socket_pair(int type);

}  // namespace banger::agent
