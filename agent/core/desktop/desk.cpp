// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/desktop/desk.hpp"

#include <utility>

namespace banger::agent {

Desk::Desk(EventLoop& loop, VmManager& vms, Operations& operations, Terminals& terminals, Hooks hooks)
    : loop_{&loop}, vms_{&vms}, operations_{&operations}, terminals_{&terminals}, hooks_{std::move(hooks)}
{
}

void Desk::act(const SearchHit& hit)
{
    switch (hit.action) {
        case DeskAction::Open:
            open(hit.vm);
            return;
        case DeskAction::Start:
            start(hit.vm);
            return;
        case DeskAction::Stop:
            stop(hit.vm);
    }
}

void Desk::act(NoticeAction action, const std::string& subject)
{
    if (action == NoticeAction::OpenTui) {
        open_tui();
        return;
    }
    if (action == NoticeAction::NewSandbox) {
        make_sandbox(subject);
        return;
    }
    const auto found = find_result(vms_->list(), subject);
    if (!found) {
        return;
    }
    if (action == NoticeAction::OpenShell) {
        open(found->vm);
    } else if (action == NoticeAction::ShowLog) {
        show_log(found->vm);
    } else {
        start(found->vm);
    }
}

void Desk::open_tui() { in_terminal({"tui"}, "banger"); }

void Desk::show_log(const VmPtr& vm) { in_terminal({"vm", "logs", "--follow", vm->name()}, "log of " + vm->name()); }

/// An image's name begins with a letter or a digit (ArtifactName), so it is no option of `vm run`.
void Desk::make_sandbox(const std::string& image)
{
    in_terminal({"vm", "run", "--image", image}, "new sandbox of " + image);
}

void Desk::open(const VmPtr& vm)
{
    if (vm->record.state == VmState::Running) {
        // Not ssh, which wants an sshd in the image and keys: a window that closes at once says nothing. VmName has neither a dash at its
        // head nor a blank, so it is no option; behind `--` it would be the command.
        in_terminal({"vm", "exec", vm->name()}, "shell in " + vm->name());
        return;
    }
    spawn(open_when_up(vm), guarded([this, vm](std::exception_ptr failure) { after_start(vm, std::move(failure)); }));
}

Task<void> Desk::open_when_up(VmPtr vm)
{
    const std::weak_ptr<bool> alive{alive_};
    co_await bring_up(vm);
    if (alive.lock() && vm->record.state == VmState::Running) {
        open(vm);
    }
}

void Desk::start(const VmPtr& vm)
{
    spawn(bring_up(vm), guarded([this, vm](std::exception_ptr failure) { after_start(vm, std::move(failure)); }));
}

/// An operation like anybody's, so that others see it and may cancel it.
Task<void> Desk::bring_up(VmPtr vm)
{
    const auto operation = operations_->add("start", vm->name());
    const Promise<Unit> ended;
    operation->when_ended([loop = loop_, ended] { loop->post([ended] { ended.set(Unit{}); }); });
    operations_->run(operation, vms_->start(vm, operation, default_ready_limit));
    co_await ended.wait();
    if (const auto& error = operation->error()) {
        throw Error{*error};
    }
}

void Desk::after_start(const VmPtr& vm, std::exception_ptr failure)
{
    const auto error = failure ? std::optional{to_error(failure)} : std::nullopt;
    const bool is_told =
        vm->record.state == VmState::Failed && vm->record.spec.on_stop == StopPolicy::Keep;  // by VmNews
    if (!error || error->code() == ErrorCode::Cancelled || is_told) {
        return;
    }
    hooks_.tell({.key = key_of_vm(vm->record.id.str()),
                 .title = vm->name() + " did not start",
                 .body = notice_line(error->what()),
                 .about = vm->name(),
                 .action = NoticeAction::ShowLog,
                 .subject = vm->record.id.str()});
}

void Desk::stop(const VmPtr& vm)
{
    const auto operation = operations_->add("stop", vm->name());
    operation->when_ended([this, alive = std::weak_ptr{alive_}, vm, weak = std::weak_ptr<Operation>{operation}] {
        const auto ended = weak.lock();
        if (alive.lock() && ended && ended->state() == OperationState::Failed) {
            hooks_.tell({.key = key_of_vm(vm->record.id.str()),
                         .title = vm->name() + " was not stopped",
                         .body = notice_line(ended->error()->what()),
                         .about = vm->name(),
                         .action = NoticeAction::ShowLog,
                         .subject = vm->record.id.str()});
        }
    });
    operations_->run(operation, vms_->stop(vm, operation, default_stop_limit));
}

/// A window closes with its command; `internal window` keeps one open that fails at once, so that somebody reads why.
void Desk::in_terminal(std::vector<std::string> words, std::string title)
{
    words.insert(words.begin(), {hooks_.banger(), "internal", "window", "--"});
    TerminalCommand command{.argv = std::move(words), .title = std::move(title)};
    spawn(terminals_->open(std::move(command)),
          guarded([this](std::exception_ptr failure) { after_opening(std::move(failure)); }));
}

/// A host without a terminal program is told of once: what is missing stays missing.
void Desk::after_opening(std::exception_ptr failure)
{
    if (!failure) {
        lack_told_ = false;
        return;
    }
    const auto error = to_error(failure);
    if (error.code() == ErrorCode::HostLacks && std::exchange(lack_told_, true)) {
        return;
    }
    hooks_.log(std::string{"no terminal opens: "} + error.what());
    hooks_.tell({.key = "terminal",
                 .title = "No terminal opens",
                 .body = notice_line(error.what()),
                 .about = "terminals",
                 .action = std::nullopt,
                 .subject = {}});
}

std::function<void(std::exception_ptr)> Desk::guarded(std::function<void(std::exception_ptr)> ended)
{
    return [alive = std::weak_ptr{alive_}, ended = std::move(ended)](std::exception_ptr failure) {
        if (alive.lock()) {
            ended(std::move(failure));
        }
    };
}

}  // namespace banger::agent
