// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "broker/core/assembly.hpp"
#include "broker/ports/record_store.hpp"
#include "broker/ports/users.hpp"
#include "common/error.hpp"

namespace banger::broker::test {

/// A broker that got SIGKILL: no part of Error, so that nothing answers for it.
struct Killed {};

/// All that outlives a broker: kernel objects, files, records, users, behind the ports by which core reaches them. Every call of a port is a
/// step; one of them can fail without effect, and from one on nothing has an effect any more, as after a SIGKILL. One thread.
class FakeKernel {
public:
    /// A stranger's things are those that no broker has made.
    enum class Whose { Ours, Strangers };
    struct Node {
        Whose whose{Whose::Ours};
        BlockDevice base{};
        BlockDevice cow{};
        unsigned open{0};
        bool leaving{false};  ///< goes with its last opener
        bool held{false};
        bool overflown{false};
        ByteSize used{};
    };
    struct Loop {
        ino_t file;
        LoopDevices::Access access;
        std::string mark;
        ByteSize size;   ///< as it was when it was last told
        UniqueFd watch;  ///< hangs up when its descriptor is closed
    };
    struct CowFile {
        UniqueFd file;
        ino_t inode;
        ByteSize size;
        std::set<std::string>
            writers_at_copy{};  ///< nodes that could write to the origin while this copy of it was made
    };
    struct Tap {
        Whose whose{Whose::Ours};
        std::string altname{};
        uid_t owner{0};
        bool up{false};
    };
    struct Uplink {
        bool forwards{false};
        bool has_default_route{true};
        bool ours{false};  ///< written down: it was off before
    };

    FakeKernel();
    FakeKernel(const FakeKernel&) = delete;
    FakeKernel& operator=(const FakeKernel&) = delete;
    ~FakeKernel();

    Kernel ports();
    RecordStore& records();
    Users& users();

    // Faults, counted from here on: 1 is the next call of a port.
    void fail_at(int step, ErrorCode code);
    void die_at(int step);
    /// Nothing fails from here on; a new broker may come.
    void revive();
    int steps() const noexcept { return steps_; }
    bool is_dead() const noexcept { return dead_; }
    /// The name of the step at which a fault happened; empty: none has.
    const std::string& fired() const noexcept { return fired_; }

    // What others do.
    void open_node(const SandboxKey& key);
    void close_node(const SandboxKey& key);
    /// A guest writes until so much of the copy-on-write device is used.
    void fill(const SandboxKey& key, ByteSize used);
    /// A TAP's owner takes it away (R15).
    void lose_tap(const SandboxKey& key);
    void flush_firewall() { rules.clear(), firewall_touched_ = true; }

    // What is there.
    Node* node(const SandboxKey& key);
    ByteSize loop_size(BlockDevice device);
    std::size_t loop_count();
    /// One line a thing of `uid`'s, or of everybody's with strangers' and forwarding: two are the same when nothing has changed.
    std::string describe(std::optional<uid_t> uid = std::nullopt);
    /// Sentences on what must never be: a TAP that is up without its rules, a loop that nobody holds, ...
    std::vector<std::string> faults();
    /// What must not be, while no call is under way and after reconciling, beyond faults().
    std::vector<std::string> leaks();

    std::map<std::string, Node> nodes;  ///< by name
    std::map<std::string, CowFile> files;
    std::map<std::string, Tap> links;             ///< by name
    std::map<std::string, SandboxNetwork> rules;  ///< by altname
    std::map<std::string, Uplink> uplinks;        ///< by name
    std::map<std::string, std::string> texts;     ///< records, by file name
    std::map<uid_t, std::string> names_of_users;
    std::chrono::sys_seconds now{std::chrono::seconds{1'700'000'000}};
    bool users_unavailable{false};
    bool loops_lacking{false};
    std::optional<ErrorCode> firewall_fails{};  ///< with which each call of it ends
    ByteSize free_space{64 * gib};

private:
    struct Ports;
    friend struct Ports;

    /// Throws the fault that is due.
    void step(const char* name);
    /// As step(), for what can't throw; false: no effect.
    bool step_quietly(const char* name) noexcept;
    void reap();
    Loop* loop(BlockDevice device);
    void take_space(ByteSize size);

    std::map<unsigned, Loop> loops_;  ///< by minor
    bool firewall_touched_{false};
    int steps_{0};
    int fail_at_{0};
    int die_at_{0};
    ErrorCode code_{ErrorCode::Failed};
    bool dead_{false};
    std::string fired_;
    std::unique_ptr<Ports> ports_;
};

}  // namespace banger::broker::test
