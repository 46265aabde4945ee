// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

#include "broker/core/assembly.hpp"
#include "broker/core/quota_book.hpp"
#include "broker/ports/users.hpp"
#include "broker/ports/wall_clock.hpp"

namespace banger::broker {

/// One thing to do so that the machine is as the journal says.
struct Repair {
    enum class Kind {
        DestroySandbox,  ///< its user has been gone or another person for a day, or it was cut off while it came or went
        PutAway,         ///< its user is gone or another person: stopped, and nobody's
        GiveBack,        ///< its user is there again
        StopSandbox,     ///< it was cut off while it started or stopped, or what it needs is gone
        RemoveStray,     ///< kernel objects of ours that no record knows
    };
    Kind kind;
    SandboxKey key;
    std::string why;
    /// A line for people.
    std::string to_string() const;
};

/// Brings journal and machine together: at each start, and once a day (users that are gone). Doing it twice does nothing more; being killed
/// in it harms nothing. Lane thread.
class Reconciler {
public:
    struct Parts {
        Journal& journal;
        QuotaBook& quota;
        Assembly& assembly;
        Users& users;
        WallClock now{wall_time};
    };
    /// How long what was put away is kept: a user may only have got another name, and that may be a mistake.
    static constexpr std::chrono::hours grace{24};
    Reconciler(Parts parts, Kernel kernel) : parts_{parts}, kernel_{kernel} {}

    /// What there is to do; changes nothing but what is known of files' lengths.
    std::vector<Repair> plan();
    /// What the last plan() does nothing about, for people: records whose file isn't there, and files that no record knows. The other half may be
    /// on a disk that is mounted later, or in a backup that is being restored; when it is there again, all is as before.
    const std::vector<std::string>& left_alone() const noexcept { return left_alone_; }
    /// Does it, the firewall and the forwarding after it; gives what could not be done.
    std::vector<std::string> apply(const std::vector<Repair>& repairs);
    /// The firewall and the forwarding alone, after somebody has changed either; gives what was done, for the log. Where the firewall can't be
    /// put back all TAPs go down: nothing goes through them unfiltered (R29).
    std::vector<std::string> mend_network();

private:
    struct Seen;
    Seen look();
    void plan_record(const SandboxRecord& record, const Seen& seen, std::vector<Repair>& repairs);
    void plan_strays(const Seen& seen, std::vector<Repair>& repairs);
    static bool is_up(const SandboxRecord& record, const Seen& seen);
    bool plan_user(const SandboxRecord& record, const Seen& seen, std::vector<Repair>& repairs);
    void apply(const Repair& repair);
    void restore_firewall();
    void take_networks_down() noexcept;
    void remove_node(const SandboxKey& key);
    void stop(SandboxRecord record);
    void put_away(SandboxRecord record);

    Parts parts_;
    Kernel kernel_;
    std::vector<std::string> left_alone_;
    bool networks_are_down_{false};  ///< for the lack of rules; they go up with the next that can be put back
};

}  // namespace banger::broker
