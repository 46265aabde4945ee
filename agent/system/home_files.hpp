// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "agent/ports/home_files.hpp"

namespace banger::agent {

/// What a guest has to take: one that takes a little now and then would keep a worker thread, and its VM from stopping.
struct GuestPace {
    std::chrono::milliseconds first{20'000};
    std::uintmax_t bytes_a_second{std::uintmax_t{256} << 10U};  ///< after that
};

/// The files below one home. Links are followed as long as they stay in it; what is opened is what was checked.
class FilesOfHome final : public HomeFiles {
public:
    explicit FilesOfHome(std::filesystem::path home, GuestPace pace = {}) : home_{std::move(home)}, pace_{pace} {}

    HomeFilesFound read(const std::vector<FileSync>& syncs) const override;
    void send(GuestCopyEnds ends, const std::vector<HomeFile>& files) const override;
    void await_end(GuestCommandEnds ends) const override;

private:
    std::filesystem::path home_;
    GuestPace pace_;
};

}  // namespace banger::agent
