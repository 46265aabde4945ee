// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/state_folder.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"

namespace banger::broker {
namespace {

constexpr mode_t folder_mode = 0700;
constexpr mode_t file_mode = 0600;

UniqueFd open_folder(const std::string& path)
{
    if (::mkdir(path.c_str(), folder_mode) < 0 && errno != EEXIST) {
        throw errno_error("can't make " + path, errno);
    }
    UniqueFd folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
    if (!folder) {
        throw errno_error(path + " does not open", errno);
    }
    return folder;
}

}  // namespace

void write_all(int file, std::string_view bytes, const std::string& what)
{
    while (!bytes.empty()) {
        const auto written = ::write(file, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR) {
            throw errno_error("can't write " + what, errno);
        }
        bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
}

StateFolder::StateFolder(const std::filesystem::path& path) : path_{path.string()}, folder_{open_folder(path_)} {}

void StateFolder::sync() const
{
    if (::fsync(folder_.get()) < 0) {
        throw errno_error("can't put " + path_ + " on the disk", errno);
    }
}

std::vector<std::string> StateFolder::names() const
{
    // A descriptor of its own, as readdir moves the one that it has.
    const int again = ::openat(folder_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const c_ptr<DIR, ::closedir> entries{again < 0 ? nullptr : ::fdopendir(again)};
    if (!entries) {
        throw errno_error("can't list " + path_, errno);
    }
    std::vector<std::string> names;
    errno = 0;
    while (const auto* entry = ::readdir(entries.get())) {
        const std::string name{entry->d_name};
        if (name != "." && name != "..") {
            names.push_back(name);
        }
    }
    if (errno != 0) {
        throw errno_error("can't list " + path_, errno);
    }
    std::sort(names.begin(), names.end());
    return names;
}

bool StateFolder::has(const std::string& name) const
{
    struct stat status {};
    return ::fstatat(folder_.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0;
}

std::optional<UniqueFd> StateFolder::open(const std::string& name, int flags) const
{
    UniqueFd file{::openat(folder_.get(), name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC)};
    if (!file && errno == ENOENT) {
        return std::nullopt;
    }
    if (!file) {
        throw errno_error(path_ + "/" + name + " does not open", errno);
    }
    return file;
}

UniqueFd StateFolder::make(const std::string& name) const
{
    UniqueFd file{::openat(folder_.get(), name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, file_mode)};
    if (!file) {
        throw errno_error("can't make " + path_ + "/" + name, errno,
                          errno == EEXIST ? ErrorCode::AlreadyExists : ErrorCode::Failed);
    }
    return file;
}

bool StateFolder::remove(const std::string& name) const
{
    if (::unlinkat(folder_.get(), name.c_str(), 0) == 0) {
        return true;
    }
    if (errno != ENOENT) {
        throw errno_error("can't remove " + path_ + "/" + name, errno);
    }
    return false;
}

std::optional<std::string> StateFolder::read(const std::string& name) const
{
    const auto file = open(name, O_RDONLY);
    if (!file) {
        return std::nullopt;
    }
    std::string text;
    std::array<char, 4096> block;
    for (;;) {
        const auto got = ::read(file->get(), block.data(), block.size());
        if (got == 0) {
            return text;
        }
        if (got < 0 && errno != EINTR) {
            throw errno_error("can't read " + path_ + "/" + name, errno);
        }
        text.append(block.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
}

void StateFolder::write(const std::string& name, std::string_view text) const
{
    const auto draft = name + ".new";
    remove(draft);
    Rollback undo;
    const auto file = make(draft);
    undo.add([&] { remove(draft); });
    write_all(file.get(), text, path_ + "/" + draft);
    if (::fsync(file.get()) < 0) {
        throw errno_error("can't put " + path_ + "/" + name + " on the disk", errno);
    }
    if (::renameat(folder_.get(), draft.c_str(), folder_.get(), name.c_str()) < 0) {
        throw errno_error("can't replace " + path_ + "/" + name, errno);
    }
    undo.commit();
    sync();
}

void StateFolder::remove_all_ending(std::string_view suffix) const
{
    for (const auto& name : names()) {
        if (name.ends_with(suffix)) {
            remove(name);
        }
    }
}

}  // namespace banger::broker
