// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>

#include "agent/ports/host_names.hpp"

namespace banger::agent {

/// The file that libnss_banger reads (agent/nss/README.md has its format). Loop thread: it is in memory (tmpfs), and small.
class NamesFile final : public HostNames {
public:
    /// `file`: empty where the user has no $XDG_RUNTIME_DIR, and so no place where he is looked for; then there is none.
    explicit NamesFile(std::filesystem::path file) : file_{std::move(file)} {}
    /// Writes it whole or not at all, 0600; without names it is removed.
    void tell(const std::vector<HostName>& names) override;

private:
    std::filesystem::path file_;
};

}  // namespace banger::agent
