// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/remote.hpp"

namespace banger::cli::tui {
namespace {

constexpr std::size_t most_kept = 256;

}  // namespace

RemoteObject& Remote::object(const std::string& path)
{
    if (objects_.size() > most_kept && objects_.find(path) == objects_.end()) {
        // One whose answer is being handled still owes it.
        std::erase_if(objects_, [](const auto& entry) { return entry.second->owed == 0; });
    }
    auto& kept = objects_[path];
    if (!kept) {
        kept = std::make_unique<RemoteObject>(*connection_, path);
    }
    return *kept;
}

}  // namespace banger::cli::tui
