// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <algorithm>
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "agent/core/vm/vm.hpp"
#include "agent/ports/notifier.hpp"
#include "agent/ports/terminals.hpp"

namespace banger::agent::test {

/// A row without a folder.
inline VmPtr row_of_vm(const std::string& name, VmState state = VmState::Stopped)
{
    static int number = 0;
    std::string id(12, '0');
    std::snprintf(id.data(), id.size() + 1, "%012d", ++number);
    constexpr std::size_t digits = 64;
    VmSpec spec{.name = VmName::parse(name),
                .image = "debian",
                .image_digest = Digest::parse(std::string(digits, 'a')),
                .kernel = "debian",
                .kernel_digest = Digest::parse(std::string(digits, 'b')),
                .vcpus = 1,
                .memory_mib = 256,
                .disk = 1 * gib};
    return std::make_shared<Vm>(VmRecord{.id = VmId::parse(id), .spec = std::move(spec), .state = state}, "/nowhere");
}

/// A daemon that answers when the test says so, or at once.
class FakeNotifier final : public Notifier {
public:
    Task<void> show(Notice notice) override
    {
        shown.push_back(std::move(notice));
        most_at_once = std::max(most_at_once, ++at_once);
        if (holds) {
            const Promise<Unit> turn;
            held.push_back(turn);
            co_await turn.wait();
        }
        --at_once;
        if (fails_with) {
            throw Error{*fails_with};
        }
    }
    void on_action(std::function<void(NoticeAction action, std::string subject)> call) override
    {
        chosen = std::move(call);
    }
    void release()
    {
        for (const auto& turn : std::exchange(held, {})) {
            turn.set(Unit{});
        }
    }

    bool holds{false};
    std::optional<Error> fails_with{};
    std::vector<Notice> shown;
    std::vector<Promise<Unit>> held;
    int at_once{0};
    int most_at_once{0};
    std::function<void(NoticeAction, std::string)> chosen;
};

class FakeTerminals final : public Terminals {
public:
    Task<void> open(TerminalCommand command) override
    {
        if (fails_with) {
            throw Error{*fails_with};
        }
        opened.push_back(std::move(command.argv));
        co_return;
    }

    std::optional<Error> fails_with{};
    std::vector<std::vector<std::string>> opened;
};

}  // namespace banger::agent::test
