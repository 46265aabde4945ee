// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "agent/core/task.hpp"

namespace banger::agent {

/// The Firecracker of this host: which file it is, and whether it can be used. A version that it told is asked for once as long as the
/// file stays the same. Loop thread.
class FirecrackerProgram {
public:
    /// `find` gives the program's path, or throws HostLacks.
    FirecrackerProgram(EventLoop& loop, Lane& lane, std::function<std::filesystem::path()> find);

    /// Throws HostLacks.
    std::filesystem::path path() const { return find_(); }
    /// Why it can't be used, with what mends that; empty when it can.
    Task<std::string> problem();
    /// As problem(), without asking anything that isn't known.
    std::string known_problem() const;

private:
    struct Identity {
        std::filesystem::path path;
        std::uintmax_t device, inode, size;
        std::int64_t changed_ns;
        bool operator==(const Identity&) const = default;
    };
    static std::optional<Identity> identity_of(const std::filesystem::path& path);

    EventLoop* loop_;
    Lane* lane_;
    std::function<std::filesystem::path()> find_;
    std::optional<Identity> asked_;
    std::string problem_{"Firecracker was not looked at yet"};
    TaskMutex one_at_a_time_;
};

}  // namespace banger::agent
