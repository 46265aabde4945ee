// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <nettle/sha2.h>

#include <cstdint>
#include <filesystem>
#include <span>
#include <stop_token>

#include "common/ids.hpp"

namespace banger::agent {

/// A sha256 that is fed piece by piece.
class Sha256 {
public:
    Sha256() noexcept { sha256_init(&context_); }
    void add(std::span<const std::uint8_t> bytes) noexcept { sha256_update(&context_, bytes.size(), bytes.data()); }
    /// The digest of what was added so far; it begins anew.
    Digest finish();

private:
    sha256_ctx context_{};
};

/// Of a regular file's bytes. Throws NotFound, Failed (also for what is no regular file), Cancelled.
Digest sha256_of_file(const std::filesystem::path& file, const std::stop_token& stop);

}  // namespace banger::agent
