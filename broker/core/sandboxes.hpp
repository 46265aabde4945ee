// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/core/assembly.hpp"
#include "broker/core/quota_book.hpp"
#include "broker/ports/wall_clock.hpp"

namespace banger::broker {

/// What a started sandbox's owner gets.
struct StartedSandbox {
    std::string disk;  ///< path of the node; empty without a disk
    std::optional<SandboxNetwork> network;
};

/// How a sandbox is now.
struct SandboxView {
    SandboxRecord record;
    std::string disk;                       ///< empty while stopped
    std::optional<SandboxNetwork> network;  ///< while it runs
    bool held;                              ///< its file can't grow: I/O waits
    bool broken;                            ///< its file could not be written: I/O fails
    ByteSize used;
    ByteSize allocated;
    const char* state() const noexcept;  ///< as the contract has it
};

/// The operations on sandboxes. Each changes the journal before the kernel, does all or nothing, and may be cut off anywhere:
/// the next start's reconciling cleans up. Lane thread.
class Sandboxes {
public:
    enum class Tap { No, Yes };
    enum class Force { No, Yes };
    enum class Copy { Whole, Failed };

    struct Parts {
        const BrokerConfig& config;
        Journal& journal;
        QuotaBook& quota;
        Assembly& assembly;
        WallClock now{wall_time};
    };
    Sandboxes(Parts parts, Kernel kernel) : parts_{parts}, kernel_{kernel} {}

    /// `user`: the name of its uid now. `limit` 0 and `digest` empty: no disk. Throws InvalidArgument, AlreadyExists, QuotaExceeded, NoSpace.
    void create(const SandboxKey& key, const std::string& user, const std::string& digest, ByteSize limit,
                Nat nat = Nat::Off);
    /// `base` for one with a disk, and only then. Throws NotFound, WrongState, InvalidArgument, InUse, and what the ports throw.
    StartedSandbox start(const SandboxKey& key, const std::optional<BaseDisk>& base, Tap tap);
    /// One that is stopped is no error. Throws NotFound, InUse.
    void stop(const SandboxKey& key);
    /// Throws NotFound, InvalidArgument, QuotaExceeded.
    void grow(const SandboxKey& key, ByteSize limit);
    /// Throws NotFound, and what the ports throw.
    void set_nat(const SandboxKey& key, Nat nat);
    /// Where a name may be served. Throws NotFound, WrongState, AlreadyExists.
    SandboxNetwork check_name(const SandboxKey& key, const std::string& name) const;
    /// As above; empty: none. `server` stays open for as long as the name, so that nobody else gets its port when its owner's program has ended.
    SandboxNetwork set_name(const SandboxKey& key, const std::string& name, UniqueFd server = {});
    /// Force: also while its disk is open, which then goes when it is closed, and where its file is not there. Throws NotFound, InUse, HostLacks.
    void destroy(const SandboxKey& key, Force force);

    /// A clone is begun here, copied anywhere, and ended here; meanwhile neither of the two can be changed.
    void begin_clone(const SandboxKey& from, const SandboxKey& to);
    void end_clone(const SandboxKey& from, const SandboxKey& to, Copy copy);
    /// Both of each pair that is between the two: nobody else may touch them.
    const std::set<SandboxKey>& being_cloned() const noexcept { return cloning_; }

    /// Whose uid this is now, before anything is done for it: what another user has left with it is put away, which is stopped and from then on
    /// found by nobody but destroy() with Force, and what was put away and is of `user` after all is there again (R32). Gives what was done, for the
    /// log. Throws NoSpace, Failed where the journal can't be written: then nothing may be done for this uid.
    std::vector<std::string> know_user(uid_t uid, const std::string& user);
    /// Of all that is there.
    std::set<uid_t> uids() const;

    /// `uid`'s, without what was put away; or everybody's.
    std::vector<SandboxView> list(std::optional<uid_t> uid);
    SandboxView view_of(const SandboxRecord& record);
    bool any_running() const noexcept;
    bool any_cloning() const noexcept { return !cloning_.empty(); }

private:
    /// Throws NotFound, InUse (it is being cloned).
    const SandboxRecord& find(const SandboxKey& key) const;
    /// Also a half one, which can only be destroyed.
    const SandboxRecord& find_of_user(const SandboxKey& key) const;
    /// Also what was put away.
    const SandboxRecord& find_of_anybody(const SandboxKey& key) const;
    const SandboxRecord& checked(const SandboxKey& key, const SandboxRecord* record) const;
    void put_away(SandboxRecord record, std::vector<std::string>& news);
    void save_or_cut_off(const SandboxRecord& record);
    enum class Disk { No, Yes };
    void check_new(const SandboxKey& key, Disk disk) const;
    std::uint32_t free_slot();
    SandboxRecord in_phase(SandboxRecord record, Phase phase);
    bool is_held(const SandboxKey& key);
    void tear_down(const SandboxRecord& record);
    void close_name_servers();

    Parts parts_;
    Kernel kernel_;
    std::set<SandboxKey> cloning_;
    std::set<SandboxKey> paused_;                  ///< those whose I/O waits for the end of a clone
    std::map<SandboxKey, UniqueFd> name_servers_;  ///< of those that have a name, since this broker began
};

}  // namespace banger::broker
