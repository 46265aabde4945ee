// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

#include "common/size.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {

/// A new file of the user's alone (0600) that is written from front to back, up to a limit.
class FileWriter {
public:
    /// `what`: what is written, for errors. Throws Failed (also for a file that is there already), NoSpace.
    FileWriter(const std::filesystem::path& file, ByteSize limit, std::string what);
    /// Throws NoSpace, CorruptData (over the limit), Failed.
    void add(std::span<const std::uint8_t> bytes);
    int fd() const noexcept { return fd_.get(); }
    /// Nothing can be added from then on.
    void close() noexcept { fd_.reset(); }

private:
    UniqueFd fd_;
    ByteSize limit_;
    std::string what_;
    std::uint64_t written_{0};
};

}  // namespace banger::agent
