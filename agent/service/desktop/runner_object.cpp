// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/desktop/runner_object.hpp"

#include <array>

#include "agent/service/dispatch.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

/// KRunner::QueryMatch's categories of relevance, and the place within one.
struct RunnerRank {
    std::int32_t category;
    double relevance;
};
constexpr std::array runner_ranks{RunnerRank{100, 1.0}, RunnerRank{70, 0.8}, RunnerRank{30, 0.5}};

/// A match that stands for an action already has none beside it.
std::vector<std::string> actions_of(const SearchHit& hit)
{
    std::vector<std::string> actions;
    for (const auto action : {DeskAction::Start, DeskAction::Stop}) {
        if (hit.action == DeskAction::Open && is_possible(action, hit.vm->record.state)) {
            actions.emplace_back(to_string(action));
        }
    }
    return actions;
}

}  // namespace

RunnerObject::RunnerObject(sdbus::IConnection& connection, DesktopCalls calls)
    : AdaptorInterfaces{connection, sdbus::ObjectPath{path}}, calls_{calls}
{
    registerAdaptor();
}

RunnerObject::~RunnerObject() { unregisterAdaptor(); }

RunnerObject::ActionRows RunnerObject::Actions()
{
    ++calls_.count;
    ActionRows rows;
    rows.emplace_back(std::string{to_string(DeskAction::Start)}, "Start", "media-playback-start");
    rows.emplace_back(std::string{to_string(DeskAction::Stop)}, "Stop", "media-playback-stop");
    return rows;
}

std::vector<RunnerObject::MatchRow> RunnerObject::Match(const std::string& query)
{
    ++calls_.count;
    return answer("Match", [&] {
        std::vector<MatchRow> rows;
        for (const auto& hit : search_vms(calls_.vms.list(), terms_of(query))) {
            const auto& rank = runner_ranks.at(static_cast<std::size_t>(hit.closeness));
            std::map<std::string, sdbus::Variant> properties{{"subtext", sdbus::Variant{description_of(hit)}},
                                                             {"category", sdbus::Variant{std::string{"Sandboxes"}}},
                                                             {"actions", sdbus::Variant{actions_of(hit)}}};
            rows.emplace_back(result_id(hit), title_of(hit), desktop_icon, rank.category, rank.relevance,
                              std::move(properties));
        }
        return rows;
    });
}

void RunnerObject::Run(const std::string& match_id, const std::string& action_id)
{
    ++calls_.count;
    answer("Run", [&] {
        auto hit = get_result(calls_.vms, match_id);
        if (!action_id.empty()) {
            const auto action = desk_action_of(action_id);
            if (!action) {
                throw banger::Error{ErrorCode::InvalidArgument,
                                    "there are the actions start and stop, not " + shown(action_id)};
            }
            hit.action = *action;
        }
        calls_.desk.act(hit);
    });
}

}  // namespace banger::agent
