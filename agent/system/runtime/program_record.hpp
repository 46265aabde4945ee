// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "common/ids.hpp"

namespace banger::agent {

/// What tells a file from another one, or from a changed one, without reading it.
struct FileIdentity {
    std::uint64_t size;
    std::int64_t modified_ns;
    std::uint64_t inode;
    bool operator==(const FileIdentity&) const = default;
};

FileIdentity identity_of(const struct stat& status) noexcept;

/// NAME.json beside a program: that its checksum held, and of which file that was said.
struct ProgramRecord {
    Digest sha256;
    std::string origin;
    FileIdentity file;
};

std::filesystem::path record_of(const std::filesystem::path& program);
/// nullopt: there is none, or not a whole one.
std::optional<ProgramRecord> read_record(const std::filesystem::path& program);
/// Whole or not at all, and synced. Throws NoSpace, Failed.
void write_record(const std::filesystem::path& program, const ProgramRecord& record);

}  // namespace banger::agent
