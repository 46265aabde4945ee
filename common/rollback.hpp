// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <utility>
#include <vector>

namespace banger {

/// Undo steps, run in reverse by the destructor unless commit() was called. Steps must not throw; one that does is
/// swallowed so that the others still run.
class Rollback {
public:
    Rollback() = default;
    Rollback(const Rollback&) = delete;
    Rollback& operator=(const Rollback&) = delete;
    ~Rollback()
    {
        for (auto step = steps_.rbegin(); step != steps_.rend(); ++step) {
            try {
                (*step)();
            } catch (...) {  // NOLINT(bugprone-empty-catch): the next step matters more
            }
        }
    }

    void add(std::function<void()> undo) { steps_.push_back(std::move(undo)); }
    void commit() noexcept { steps_.clear(); }

private:
    std::vector<std::function<void()>> steps_;
};

}  // namespace banger
