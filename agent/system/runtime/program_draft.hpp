// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "agent/core/runtime/bundle.hpp"
#include "agent/system/runtime/file_writer.hpp"
#include "agent/system/sha256.hpp"

namespace banger::agent {

/// A program on its way: its bytes go to a private file that nobody may run. Only when its sha256 is the promised one does it get an
/// x bit, its record and its name. Otherwise the file is gone with this object.
class ProgramDraft {
public:
    /// `file`: on the file system of its final place. Throws Failed, NoSpace.
    ProgramDraft(std::filesystem::path file, const BundledProgram& program);
    ProgramDraft(const ProgramDraft&) = delete;
    ProgramDraft& operator=(const ProgramDraft&) = delete;
    ~ProgramDraft();

    /// Throws NoSpace, CorruptData (over 64 MiB), Failed.
    void add(std::span<const std::uint8_t> bytes);
    /// Once, after the last byte. `origin`: where they came from, for people.
    /// Throws CorruptData (another sha256, naming both), NoSpace, Failed.
    void put(const std::filesystem::path& place, const std::string& origin);

private:
    std::filesystem::path file_;
    const BundledProgram* program_;
    FileWriter writer_;
    Sha256 sum_;
};

}  // namespace banger::agent
