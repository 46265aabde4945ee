// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nftables/libnftables.h>

#include <cstdint>
#include <optional>
#include <string>

#include "common/c_ptr.hpp"

namespace banger::broker {

/// libnftables. All throw HostLacks (no nftables in the kernel), Failed.
class NftLibrary {
public:
    NftLibrary();

    enum class Outcome { Done, Absent };
    /// One transaction. Absent: something that it names isn't there, and nothing was changed.
    Outcome run(const std::string& script);
    enum class Handles { No, Yes };
    /// What a `list` command prints, without counters; nullopt: there is no such thing.
    std::optional<std::string> list(const std::string& command, Handles handles);
    /// Number of the last transaction of anybody's, which each raises by one.
    std::uint32_t generation();

private:
    c_ptr<nft_ctx, nft_ctx_free> context_;
};

}  // namespace banger::broker
