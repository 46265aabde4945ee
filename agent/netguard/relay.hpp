// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "agent/netguard/frame_filter.hpp"
#include "common/unique_fd.hpp"

namespace banger::netguard {

/// A descriptor to look at while the relay runs, and what to do when it is readable.
struct Watch {
    int fd{-1};  ///< negative: none
    std::function<void()> changed{};
};

/// Carries bytes between a VMM and passt until either side has closed or shut down its end. Frames to passt have to please the rules; what
/// comes from passt passes unseen. Memory: one FrameStream and one buffer; a side that doesn't read stops the other by a full socket.
class Relay {
public:
    /// What one read or write did. Blocked: nothing to read, or no room; Ended: closed, shut down or broken.
    enum class Flow { Blocked, Moved, Ended };
    struct Transfer {
        Flow flow;
        std::size_t bytes;
    };

    /// Both are stream sockets. `rules` may change inside `watch.changed`, and only there.
    Relay(UniqueFd vmm, UniqueFd passt, const Rules& rules, Watch watch = {});

    /// Throws CorruptData (see FrameStream), Failed, and what the watch throws.
    void run();
    std::uint64_t dropped() const noexcept { return stream_.dropped(); }

private:
    Flow to_passt();
    Flow to_vmm();
    void finish(bool vmm_closed, bool passt_closed);

    UniqueFd vmm_;
    UniqueFd passt_;
    const Rules* rules_;
    Watch watch_;
    FrameStream stream_;
    bool passt_full_{false};
    static constexpr std::size_t capacity = std::size_t{256} * 1024;
    std::unique_ptr<std::byte[]> buffer_;
    std::size_t begin_{0};
    std::size_t end_{0};
};

}  // namespace banger::netguard
