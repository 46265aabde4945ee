// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/record_files.hpp"

#include <cerrno>
#include <cstdio>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::broker {
namespace {

constexpr std::string_view record_suffix = ".toml";

std::string file_of(const SandboxKey& key) { return key.str() + std::string{record_suffix}; }

}  // namespace

RecordFiles::RecordFiles(const std::filesystem::path& folder) : folder_{folder} { folder_.remove_all_ending(".new"); }

std::vector<RecordStore::Entry> RecordFiles::load()
{
    std::vector<Entry> entries;
    for (const auto& name : folder_.names()) {
        if (!name.ends_with(record_suffix)) {
            continue;
        }
        if (auto text = folder_.read(name)) {
            entries.push_back({name, std::move(*text)});
        }
    }
    return entries;
}

void RecordFiles::save(const SandboxKey& key, const std::string& text) { folder_.write(file_of(key), text); }

void RecordFiles::remove(const SandboxKey& key)
{
    if (folder_.remove(file_of(key))) {
        folder_.sync();
    }
}

}  // namespace banger::broker
