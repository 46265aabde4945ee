// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/ssh/user_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <system_error>

#include "common/error.hpp"
#include "common/rollback.hpp"
#include "common/unique_fd.hpp"

namespace banger::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_bytes = std::size_t{4} << 20U;
constexpr mode_t permissions = 07777;

std::string all_of(const UniqueFd& file, const fs::path& path)
{
    std::string text;
    std::array<char, 65536> block{};
    for (;;) {
        const auto got = ::read(file.get(), block.data(), block.size());
        if (got == 0) {
            return text;
        }
        if (got < 0 && errno != EINTR) {
            throw errno_error("can't read " + path.string(), errno);
        }
        text.append(block.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
        if (text.size() > most_bytes) {
            throw Error{ErrorCode::InvalidArgument, path.string() + " is larger than 4 MiB; is it the right file?"};
        }
    }
}

void write_all(const UniqueFd& file, const std::string& text, const fs::path& path)
{
    for (std::size_t written = 0; written < text.size();) {
        const auto some = ::write(file.get(), text.data() + written, text.size() - written);
        if (some < 0 && errno != EINTR) {
            throw errno_error("can't write " + path.string(), errno);
        }
        written += some > 0 ? static_cast<std::size_t>(some) : 0;
    }
}

/// Of what is there now. Throws unless that is what was read, and the user's to change.
void check_unchanged(const UserFile& file)
{
    struct stat status {};
    const bool is_there = ::stat(file.path.c_str(), &status) == 0;
    if (!is_there && errno != ENOENT) {
        throw errno_error("can't look at " + file.path.string(), errno);
    }
    const bool same = is_there == file.exists &&
                      (!is_there || (status.st_ino == file.inode && status.st_mtim.tv_sec == file.changed.tv_sec &&
                                     status.st_mtim.tv_nsec == file.changed.tv_nsec));
    if (!same) {
        throw Error{ErrorCode::InUse,
                    file.path.string() + " was changed at this very moment; nothing was done, try again"};
    }
    if (is_there && status.st_uid != ::geteuid()) {
        throw Error{ErrorCode::NotAuthorized, file.path.string() + " belongs to another user"};
    }
    if (is_there && (status.st_mode & S_IWUSR) == 0) {
        throw Error{ErrorCode::NotAuthorized,
                    file.path.string() + " is read-only, so it stays as it is; chmod u+w " + file.path.string()};
    }
}

}  // namespace

UserFile read_user_file(const fs::path& path)
{
    UserFile file{.path = path};
    std::error_code none;
    file.is_link = fs::is_symlink(fs::symlink_status(path, none));
    if (file.is_link) {
        file.path = fs::canonical(path, none);
        if (none) {
            throw Error{ErrorCode::NotFound, path.string() + " is a link to " + fs::read_symlink(path, none).string() +
                                                 ", which can't be found"};
        }
    }
    const UniqueFd opened{::open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    if (!opened && errno == ENOENT) {
        return file;
    }
    struct stat status {};
    if (!opened || ::fstat(opened.get(), &status) < 0) {
        throw errno_error("can't read " + file.path.string(), errno);
    }
    if (!S_ISREG(status.st_mode)) {
        throw Error{ErrorCode::InvalidArgument, file.path.string() + " is no file"};
    }
    file.exists = true;
    file.mode = status.st_mode & permissions;
    file.inode = status.st_ino;
    file.changed = status.st_mtim;
    file.text = all_of(opened, file.path);
    return file;
}

void replace_user_file(const UserFile& file, const std::string& text)
{
    check_unchanged(file);
    auto name = file.path.string() + ".banger-XXXXXX";
    const UniqueFd fresh{::mkostemp(name.data(), O_CLOEXEC)};
    if (!fresh) {
        throw errno_error("can't write beside " + file.path.string(), errno);
    }
    Rollback give_up;
    give_up.add([&name] { ::unlink(name.c_str()); });
    write_all(fresh, text, file.path);
    if (::fchmod(fresh.get(), file.mode) < 0 || ::fsync(fresh.get()) < 0) {
        throw errno_error("can't write " + file.path.string(), errno);
    }
    check_unchanged(file);
    if (::rename(name.c_str(), file.path.c_str()) < 0) {
        throw errno_error("can't put the new " + file.path.string() + " in its place", errno);
    }
    give_up.commit();
    const UniqueFd folder{::open(file.path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (folder) {
        ::fsync(folder.get());  // that it lasts over a power cut; it is whole in any case
    }
}

}  // namespace banger::cli
