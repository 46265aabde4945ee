// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <string>

#include "agent/core/task.hpp"

namespace banger::agent {

/// Whether a user may make a TAP in a namespace of his own here (agent/tap/README.md). Asked until he may, as what forbids it may
/// pass. Loop thread.
class TapSupport {
public:
    /// `tap`: banger-tap; empty where it isn't installed.
    TapSupport(EventLoop& loop, Lane& lane, std::filesystem::path tap)
        : loop_{&loop}, lane_{&lane}, tap_{std::move(tap)}
    {
    }
    /// Why not; empty when he may.
    Task<std::string> problem();

private:
    EventLoop* loop_;
    Lane* lane_;
    std::filesystem::path tap_;
    bool may_{false};
};

}  // namespace banger::agent
