// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/bundle_publish.hpp"

#include <sys/stat.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <set>

#include "agent/core/runtime/bundle_contents.hpp"
#include "agent/system/image/artifact_draft.hpp"
#include "agent/system/runtime/runtime_lock.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

constexpr auto next_bundle = ".next";          ///< whole and checked, on its way into the folder; bundle.json goes last
constexpr auto old_description = ".old.json";  ///< of the bundle that is being replaced

/// Nothing where it says nothing that we understand.
std::set<std::string> files_named_by(const fs::path& description)
{
    std::set<std::string> files;
    std::ifstream stream{description};
    try {
        const std::string text{std::istreambuf_iterator<char>{stream}, {}};
        for (const auto& part : parse_bundle_contents(text, description.string()).parts) {
            files.insert(part.file);
        }
    } catch (const Error&) {  // NOLINT(bugprone-empty-catch): then its files stay, and harm nobody
    }
    return files;
}

void move_file(const fs::path& from, const fs::path& to)
{
    std::error_code problem;
    fs::rename(from, to, problem);
    if (problem) {
        throw errno_error("can't put " + to.string() + " in its place", problem.value());
    }
}

void give_modes(const fs::path& draft)
{
    std::ifstream stream{draft / bundle_description};
    const std::string text{std::istreambuf_iterator<char>{stream}, {}};
    for (const auto& part : parse_bundle_contents(text, bundle_description).parts) {
        const auto file = draft / part.file;
        if (::chmod(file.c_str(), static_cast<mode_t>(bundle_part_kind(part.name).mode)) < 0) {
            throw errno_error("can't write " + file.string(), errno);
        }
    }
    ::chmod((draft / bundle_description).c_str(), 0644);
}

}  // namespace

void publish_bundle(const fs::path& folder, const fs::path& draft)
{
    give_modes(draft);
    for (const auto& entry : fs::directory_iterator{draft}) {
        sync_to_disk(entry.path());
    }
    sync_to_disk(draft);
    fs::remove_all(folder / next_bundle);
    move_file(draft, folder / next_bundle);
    finish_publishing(folder);
}

void finish_publishing(const fs::path& folder)
{
    const auto next = folder / next_bundle;
    const auto description = folder / bundle_description;
    if (fs::exists(next / bundle_description)) {
        if (fs::exists(description)) {
            move_file(description, folder / old_description);  // from here on there is no bundle
        }
        for (const auto& entry : fs::directory_iterator{next}) {
            if (entry.path().filename() != bundle_description) {
                move_file(entry.path(), folder / entry.path().filename());
            }
        }
        sync_to_disk(folder);
        move_file(next / bundle_description, description);
        sync_to_disk(folder);
    }
    fs::remove_all(next);
    if (fs::exists(folder / old_description)) {
        const auto kept = files_named_by(description);
        for (const auto& file : files_named_by(folder / old_description)) {
            if (!kept.contains(file)) {
                fs::remove(folder / file);
            }
        }
        fs::remove(folder / old_description);
    }
}

}  // namespace banger::agent
