// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "agent/core/config.hpp"
#include "agent/ports/guest_link.hpp"

namespace banger::agent {

/// A file of the user's on its way into a guest.
struct HomeFile {
    std::filesystem::path to;  ///< absolute, in the guest
    std::uint32_t mode;
    std::int64_t modified;  ///< seconds since 1970
    std::string content;
};

struct HomeFilesFound {
    std::vector<HomeFile> files;
    std::vector<std::string> remarks;  ///< a sentence for each that isn't there
};

/// Files of the user's home for [[file_sync]]. Worker threads: all of it blocks, for 20 s at most where a guest does not go on, and a
/// little longer than that where it is slow.
class HomeFiles {
public:
    HomeFiles() = default;
    HomeFiles(const HomeFiles&) = delete;
    HomeFiles& operator=(const HomeFiles&) = delete;
    virtual ~HomeFiles() = default;

    /// Throws InvalidArgument (outside of the home, no file, too much), Failed.
    virtual HomeFilesFound read(const std::vector<FileSync>& syncs) const = 0;
    /// Sends files of one folder as Vm.CopyIn takes them, and waits for the guest's last word. Throws Failed, TimedOut.
    virtual void send(GuestCopyEnds ends, const std::vector<HomeFile>& files) const = 0;
    /// Waits for a command's end, and throws Failed unless it went well, TimedOut.
    virtual void await_end(GuestCommandEnds ends) const = 0;
};

}  // namespace banger::agent
