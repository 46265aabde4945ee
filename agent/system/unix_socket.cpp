// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/unix_socket.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "common/error.hpp"

namespace banger::agent {
namespace {

constexpr int backlog = 4;

/// A folder held open, addressed as /proc/self/fd/N: sun_path has 108 bytes (unix(7)), a home may be deeper.
struct Place {
    UniqueFd folder;
    sockaddr_un address{};
};

Place place_of(const std::filesystem::path& folder, std::string_view name)
{
    Place place;
    place.folder = UniqueFd{::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!place.folder) {
        throw errno_error("can't open " + folder.string(), errno);
    }
    const auto path = "/proc/self/fd/" + std::to_string(place.folder.get()) + "/" + std::string{name};
    place.address.sun_family = AF_UNIX;
    std::strncpy(place.address.sun_path, path.c_str(), sizeof place.address.sun_path - 1);
    return place;
}

const sockaddr* as_sockaddr(const Place& place) { return reinterpret_cast<const sockaddr*>(&place.address); }

}  // namespace

UniqueFd listen_in(const std::filesystem::path& folder, std::string_view name)
{
    const auto place = place_of(folder, name);
    ::unlinkat(place.folder.get(), std::string{name}.c_str(), 0);
    UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (!fd || ::bind(fd.get(), as_sockaddr(place), sizeof place.address) < 0 || ::listen(fd.get(), backlog) < 0) {
        throw errno_error("can't listen on " + (folder / name).string(), errno);
    }
    return fd;
}

UniqueFd connect_in(const std::filesystem::path& folder, std::string_view name)
{
    const auto place = place_of(folder, name);
    UniqueFd fd{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (!fd || ::connect(fd.get(), as_sockaddr(place), sizeof place.address) < 0) {
        throw errno_error("can't connect to " + (folder / name).string(), errno, ErrorCode::Unavailable);
    }
    return fd;
}

SocketPair make_socket_pair(int type)
{
    int ends[2];
    if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) < 0) {
        throw errno_error("no socket pair", errno);
    }
    SocketPair pair{UniqueFd{ends[0]}, UniqueFd{ends[1]}};
    ::fcntl(pair.ours.get(), F_SETFL, O_NONBLOCK);
    return pair;
}

}  // namespace banger::agent
