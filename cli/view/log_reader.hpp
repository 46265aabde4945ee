// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "common/unique_fd.hpp"

namespace banger::cli {

/// Where the last `lines` lines of a file begin, in bytes. Reads backwards, so a long file costs no more than a short one.
std::uint64_t start_of_tail(int file, std::uint64_t lines);

/// inotify(7) over a log and its folder.
class LogWatch {
public:
    /// Throws Failed, NotFound where the folder is gone.
    explicit LogWatch(const std::string& path);

    /// Readable when something has changed.
    int fd() const noexcept { return fd_.get(); }
    /// After the path came to name another file.
    void watch_file();
    /// Takes what has changed, waiting for it where nothing has; false when the folder is gone.
    bool take() const;

private:
    std::string path_;
    UniqueFd fd_;
    int folder_{-1};
};

/// Gives the bytes of a log that grows, is emptied (copied away and truncated) and is replaced (renamed away).
class LogReader {
public:
    using Take = std::function<void(std::string_view bytes)>;

    LogReader(UniqueFd file, std::string path, std::uint64_t position)
        : file_{std::move(file)}, path_{std::move(path)}, position_{position}
    {
    }

    /// Everything up to the present end.
    void read(const Take& take);
    /// The last `most` bytes at most of what is new, for who can't keep up with all of it.
    void read_last(std::uint64_t most, const Take& take);
    /// True when the path names another file by now; it is then the one that is read, from its start.
    bool reopen();
    /// Goes on for as long as the log's folder is there.
    void follow(const Take& take);

private:
    std::uint64_t present_end();

    UniqueFd file_;
    std::string path_;
    std::uint64_t position_;
};

}  // namespace banger::cli
