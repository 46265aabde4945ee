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
    /// Goes on for as long as the log's folder is there.
    void follow(const Take& take);

private:
    /// True when the path names another file by now; it is then the one that is read, from its start.
    bool reopen();

    UniqueFd file_;
    std::string path_;
    std::uint64_t position_;
};

}  // namespace banger::cli
