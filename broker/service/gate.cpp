// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/gate.hpp"

#include <algorithm>
#include <vector>

namespace banger::broker {
namespace {

/// Whether a person may be asked. Of what NotDenied is for he was asked already.
bool is_interactive(const Rule& rule, std::uint32_t flags)
{
    return (flags & Gate::flag_interactive) != 0 && rule.need == Rule::Need::Action;
}

Error not_authorized(std::string_view of, Authority::Answer answer)
{
    const std::string action{of};
    switch (answer) {
        case Authority::Answer::No:
            return Error{ErrorCode::NotAuthorized, "polkit refuses " + action + " to you"};
        case Authority::Answer::Challenge:
            return Error{ErrorCode::NotAuthorized,
                         "polkit wants an administrator's password for " + action +
                             "; members of the group banger need none: as an administrator, usermod -aG banger USER, "
                             "then log in anew"};
        default:
            return Error{ErrorCode::NotAuthorized,
                         "polkit gives no answer, so nothing is allowed; systemctl status polkit"};
    }
}

Error user_database_is_away()
{
    return Error{ErrorCode::Unavailable,
                 "the user database does not answer, so nobody knows whose your uid is; try again"};
}

Error ending() { return Error{ErrorCode::Unavailable, "banger-broker is ending; try again"}; }

}  // namespace

struct Gate::Call {
    Request request;
    const Rule* rule;
    std::optional<uid_t> uid;
    std::chrono::steady_clock::time_point begun;
    std::optional<Authority::Ticket> question;  ///< that polkit has not answered
    std::unique_ptr<Clock::Timer> limit;
    bool runs{false};
    std::string user{};
    unsigned questions{0};  ///< so far; an answer to another than the last is none
    std::string_view asked{};
    Authority::Interaction interaction{Authority::Interaction::Never};
    std::vector<std::string_view> challenged{};  ///< of a rule's two actions, those that a person would have to allow
};

template <typename Step>
void Gate::guarded(CallId id, Step&& step) noexcept
{
    try {
        step();
    } catch (...) {
        refuse(id, failure_of(std::current_exception()));
    }
}

void Gate::serve(Request request) noexcept
{
    const auto id = ++last_;
    ++count_;
    auto call = std::make_shared<Call>(Call{.request = std::move(request),
                                            .rule = nullptr,
                                            .uid = std::nullopt,
                                            .begun = parts_.clock.now(),
                                            .question = std::nullopt,
                                            .limit = nullptr});
    call->rule = &rule_of(call->request.method);
    calls_.emplace(id, call);
    guarded(id, [&] {
        if ((call->request.flags & ~(flag_interactive | call->request.more_flags)) != 0) {
            throw Error{ErrorCode::InvalidArgument, "flags has bits that are not known"};
        }
        if (call->request.object.size() + call->request.more_bytes > longest) {
            throw Error{ErrorCode::InvalidArgument, "the arguments are longer than any that are right"};
        }
        parts_.callers.uid_of(call->request.sender, [this, id](std::optional<uid_t> uid) { identified(id, uid); });
    });
}

void Gate::identified(CallId id, std::optional<uid_t> uid)
{
    const auto found = calls_.find(id);
    if (found == calls_.end()) {
        return;
    }
    guarded(id, [&] {
        if (!uid) {
            throw Error{ErrorCode::NotAuthorized, "the caller is gone"};
        }
        found->second->uid = uid;
        check_quota(*uid);
        found->second->limit = parts_.clock.after(silent_limit, [this, id] { named(id, std::nullopt); });
        parts_.name_of(*uid, [this, id](const std::optional<std::string>& name) { named(id, name); });
    });
}

/// Also for what is the caller's own: whose it is, the uid alone doesn't tell (R32).
void Gate::named(CallId id, const std::optional<std::string>& name)
{
    const auto found = calls_.find(id);
    if (found == calls_.end() || !found->second->user.empty()) {
        return;  // ended by its limit, or told twice
    }
    guarded(id, [&] {
        auto& call = *found->second;
        call.limit.reset();
        if (!name) {
            throw user_database_is_away();
        }
        if (name->empty()) {
            throw Error{ErrorCode::NotAuthorized, "no user of this machine has the uid " + std::to_string(*call.uid)};
        }
        call.user = *name;
        if (call.rule->need == Rule::Need::Own) {
            run(id);
        } else {
            ask_polkit(id);
        }
    });
}

/// This one counts, too.
void Gate::check_quota(uid_t uid) const
{
    const auto known = [](const auto& row) { return row.second->uid.has_value(); };
    const auto theirs = [uid](const auto& row) { return row.second->uid == uid; };
    if (std::count_if(calls_.begin(), calls_.end(), known) > parts_.config.all.calls ||
        std::count_if(calls_.begin(), calls_.end(), theirs) > parts_.config.user.calls) {
        throw Error{ErrorCode::QuotaExceeded, "too many calls at once; wait for their answers"};
    }
}

void Gate::ask_polkit(CallId id)
{
    using Interaction = Authority::Interaction;
    const auto& call = *calls_.at(id);
    const bool at_once = call.rule->also.empty() && is_interactive(*call.rule, call.request.flags);
    ask(id, call.rule->action, at_once ? Interaction::Allowed : Interaction::Never);
}

void Gate::ask(CallId id, std::string_view action, Authority::Interaction interaction)
{
    if (!asks_) {
        throw ending();
    }
    auto& call = *calls_.at(id);
    const bool interactive = interaction == Authority::Interaction::Allowed;
    const auto number = ++call.questions;
    call.asked = action;
    call.interaction = interaction;
    call.limit = parts_.clock.after(interactive ? interactive_limit : silent_limit, [this, id, number] {
        guarded(id, [&] { decided(id, number, Authority::Answer::Unavailable); });
    });
    // Words that a person reads; there are none to fill in where nobody does.
    const auto details = interactive ? Authority::Details{{"user", call.user}} : Authority::Details{};
    call.question = parts_.authority.ask(
        call.request.sender, std::string{action}, details, interaction,
        [this, id, number](Authority::Answer answer) { guarded(id, [&] { decided(id, number, answer); }); });
}

void Gate::decided(CallId id, unsigned number, Authority::Answer answer)
{
    const auto found = calls_.find(id);
    if (found == calls_.end() || !found->second->limit || found->second->questions != number) {
        return;  // ended by its limit, or answered twice
    }
    auto& call = *found->second;
    call.limit.reset();
    const auto question = std::exchange(call.question, std::nullopt);
    if (answer == Authority::Answer::Unavailable && question) {
        parts_.authority.forget(*question);
    }
    if (!call.rule->also.empty() && call.interaction == Authority::Interaction::Never) {
        decided_of_two(id, answer);
        return;
    }
    const bool allowed = answer == Authority::Answer::Yes ||
                         (call.rule->need == Rule::Need::NotDenied && answer == Authority::Answer::Challenge);
    if (!allowed) {
        throw not_authorized(call.asked, answer);
    }
    recheck(id);
}

void Gate::ask_no_more()
{
    asks_ = false;
    for (const auto& [id, call] : std::map{calls_}) {  // a copy, as those that end go out of it
        if (call->question) {
            parts_.authority.forget(*call->question);
            refuse(id, {ending(), "it waited for polkit's answer, and the broker was told to leave"});
        }
    }
}

/// Each of the two was asked about without a person, so that a plain no to either is one; then he is asked once, for what is left to him.
void Gate::decided_of_two(CallId id, Authority::Answer answer)
{
    auto& call = *calls_.at(id);
    const auto& rule = *call.rule;
    if (answer == Authority::Answer::Challenge) {
        call.challenged.push_back(call.asked);
    } else if (answer != Authority::Answer::Yes) {
        throw not_authorized(call.asked, answer);
    }
    if (call.asked == rule.action) {
        ask(id, rule.also, Authority::Interaction::Never);
    } else if (call.challenged.empty()) {
        recheck(id);
    } else if (is_interactive(rule, call.request.flags)) {
        const bool one = call.challenged.size() == 1;
        ask(id, one ? call.challenged.front() : rule.both, Authority::Interaction::Allowed);
    } else {
        throw not_authorized(call.challenged.front(), Authority::Answer::Challenge);
    }
}

/// Minutes may have passed: the connection must still be there and the same user's, by uid and by name (R2, R12).
void Gate::recheck(CallId id)
{
    auto& call = *calls_.at(id);
    parts_.callers.uid_of(call.request.sender, [this, id](std::optional<uid_t> uid) {
        guarded(id, [&] {
            const auto found = calls_.find(id);
            if (found == calls_.end()) {
                return;
            }
            if (!uid || uid != found->second->uid) {
                throw Error{ErrorCode::NotAuthorized, "the caller is gone"};
            }
            ++found->second->questions;  // polkit's is answered
            found->second->limit = parts_.clock.after(silent_limit, [this, id] { named_again(id, std::nullopt); });
            parts_.name_of(*uid, [this, id](const std::optional<std::string>& name) { named_again(id, name); });
        });
    });
}

void Gate::named_again(CallId id, const std::optional<std::string>& name)
{
    const auto found = calls_.find(id);
    if (found == calls_.end() || !found->second->limit) {
        return;  // ended by its limit, or told twice
    }
    guarded(id, [&] {
        found->second->limit.reset();
        if (!name) {
            throw user_database_is_away();
        }
        if (name != found->second->user) {
            throw Error{ErrorCode::NotAuthorized, "the caller is gone: nobody says any more that your uid is yours"};
        }
        run(id);
    });
}

void Gate::run(CallId id)
{
    const auto call = calls_.at(id);
    call->runs = true;
    call->request.work(
        Caller{.uid = *call->uid, .sender = call->request.sender, .user = call->user},
        [this, id](std::optional<Failure> failure) { finish(id, AuditLine::Verdict::Allowed, failure); });
}

void Gate::refuse(CallId id, const Failure& why) noexcept
{
    const auto found = calls_.find(id);
    if (found == calls_.end()) {
        return;
    }
    const auto call = found->second;
    try {
        call->request.refuse(why.error);
    } catch (...) {  // NOLINT(bugprone-empty-catch): a bus that is gone takes no answers
    }
    finish(id, call->runs ? AuditLine::Verdict::Allowed : AuditLine::Verdict::Refused, why);
}

void Gate::finish(CallId id, AuditLine::Verdict verdict, const std::optional<Failure>& failure) noexcept
{
    const auto found = calls_.find(id);
    if (found == calls_.end()) {
        return;
    }
    const auto call = found->second;
    calls_.erase(found);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock.now() - call->begun);
    try {
        parts_.audit({.rule = call->rule,
                      .uid = call->uid,
                      .sender = call->request.sender,
                      .object = std::move(call->request.object),
                      .verdict = verdict,
                      .failure = failure,
                      .took = took});
    } catch (...) {  // NOLINT(bugprone-empty-catch): there is nowhere left to tell it
    }
}

}  // namespace banger::broker
