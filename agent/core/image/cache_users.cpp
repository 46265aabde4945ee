// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/cache_users.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/core/vm/vm_files.hpp"

namespace banger::agent {
namespace {

/// Of the folder, or of what is left of the way to it.
std::uint64_t device_of(std::filesystem::path path)
{
    struct stat status {};
    while (::stat(path.c_str(), &status) < 0 && path.has_relative_path()) {
        path = path.parent_path();
    }
    return static_cast<std::uint64_t>(status.st_dev);
}

/// The file system that it was on is there, and it is not.
bool is_gone_for_good(const std::filesystem::path& state, std::uint64_t device)
{
    std::error_code none;
    return !std::filesystem::exists(state, none) && device_of(state) == device;
}

}  // namespace

void CacheUsers::write(const std::set<std::string>& digests) const
{
    if (owner_.empty()) {
        return;
    }
    const auto file = folder_ / (owner_ + ".json");
    if (digests.empty()) {
        std::error_code none;
        std::filesystem::remove(file, none);
        return;
    }
    make_private_folder(folder_);
    write_whole(file, {{"state", state_.string()}, {"device", device_of(state_)}, {"digests", digests}});
}

std::vector<std::string> CacheUsers::others_of(const Digest& digest) const
{
    std::vector<std::string> users;
    std::error_code none;
    for (std::filesystem::directory_iterator at{folder_, none}; at != std::filesystem::directory_iterator{};
         at.increment(none)) {
        const auto& file = at->path();
        if (file.extension() != ".json" || file.stem() == owner_) {
            continue;
        }
        try {
            std::ifstream stream{file};
            const auto json = nlohmann::json::parse(stream);
            const std::filesystem::path state{json.at("state").get<std::string>()};
            const auto digests = json.at("digests").get<std::set<std::string>>();
            if (is_gone_for_good(state, json.at("device").get<std::uint64_t>())) {
                std::filesystem::remove(file, none);
            } else if (digests.contains(digest.str())) {
                users.push_back(state.string());
            }
        } catch (const nlohmann::json::exception&) {
            users.push_back("whom the damaged " + file.string() + " is of");
        }
    }
    std::sort(users.begin(), users.end());
    return users;
}

}  // namespace banger::agent
