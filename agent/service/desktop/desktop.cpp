// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/desktop/desktop.hpp"

#include "agent/service/banger_program.hpp"
#include "agent/service/json_log.hpp"

namespace banger::agent {

Desktop::Desktop(sdbus::IConnection& connection, Agent& agent, const DesktopPorts& ports)
    : agent_{&agent},
      notifier_{&ports.notifier},
      notices_{agent.loop(),
               ports.notifier,
               {.wanted = [&agent] { return agent.settings().now()->notifications; },
                .now = [] { return std::chrono::steady_clock::now(); },
                .log = [](const std::string& text) { json_log::write(json_log::Level::Info, text); }}},
      desk_{agent.loop(),
            agent.vms(),
            agent.operations(),
            ports.terminals,
            {.banger = banger_program,
             .tell = [this](Notice notice) { notices_.tell(std::move(notice)); },
             .log = [](const std::string& text) { json_log::write(json_log::Level::Warn, text); }}},
      search_provider_{connection, {agent.vms(), desk_, count_}},
      runner_{connection, {agent.vms(), desk_, count_}}
{
    notifier_->on_action([this](NoticeAction action, const std::string& subject) { desk_.act(action, subject); });
    follow_vms();
    follow_operations();
}

Desktop::~Desktop()
{
    notifier_->on_action({});
    agent_->observe_too({});
    agent_->on_operation({});
}

void Desktop::follow_vms()
{
    for (const auto& vm : agent_->vms().list()) {
        vm_news_.learn(*vm);
    }
    agent_->observe_too({.added = [this](const VmPtr& vm) { vm_news_.learn(*vm); },
                         .changed =
                             [this](const VmPtr& vm) {
                                 if (auto notice = vm_news_.look(*vm)) {
                                     notices_.tell(std::move(*notice));
                                 }
                             },
                         .removed =
                             [this](const VmPtr& vm) {
                                 vm_news_.forget(*vm);
                                 notices_.withdraw(key_of_vm(vm->record.id.str()));
                             },
                         .log = {},
                         .little_room = [this](ByteSize free) { notices_.tell(news_of_little_room(free)); }});
}

void Desktop::follow_operations()
{
    agent_->on_operation([this](const Operation& operation) {
        if (auto notice = image_news_.look(operation, std::chrono::steady_clock::now())) {
            notices_.tell(std::move(*notice));
        }
    });
}

}  // namespace banger::agent
