// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/stages.hpp"

#include <ctime>
#include <fstream>

namespace banger::guest {

std::uint64_t boot_milliseconds() noexcept
{
    timespec now{};
    ::clock_gettime(CLOCK_BOOTTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec * 1000 + now.tv_nsec / 1'000'000);
}

void Stages::save() const
{
    std::ofstream file{std::string{run_folder} + "/stages"};
    for (const auto& [stage, time] : times_) {
        file << stage << ' ' << time << '\n';
    }
}

Stages Stages::load()
{
    Stages stages;
    std::ifstream file{std::string{run_folder} + "/stages"};
    std::string stage;
    for (std::uint64_t time = 0; file >> stage >> time;) {
        stages.times_[stage] = time;
    }
    return stages;
}

}  // namespace banger::guest
