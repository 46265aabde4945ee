// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <krunner1_adaptor.hpp>
#include <map>
#include <string>
#include <vector>

#include "agent/service/desktop/desktop_calls.hpp"

namespace banger::agent {

/// org.kde.krunner1: the search of SearchProviderObject, as KRunner asks for it.
class RunnerObject final : public sdbus::AdaptorInterfaces<org::kde::krunner1_adaptor> {
public:
    static constexpr auto path = "/dev/banger/Runner";

    RunnerObject(sdbus::IConnection& connection, DesktopCalls calls);
    RunnerObject(const RunnerObject&) = delete;
    RunnerObject& operator=(const RunnerObject&) = delete;
    ~RunnerObject();

private:
    using ActionRows = std::vector<sdbus::Struct<std::string, std::string, std::string>>;
    using MatchRow = sdbus::Struct<std::string, std::string, std::string, std::int32_t, double,
                                   std::map<std::string, sdbus::Variant>>;

    ActionRows Actions() override;
    std::vector<MatchRow> Match(const std::string& query) override;
    void Run(const std::string& match_id, const std::string& action_id) override;
    void Teardown() override {}

    DesktopCalls calls_;
};

}  // namespace banger::agent
