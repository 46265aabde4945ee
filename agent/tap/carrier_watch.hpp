// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "common/unique_fd.hpp"

namespace banger::tap {

/// Whether the VMM holds guest0: that is when the device has carrier.
class CarrierWatch {
public:
    /// Throws Failed.
    CarrierWatch();

    /// Readable when something changed.
    int fd() const noexcept { return netlink_.get(); }
    /// Reads what changed. Throws Failed.
    void update();
    bool is_up() const noexcept { return up_; }
    bool was_up() const noexcept { return was_up_; }

private:
    void look();

    UniqueFd netlink_;
    UniqueFd control_;
    bool up_{false};
    bool was_up_{false};
};

}  // namespace banger::tap
