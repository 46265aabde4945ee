// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/workspace/work_folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <string>
#include <system_error>

#include "common/error.hpp"
#include "common/file_lock.hpp"
#include "common/paths.hpp"

namespace banger::cli {
namespace {

namespace fs = std::filesystem;

constexpr auto lock_suffix = ".lock";

/// A process's own locks never stop it, so its folders are known by name.
std::string own_prefix() { return std::to_string(::getpid()) + "-"; }

/// Folders whose maker is gone. The lock is a file beside the folder, so that it exists before the folder does.
void take_away_leftovers(const fs::path& parent)
{
    std::error_code problem;
    for (const auto& entry : fs::directory_iterator{parent, problem}) {
        if (entry.path().extension() != lock_suffix || entry.path().filename().string().starts_with(own_prefix())) {
            continue;
        }
        if (const auto lock = lock_file(entry.path(), std::chrono::seconds{0})) {
            auto folder = entry.path();
            fs::remove_all(folder.replace_extension(), problem);
            fs::remove(entry.path(), problem);
        }
    }
}

}  // namespace

WorkFolder::WorkFolder(const fs::path& parent)
{
    fs::create_directories(parent);
    take_away_leftovers(parent);
    for (int number = 0;; ++number) {
        path_ = parent / (own_prefix() + std::to_string(number));
        auto lock = lock_file(path_.string() + lock_suffix, std::chrono::seconds{0});
        if (lock && ::mkdir(path_.c_str(), S_IRWXU) == 0) {
            lock_ = std::move(*lock);
            return;
        }
        if (lock && errno != EEXIST) {
            throw errno_error(path_.string(), errno);
        }
    }
}

WorkFolder::~WorkFolder()
{
    std::error_code problem;  // what can't be removed now is tried again by the next one
    fs::remove_all(path_, problem);
    fs::remove(path_.string() + lock_suffix, problem);
}

fs::path work_folders()
{
    const auto paths = find_paths([](const char* name) -> std::optional<std::string> {
        const char* value = std::getenv(name);
        return value == nullptr ? std::nullopt : std::optional{std::string{value}};
    });
    return paths.cache / "workspaces";
}

}  // namespace banger::cli
