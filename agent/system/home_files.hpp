// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <utility>

#include "agent/ports/home_files.hpp"

namespace banger::agent {

/// The files below one home. Links are followed as long as they stay in it; what is opened is what was checked.
class FilesOfHome final : public HomeFiles {
public:
    explicit FilesOfHome(std::filesystem::path home) : home_{std::move(home)} {}

    HomeFilesFound read(const std::vector<FileSync>& syncs) const override;
    void send(GuestCopyEnds ends, const std::vector<HomeFile>& files) const override;
    void await_end(GuestCommandEnds ends) const override;

private:
    std::filesystem::path home_;
};

}  // namespace banger::agent
