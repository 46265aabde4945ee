// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <csignal>
#include <string>
#include <vector>

#include <spawn.h>
#include <unistd.h>

namespace banger::cli {

/// For exec(3) and its like; good as long as `words` are.
inline std::vector<char*> pointers_to(std::vector<std::string>& words)
{
    std::vector<char*> list;
    for (auto& word : words) {
        list.push_back(word.data());
    }
    list.push_back(nullptr);
    return list;
}

/// Signals as they are for a program from a shell: banger may hold its own back.
class SpawnAttributes {
public:
    SpawnAttributes()
    {
        ::posix_spawnattr_init(&value_);
        sigset_t signals;
        sigemptyset(&signals);
        ::posix_spawnattr_setsigmask(&value_, &signals);
        sigaddset(&signals, SIGPIPE);
        ::posix_spawnattr_setsigdefault(&value_, &signals);
        ::posix_spawnattr_setflags(&value_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    }
    SpawnAttributes(const SpawnAttributes&) = delete;
    SpawnAttributes& operator=(const SpawnAttributes&) = delete;
    ~SpawnAttributes() { ::posix_spawnattr_destroy(&value_); }
    const posix_spawnattr_t* get() const noexcept { return &value_; }

private:
    posix_spawnattr_t value_{};
};

/// The three standard streams of what is started.
class SpawnStreams {
public:
    SpawnStreams(int input, int output, int error)
    {
        ::posix_spawn_file_actions_init(&value_);
        ::posix_spawn_file_actions_adddup2(&value_, input, STDIN_FILENO);
        ::posix_spawn_file_actions_adddup2(&value_, output, STDOUT_FILENO);
        ::posix_spawn_file_actions_adddup2(&value_, error, STDERR_FILENO);
    }
    SpawnStreams(const SpawnStreams&) = delete;
    SpawnStreams& operator=(const SpawnStreams&) = delete;
    ~SpawnStreams() { ::posix_spawn_file_actions_destroy(&value_); }
    const posix_spawn_file_actions_t* get() const noexcept { return &value_; }

private:
    posix_spawn_file_actions_t value_{};
};

}  // namespace banger::cli
