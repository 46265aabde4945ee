// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/bundle_stamps.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/core/vm/vm_files.hpp"
#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

/// Discarded where there is none, or a damaged one.
nlohmann::json read_all_stamps(const std::filesystem::path& file)
{
    std::error_code none;
    if (!std::filesystem::is_regular_file(file, none)) {  // reading a folder would throw
        return nlohmann::json(nlohmann::json::value_t::discarded);
    }
    std::ifstream stream{file};
    return nlohmann::json::parse(stream, nullptr, false);
}

BundleStamps stamps_of(const nlohmann::json& json)
{
    BundleStamps stamps{.origin = json.at("origin").get<std::string>()};
    if (const auto archive = json.value("archive", std::string{}); !archive.empty()) {
        stamps.archive = Digest::parse(archive);
    }
    for (const auto& [name, stamp] : json.at("files").items()) {
        stamps.files.emplace(name, BundleStamp{.sha256 = Digest::parse(stamp.at("sha256").get<std::string>()),
                                               .file = {.size = stamp.at("size").get<std::uint64_t>(),
                                                        .modified_ns = stamp.at("modified_ns").get<std::int64_t>(),
                                                        .inode = stamp.at("inode").get<std::uint64_t>()}});
    }
    return stamps;
}

}  // namespace

BundleStamps read_bundle_stamps(const std::filesystem::path& file, const std::filesystem::path& folder)
{
    const auto all = read_all_stamps(file);
    try {
        if (const auto at = all.is_object() ? all.find(to_utf8(folder.string())) : all.end(); at != all.end()) {
            return stamps_of(*at);
        }
    } catch (const nlohmann::json::exception&) {  // NOLINT(bugprone-empty-catch): none, and all is read again
    } catch (const Error&) {                      // NOLINT(bugprone-empty-catch)
    }
    return {};
}

void write_bundle_stamps(const std::filesystem::path& file, const std::filesystem::path& folder,
                         const BundleStamps& stamps)
{
    auto files = nlohmann::json::object();
    for (const auto& [name, stamp] : stamps.files) {
        files[name] = {{"sha256", stamp.sha256.str()},
                       {"size", stamp.file.size},
                       {"modified_ns", stamp.file.modified_ns},
                       {"inode", stamp.file.inode}};
    }
    auto all = read_all_stamps(file);
    if (!all.is_object()) {
        all = nlohmann::json::object();
    }
    all[to_utf8(folder.string())] = {
        {"origin", stamps.origin}, {"archive", stamps.archive ? stamps.archive->str() : ""}, {"files", files}};
    write_whole(file, all);
}

}  // namespace banger::agent
