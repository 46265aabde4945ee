// SPDX-License-Identifier: GPL-2.0-or-later
//
// bench_broker_steps FOLDER BASE UID RUNS
//
// What banger-broker does for a sandbox with disk, network and NAT, by its own code, without the bus and polkit, as root. Prints, for each run,
// {"start_ms": N, "end_ms": N, "udev_start_ms": N, "udev_end_ms": N}: the first two without the last two, in which it only waited for udev.
#include <fcntl.h>
#include <sys/sem.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <span>

#include "broker/core/base_file.hpp"
#include "broker/machine.hpp"
#include "broker/system/file_facts.hpp"

namespace {

using namespace banger;
using namespace banger::broker;
using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

Milliseconds waited{};

struct Taken {
    Milliseconds work;
    Milliseconds udev;
};

template <typename Work>
Taken timed(Work&& work)
{
    waited = {};
    const auto begin = Clock::now();
    work();
    return {Milliseconds{Clock::now() - begin} - waited, waited};
}

BaseDisk open_base(const char* path)
{
    UniqueFd file{::open(path, O_RDONLY | O_CLOEXEC)};
    check_opening(opening_of(file.get()));
    const auto size = check_base(facts_of(file.get()));
    return {.file = std::move(file), .size = size, .digest = "sha256:" + std::string(64, '7')};
}

void run(const std::string& folder, const char* base, uid_t uid, int runs)
{
    std::filesystem::create_directories(folder + "/state");
    std::filesystem::create_directories(folder + "/run");
    Machine machine{folder + "/state", folder + "/run", BrokerConfig{}};
    machine.journal.load();
    const auto user = machine.users.name_of(uid).value();
    for (int number = 0; number < runs; ++number) {
        const SandboxKey key{.uid = uid, .id = SandboxId::parse("steps-" + std::to_string(number))};
        const auto start = timed([&] {
            auto disk = std::optional{open_base(base)};
            machine.sandboxes.create(key, user, disk->digest, 256 * mib);
            machine.sandboxes.start(key, disk, Sandboxes::Tap::Yes);
            machine.sandboxes.set_nat(key, Nat::On);
        });
        const auto end = timed([&] {
            machine.sandboxes.stop(key);
            machine.sandboxes.destroy(key, Sandboxes::Force::No);
        });
        std::printf("{\"start_ms\": %.1f, \"end_ms\": %.1f, \"udev_start_ms\": %.1f, \"udev_end_ms\": %.1f}\n",
                    start.work.count(), end.work.count(), start.udev.count(), end.udev.count());
    }
}

}  // namespace

/// In the place of libc's: how the broker waits for udev (udev_cookie.cpp).
extern "C" int semtimedop(int id, sembuf* steps, std::size_t count, const timespec* limit)
{
    const auto begin = Clock::now();
    const auto done = ::syscall(SYS_semtimedop, id, steps, count, limit);
    waited += Clock::now() - begin;
    return static_cast<int>(done);
}

int main(int argc, char** argv)
try {
    if (argc != 5) {
        std::fprintf(stderr, "usage: bench_broker_steps FOLDER BASE UID RUNS\n");
        return 2;
    }
    run(argv[1], argv[2], static_cast<uid_t>(std::atoi(argv[3])), std::atoi(argv[4]));
    return 0;
} catch (const std::exception& problem) {
    std::fprintf(stderr, "bench_broker_steps: %s\n", problem.what());
    return 1;
}
