// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/log_reader.hpp"

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "common/error.hpp"

namespace banger::cli {
namespace {

constexpr std::size_t block_size = 65536;

std::uint64_t size_of(int file)
{
    struct stat status {};
    if (::fstat(file, &status) < 0) {
        throw errno_error("can't read the log", errno);
    }
    return static_cast<std::uint64_t>(status.st_size);
}

std::size_t read_at(int file, std::uint64_t position, char* into, std::size_t most)
{
    ssize_t got = 0;
    do {
        got = ::pread(file, into, most, static_cast<off_t>(position));
    } while (got < 0 && errno == EINTR);
    if (got < 0) {
        throw errno_error("can't read the log", errno);
    }
    return static_cast<std::size_t>(got);
}

}  // namespace

LogWatch::LogWatch(const std::string& path) : path_{path}, fd_{::inotify_init1(IN_CLOEXEC)}
{
    const auto folder = path.substr(0, path.rfind('/'));
    if (fd_) {
        // Not what is written in the folder: disks are there.
        folder_ = ::inotify_add_watch(fd_.get(), folder.c_str(), IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR);
    }
    if (!fd_ || folder_ < 0) {
        throw errno_error("can't follow the log", errno);
    }
    watch_file();
}

// IN_ATTRIB: its name was taken away.
void LogWatch::watch_file() { ::inotify_add_watch(fd_.get(), path_.c_str(), IN_MODIFY | IN_MOVE_SELF | IN_ATTRIB); }

bool LogWatch::take() const
{
    alignas(inotify_event) std::array<char, 4096> buffer{};
    const auto got = ::read(fd_.get(), buffer.data(), buffer.size());
    if (got < 0 && errno != EINTR) {
        throw errno_error("can't follow the log", errno);
    }
    for (ssize_t at = 0; at < got;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        if (event->wd == folder_ && (event->mask & (IN_DELETE_SELF | IN_IGNORED)) != 0) {
            return false;
        }
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
    }
    return true;
}

std::uint64_t start_of_tail(int file, std::uint64_t lines)
{
    std::vector<char> block(block_size);
    const auto size = size_of(file);
    std::uint64_t seen = 0;
    for (auto end = size; end > 0;) {
        const auto begin = end > block_size ? end - block_size : 0;
        const auto got = read_at(file, begin, block.data(), static_cast<std::size_t>(end - begin));
        for (auto index = got; index > 0; --index) {
            const bool at_very_end = begin + index == size;  // the last line's own newline
            if (block[index - 1] == '\n' && !at_very_end && ++seen == lines) {
                return begin + index;
            }
        }
        end = begin;
    }
    return lines == 0 ? size : 0;
}

std::uint64_t LogReader::present_end()
{
    const auto size = size_of(file_.get());
    position_ = position_ <= size ? position_ : 0;  // it was emptied
    return size;
}

void LogReader::read(const Take& take)
{
    if (!file_) {
        return;
    }
    std::vector<char> block(block_size);
    present_end();
    while (const auto got = read_at(file_.get(), position_, block.data(), block.size())) {
        position_ += got;
        take({block.data(), got});
    }
}

void LogReader::read_last(std::uint64_t most, const Take& take)
{
    if (!file_) {
        return;
    }
    const auto size = present_end();
    position_ = size - position_ > most ? size - most : position_;
    std::vector<char> block(block_size);
    while (position_ < size) {
        const auto wanted = std::min<std::uint64_t>(block.size(), size - position_);
        const auto got = read_at(file_.get(), position_, block.data(), static_cast<std::size_t>(wanted));
        if (got == 0) {
            return;  // emptied meanwhile
        }
        position_ += got;
        take({block.data(), got});
    }
}

bool LogReader::reopen()
{
    struct stat at_path {};
    struct stat open_one {};
    if (file_ && ::fstat(file_.get(), &open_one) == 0 && open_one.st_nlink == 0) {
        file_.reset();  // an open file would keep its folder, whose end is waited for
    }
    const bool is_there = ::stat(path_.c_str(), &at_path) == 0;
    if (!is_there || (file_ && at_path.st_ino == open_one.st_ino)) {
        return false;
    }
    UniqueFd fresh{::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (!fresh) {
        return false;
    }
    file_ = std::move(fresh);
    position_ = 0;
    return true;
}

void LogReader::follow(const Take& take)
{
    LogWatch watch{path_};
    do {
        read(take);
        if (reopen()) {
            watch.watch_file();
            read(take);
        }
    } while (watch.take());
}

}  // namespace banger::cli
