// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

#include "common/event_loop.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {

/// Calls for each file of a folder that appears or is written to, inotify(7). Loop thread.
class FolderWatch {
public:
    /// `changed` gets the file's name; it may destroy this. Throws NoSpace (no watches left), Failed.
    FolderWatch(EventLoop& loop, const std::filesystem::path& folder, std::function<void(std::string_view)> changed);

private:
    void read();

    UniqueFd inotify_;
    std::function<void(std::string_view)> changed_;
    EventLoop::Source source_;
    std::shared_ptr<bool> alive_{std::make_shared<bool>(true)};
};

}  // namespace banger::agent
