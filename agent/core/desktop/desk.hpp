// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/desktop/notice.hpp"
#include "agent/core/desktop/vm_search.hpp"
#include "agent/core/operation.hpp"
#include "agent/core/vm/vm_manager.hpp"
#include "agent/ports/terminals.hpp"

namespace banger::agent {

/// Does what somebody chose in a search or in a notification: opens terminals, starts and stops VMs. Whoever chose has no way to hear how it
/// went, so what goes wrong becomes a notice. Nothing here throws; all but the first step goes on in the background. Loop thread.
class Desk {
public:
    struct Hooks {
        std::function<std::string()> banger;  ///< the program, an absolute path where it was found
        std::function<void(Notice)> tell;
        std::function<void(const std::string& message)> log;
    };
    Desk(EventLoop& loop, VmManager& vms, Operations& operations, Terminals& terminals, Hooks hooks);

    void act(const SearchHit& hit);
    /// As a notice has it. One whose VM is gone by now does nothing.
    void act(NoticeAction action, const std::string& subject);
    void open_tui();

private:
    void open(const VmPtr& vm);
    void start(const VmPtr& vm);
    void stop(const VmPtr& vm);
    void show_log(const VmPtr& vm);
    void make_sandbox(const std::string& image);
    void in_terminal(std::vector<std::string> words, std::string title);
    Task<void> open_when_up(VmPtr vm);
    Task<void> bring_up(VmPtr vm);
    void after_start(const VmPtr& vm, std::exception_ptr failure);
    void after_opening(std::exception_ptr failure);
    std::function<void(std::exception_ptr)> guarded(std::function<void(std::exception_ptr)> ended);

    EventLoop* loop_;
    VmManager* vms_;
    Operations* operations_;
    Terminals* terminals_;
    Hooks hooks_;
    bool lack_told_{false};
    std::shared_ptr<bool> alive_{std::make_shared<bool>(true)};
};

}  // namespace banger::agent
