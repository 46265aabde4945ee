// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/program_record.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/core/vm/vm_files.hpp"
#include "common/error.hpp"

namespace banger::agent {

std::filesystem::path record_of(const std::filesystem::path& program) { return program.string() + ".json"; }

FileIdentity identity_of(const struct stat& status) noexcept
{
    constexpr std::int64_t second_ns = 1'000'000'000;
    return {.size = static_cast<std::uint64_t>(status.st_size),
            .modified_ns = status.st_mtim.tv_sec * second_ns + status.st_mtim.tv_nsec,
            .inode = status.st_ino};
}

std::optional<ProgramRecord> read_record(const std::filesystem::path& program)
{
    std::error_code none;
    if (!std::filesystem::is_regular_file(record_of(program), none)) {  // reading a folder would throw
        return std::nullopt;
    }
    std::ifstream file{record_of(program)};
    const auto json = nlohmann::json::parse(file, nullptr, false);
    if (!json.is_object()) {
        return std::nullopt;
    }
    try {
        return ProgramRecord{.sha256 = Digest::parse(json.at("sha256").get<std::string>()),
                             .origin = json.at("origin").get<std::string>(),
                             .file = {.size = json.at("size").get<std::uint64_t>(),
                                      .modified_ns = json.at("modified_ns").get<std::int64_t>(),
                                      .inode = json.at("inode").get<std::uint64_t>()}};
    } catch (const nlohmann::json::exception&) {
        return std::nullopt;
    } catch (const Error&) {
        return std::nullopt;
    }
}

void write_record(const std::filesystem::path& program, const ProgramRecord& record)
{
    write_whole(record_of(program), {{"sha256", record.sha256.str()},
                                     {"origin", record.origin},
                                     {"size", record.file.size},
                                     {"modified_ns", record.file.modified_ns},
                                     {"inode", record.file.inode}});
}

}  // namespace banger::agent
