// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/task.hpp"
#include "agent/ports/host_names.hpp"
#include "common/event_loop.hpp"
#include "common/lane.hpp"

namespace banger::agent {

/// Tells names to another HostNames, and where the user has a mapdns program to that, too: `PROGRAM set [--data-file FILE] NAME.vm ADDRESS`
/// and `PROGRAM rm [--data-file FILE] NAME.vm`, one at a time, by argv. What was published is kept in a file, so that a bangerd that was
/// killed leaves no name for ever. Loop thread.
class MapdnsNames final : public HostNames {
public:
    struct Program {
        std::filesystem::path binary;     ///< empty, or nothing is there: no mapdns
        std::filesystem::path data_file;  ///< empty: mapdns' own choice
    };
    struct Settings {
        std::filesystem::path published;         ///< the file of what was published
        std::function<Program()> program;        ///< asked at each change
        std::function<void(std::string)> log;    ///< of what went wrong
        std::chrono::milliseconds limit{5'000};  ///< of one run
    };
    MapdnsNames(HostNames& first, EventLoop& loop, Lane& lane, Settings settings);

    /// Throws as the other one; never for mapdns, whose troubles are logged.
    void tell(const std::vector<HostName>& names) override;

private:
    using Addresses = std::map<std::string, std::string>;  ///< by NAME.vm
    void publish();
    Task<void> publish_all();
    Task<bool> publish_one(Program program);
    Task<bool> run(std::vector<std::string> argv);
    void remember() const;

    HostNames* first_;
    EventLoop* loop_;
    Lane* lane_;
    Settings settings_;
    Addresses wanted_;
    Addresses published_;
    bool publishing_{false};
    std::shared_ptr<bool> alive_{std::make_shared<bool>(true)};
};

}  // namespace banger::agent
