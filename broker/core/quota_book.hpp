// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <optional>

#include "broker/core/config.hpp"
#include "broker/core/journal.hpp"

namespace banger::broker {

/// What somebody has, or wants more of.
struct Usage {
    std::uint32_t sandboxes{0};
    ByteSize bytes{};
};

/// Who has how much, counted before anything is allocated (R16). Lane thread.
class QuotaBook {
public:
    QuotaBook(const BrokerConfig& config, const Journal& journal) : config_{&config}, journal_{&journal} {}

    /// Throws QuotaExceeded when this user, or all together, would have more than they may.
    void check(uid_t uid, const Usage& more) const;
    /// A sandbox's file is of this length now; 0 when it has none.
    void set_allocated(const SandboxKey& key, ByteSize size);
    ByteSize allocated(const SandboxKey& key) const noexcept;

private:
    Usage usage_of(std::optional<uid_t> uid) const;

    const BrokerConfig* config_;
    const Journal* journal_;
    std::map<SandboxKey, ByteSize> allocated_;
};

}  // namespace banger::broker
