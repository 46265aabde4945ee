// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/desktop/image_news.hpp"

namespace banger::agent {

std::optional<Notice> ImageNews::look(const Operation& operation, Time now)
{
    const bool is_build = operation.kind() == "build-image";
    if (!is_build && operation.kind() != "pull-image") {
        return std::nullopt;
    }
    if (operation.state() == OperationState::Running) {
        begun_.emplace(operation.id(), now);
        return std::nullopt;
    }
    const auto begun = begun_.extract(operation.id());
    const bool is_long = !begun.empty() && now - begun.mapped() >= long_wait;
    if (!is_long || operation.state() == OperationState::Cancelled) {
        return std::nullopt;
    }
    const auto& name = operation.target();
    const std::string what = is_build ? "built" : "pulled";
    Notice notice{.key = "image:" + name, .title = {}, .about = name};
    if (operation.state() == OperationState::Done) {
        notice.title = "The image " + name + " is " + what;
        notice.action = NoticeAction::NewSandbox;
        notice.subject = name;
    } else {
        notice.title = "The image " + name + " could not be " + what;
        notice.body = notice_line(operation.error()->what());
        notice.action = NoticeAction::OpenTui;
    }
    return notice;
}

}  // namespace banger::agent
