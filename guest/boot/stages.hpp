// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <map>
#include <string>

namespace banger::guest {

inline constexpr const char* run_folder = "/run/banger";

/// Milliseconds since the kernel began.
std::uint64_t boot_milliseconds() noexcept;

/// Stages of this boot with their times; they pass from the initrd to the service in a file in /run.
class Stages {
public:
    void reached(const std::string& stage) { times_.emplace(stage, boot_milliseconds()); }
    bool has(const std::string& stage) const { return times_.contains(stage); }
    const std::map<std::string, std::uint64_t>& times() const noexcept { return times_; }
    void save() const;
    static Stages load();

private:
    std::map<std::string, std::uint64_t> times_;
};

}  // namespace banger::guest
