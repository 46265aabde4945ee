// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <sys/types.h>

namespace banger::broker {

/// polkit. Loop thread.
class Authority {
public:
    /// Challenge: only an administrator's password, which nobody was asked for, would allow it. Unavailable: no answer is to be had.
    enum class Answer { Yes, No, Challenge, Unavailable };
    enum class Interaction { Never, Allowed };
    using Ticket = std::uint64_t;
    /// What a question's words may name as $(key), polkit(8): polkit/dev.banger.policy has the words. Rules of an administrator's see them, too.
    using Details = std::map<std::string, std::string>;

    Authority() = default;
    Authority(const Authority&) = delete;
    Authority& operator=(const Authority&) = delete;
    virtual ~Authority() = default;

    /// Asks whether the connection `sender` may do `action`; the subject is always its bus name (R1). `answered` is called once, later, from
    /// the loop, and not at all after forget().
    virtual Ticket ask(const std::string& sender, const std::string& action, const Details& details,
                       Interaction interaction, std::function<void(Answer)> answered) = 0;
    /// The answer isn't wanted any more: takes the question off the user's screen.
    virtual void forget(Ticket ticket) noexcept = 0;
};

/// What the bus itself knows of its connections. Loop thread.
class Callers {
public:
    Callers() = default;
    Callers(const Callers&) = delete;
    Callers& operator=(const Callers&) = delete;
    virtual ~Callers() = default;

    /// The uid with which `sender` connected; nullopt when it is gone. `told` is called once, later, from the loop.
    virtual void uid_of(const std::string& sender, std::function<void(std::optional<uid_t>)> told) = 0;
};

}  // namespace banger::broker
