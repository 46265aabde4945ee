// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <map>
#include <optional>
#include <string>

#include "agent/core/desktop/notice.hpp"
#include "agent/core/vm/vm.hpp"
#include "common/size.hpp"

namespace banger::agent {

/// Which change of a VM a person must know of: it ended and nobody had asked for that, it could not be started, its disk is nearly full, or
/// this host's is. What somebody asked for is none, nor is the end of a VM that goes when it stops: whoever made it is there to see it. A disk is
/// news while its VM runs: the broker tells of all of them at each start of bangerd.
class VmNews {
public:
    /// How it is by now, without a notice.
    void learn(const Vm& vm);
    /// After each change. The first look at a VM gives none.
    std::optional<Notice> look(const Vm& vm);
    void forget(const Vm& vm);

private:
    enum class Room { Enough, Little, Waits, Broken, HostFull };  ///< each worse than the one before
    struct Sight {
        VmState state;
        Room room;
    };
    static Sight sight_of(const Vm& vm);
    static std::optional<Notice> news_of_end(const Vm& vm, VmState before);
    static Notice news_of_room(const Vm& vm, Room room);

    std::map<std::string, Sight> seen_;  ///< by id
};

/// This host's own disk is nearly full, while VMs run whose disks grow there.
Notice news_of_little_room(ByteSize free);

}  // namespace banger::agent
