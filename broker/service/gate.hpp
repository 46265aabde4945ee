// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "broker/core/config.hpp"
#include "broker/ports/authority.hpp"
#include "broker/ports/clock.hpp"
#include "broker/service/failure.hpp"
#include "broker/service/rules.hpp"

namespace banger::broker {

/// Who calls, as the bus says.
struct Caller {
    uid_t uid;
    std::string sender;  ///< unique name
    std::string user;    ///< the uid's name now, by which its present user is told from a former one (R32)
};

/// A user's name: "" where nobody has the uid, nullopt where the user database can't be asked. `told` is called once, later, from the loop, as a
/// directory service may take its time.
using NameOf = std::function<void(uid_t uid, std::function<void(std::optional<std::string> name)> told)>;

/// The one line that a call leaves in the log (R25).
struct AuditLine {
    const Rule* rule;
    std::optional<uid_t> uid;
    std::string sender;
    std::string object;  ///< the client's words for what it wants, as they came
    enum class Verdict { Allowed, Refused };
    Verdict verdict;
    std::optional<Failure> failure;  ///< of the verdict or of the work
    std::chrono::milliseconds took;
};

/// Where every call comes in and is answered: identity, rule, quota, polkit, work, answer, audit. Nothing is done for a call that has not
/// passed it. Loop thread.
class Gate {
public:
    /// How long polkit may take when it may ask the user, and when not; the latter for the user database, too.
    static constexpr std::chrono::milliseconds interactive_limit{120'000};
    static constexpr std::chrono::milliseconds silent_limit{10'000};
    static constexpr std::uint32_t flag_interactive = 1;
    /// Of a call's words, digests and descriptors' numbers: more than any that is right has. What waits is kept, so what is longer doesn't wait.
    static constexpr std::size_t longest = 256;

    /// One call. `work` begins what is wanted and says by `done`, once and from the loop, how it ended; `refuse` answers in its place. Neither
    /// throws out of its answer.
    using Done = std::function<void(std::optional<Failure>)>;
    struct Request {
        Method method;
        std::string sender;
        std::string object;
        std::uint32_t flags{0};
        std::uint32_t more_flags{0};  ///< beyond flag_interactive, those that this member knows
        std::size_t more_bytes{0};    ///< beyond `object`, of the call's arguments
        std::function<void(const Caller&, Done)> work;
        std::function<void(const Error&)> refuse;
    };

    struct Parts {
        Callers& callers;
        Authority& authority;
        Clock& clock;
        const BrokerConfig& config;
        NameOf name_of;
        std::function<void(const AuditLine&)> audit;
    };
    explicit Gate(Parts parts) : parts_{std::move(parts)} {}

    void serve(Request request) noexcept;
    /// From now on polkit is asked nothing: who waits for it, or would, is refused with Unavailable. For a broker that is told to end, whom a person
    /// at a prompt must not keep.
    void ask_no_more();
    std::size_t in_flight() const noexcept { return calls_.size(); }
    /// Calls since this was last asked.
    std::uint64_t calls_since_asked() noexcept { return std::exchange(count_, 0); }

private:
    struct Call;
    using CallId = std::uint64_t;

    void identified(CallId id, std::optional<uid_t> uid);
    void named(CallId id, const std::optional<std::string>& name);
    void named_again(CallId id, const std::optional<std::string>& name);
    void ask_polkit(CallId id);
    void ask(CallId id, std::string_view action, Authority::Interaction interaction);
    void decided(CallId id, unsigned number, Authority::Answer answer);
    void decided_of_two(CallId id, Authority::Answer answer);
    void recheck(CallId id);
    void run(CallId id);
    void refuse(CallId id, const Failure& why) noexcept;
    void finish(CallId id, AuditLine::Verdict verdict, const std::optional<Failure>& failure) noexcept;
    void check_quota(uid_t uid) const;
    /// Whatever `step` throws refuses the call.
    template <typename Step>
    void guarded(CallId id, Step&& step) noexcept;

    Parts parts_;
    std::map<CallId, std::shared_ptr<Call>> calls_;
    CallId last_{0};
    bool asks_{true};
    std::uint64_t count_{0};
};

}  // namespace banger::broker
