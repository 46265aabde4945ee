// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstddef>
#include <functional>
#include <stdexcept>
#include <string>

#include "common/unique_fd.hpp"
#include "guest/boot/rooted.hpp"

namespace banger::guest::test {

/// Thrown by the work when the kernel here lacks something: the test is skipped.
struct Impossible : std::runtime_error {
    using std::runtime_error::runtime_error;
};

/// Runs `work` in a child with new namespaces (CLONE_NEW… flags; 0: only a child), in which it is root. What it EXPECTs, or throws, fails
/// this test; where a user may have no such namespaces the test is skipped. Call it last.
void pass_in_namespaces(int flags, const std::function<void()>& work);

/// A Rooted of a test's folder. Throws if its paths lead to the real root's: a test that runs as root would overwrite /etc.
Rooted contained(const std::string& folder);

/// Inside of a new mount namespace: a tmpfs of so many bytes. Throws.
void mount_small_disk(const std::string& path, std::size_t bytes);

/// Inside of a new mount namespace: a file system whose server answers nothing, until the descriptor goes. Throws Impossible.
UniqueFd mount_dead_disk(const std::string& path);

}  // namespace banger::guest::test
