// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/rooted.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>

#include "common/error.hpp"
#include "common/rollback.hpp"

namespace banger::guest {
namespace {

std::string link_of(const std::string& path)
{
    std::array<char, PATH_MAX> buffer{};
    const auto size = ::readlink(path.c_str(), buffer.data(), buffer.size());
    return size < 0 ? "" : std::string(buffer.data(), static_cast<std::size_t>(size));
}

void write_all(int fd, const std::string& content, const std::string& path)
{
    for (std::size_t done = 0; done < content.size();) {
        const auto count = ::write(fd, content.data() + done, content.size() - done);
        if (count < 0 && errno != EINTR) {
            throw errno_error(path, errno);
        }
        done += static_cast<std::size_t>(count > 0 ? count : 0);
    }
}

}  // namespace

std::string fd_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

Rooted::Rooted(const std::string& top) : top_path_{top}, top_{::open(top.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)}
{
    if (!top_) {
        throw errno_error(top, errno);
    }
}

UniqueFd Rooted::open(const std::string& path, int flags, mode_t mode) const noexcept
{
    open_how how{};
    how.flags = static_cast<std::uint64_t>(flags) | O_CLOEXEC;
    how.mode = mode;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    return UniqueFd{static_cast<int>(::syscall(SYS_openat2, top_.get(), path.c_str(), &how, sizeof how))};
}

bool Rooted::exists(const std::string& path) const noexcept { return static_cast<bool>(open(path, O_PATH)); }

std::optional<std::string> Rooted::resolve(const std::string& path) const
{
    const auto fd = open(path, O_PATH);
    if (!fd) {
        return std::nullopt;
    }
    const auto whole = link_of(fd_path(fd.get()));
    const auto top = link_of(fd_path(top_.get()));
    return top == "/" ? whole : whole.substr(std::min(top.size(), whole.size()));
}

UniqueFd Rooted::make_folders(const std::string& path, mode_t mode) const
{
    auto here = open(path, O_PATH | O_DIRECTORY);
    if (here) {
        return here;
    }
    const auto slash = path.find_last_of('/');
    const auto parent = slash == std::string::npos || slash == 0 ? std::string{"/"} : path.substr(0, slash);
    const auto above = parent == "/" ? open("/", O_PATH | O_DIRECTORY) : make_folders(parent, mode);
    const auto name = path.substr(slash == std::string::npos ? 0 : slash + 1);
    if (::mkdirat(above.get(), name.c_str(), mode) != 0 && errno != EEXIST) {
        throw errno_error(top_path_ + path, errno);
    }
    here = open(path, O_PATH | O_DIRECTORY);
    if (!here) {
        throw errno_error(top_path_ + path, errno);
    }
    return here;
}

std::optional<std::string> Rooted::read(const std::string& path) const
{
    constexpr std::size_t limit = std::size_t{64} << 20U;
    const auto fd = open(path, O_RDONLY | O_NONBLOCK);
    if (!fd) {
        return std::nullopt;
    }
    std::string content;
    std::array<char, 65536> buffer;  // NOLINT: filled by read
    for (;;) {
        const auto count = ::read(fd.get(), buffer.data(), buffer.size());
        if (count <= 0) {
            return content;
        }
        content.append(buffer.data(), static_cast<std::size_t>(count));
        if (content.size() > limit) {  // cut, it would be written back so
            throw Error{ErrorCode::Failed, top_path_ + path + " is larger than 64 MiB"};
        }
    }
}

void Rooted::write(const std::string& path, const std::string& content, mode_t mode, LastLink link) const
{
    // A temporary beside the real file, whose folder is found by following links inside the root.
    const auto target = link == LastLink::Follow ? resolve(path).value_or(path) : path;
    const auto slash = target.find_last_of('/');
    const auto folder = slash == std::string::npos || slash == 0 ? std::string{"/"} : target.substr(0, slash);
    const auto name = target.substr(slash == std::string::npos ? 0 : slash + 1);
    const auto above = make_folders(folder);
    const UniqueFd dir{::openat(above.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    const auto temporary = "." + name + ".banger";
    ::unlinkat(dir.get(), temporary.c_str(), 0);
    const UniqueFd fd{
        ::openat(dir.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
    if (!fd) {
        throw errno_error(top_path_ + path, errno);
    }
    Rollback unfinished;
    unfinished.add([&] { ::unlinkat(dir.get(), temporary.c_str(), 0); });
    write_all(fd.get(), content, top_path_ + path);
    if (::fchmod(fd.get(), mode) != 0 || (::geteuid() == 0 && ::fchown(fd.get(), 0, 0) != 0) ||
        ::fsync(fd.get()) != 0 || ::renameat(dir.get(), temporary.c_str(), dir.get(), name.c_str()) != 0) {
        throw errno_error(top_path_ + path, errno);
    }
    unfinished.commit();
}

}  // namespace banger::guest
