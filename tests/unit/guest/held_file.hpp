// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <fcntl.h>
#include <signal.h>

#include <string>

#include "common/unique_fd.hpp"

namespace banger::guest::test {

/// A file whose opening waits, as on a disk that answers no more: by a lease, which the kernel breaks after 45 s (fcntl(2)).
class HeldFile {
public:
    explicit HeldFile(const std::string& path) : fd_{::open(path.c_str(), O_RDONLY | O_CLOEXEC)}
    {
        ::signal(SIGIO, SIG_IGN);  // so one is told that somebody waits
        holds_ = ::fcntl(fd_.get(), F_SETLEASE, F_WRLCK) == 0;
    }
    /// Else there are no leases on its file system.
    bool holds() const { return holds_; }
    void release() { ::fcntl(fd_.get(), F_SETLEASE, F_UNLCK); }

private:
    UniqueFd fd_;
    bool holds_{false};
};

}  // namespace banger::guest::test
