// SPDX-License-Identifier: GPL-2.0-or-later
//
// bench_hand_boot [--stay] qemu|firecracker FOLDER PROGRAM ARGUMENT…
//
// What a person would do without banger: starts a VMM in the VM's folder, configures the guest, waits until it is ready, runs /bin/true in
// it, and kills the VMM; with --stay once its standard input ends. Prints {"reached_ms": N, "ready_ms": N, "first_command_ms": N}, from just
// before the VMM's start. QEMU gets the two listening sockets that it expects as standard input and output; Firecracker's guest knocks when it
// can be reached.
#include <fcntl.h>
#include <sys/wait.h>

#include <csignal>
#include <cstring>
#include <filesystem>

#include "bench/guest_talk.hpp"

namespace {

using namespace banger;
using namespace banger::bench;

/// The VMM, killed when this goes.
class Vmm {
public:
    Vmm(char** argv, const UniqueFd& input, const UniqueFd& output) : pid_{::fork()}
    {
        if (pid_ == 0) {
            ::dup2(input.get(), STDIN_FILENO);
            ::dup2(output.get(), STDOUT_FILENO);
            ::execvp(argv[0], argv);
            std::perror(argv[0]);
            ::_exit(127);
        }
    }
    Vmm(const Vmm&) = delete;
    Vmm& operator=(const Vmm&) = delete;
    ~Vmm()
    {
        ::kill(pid_, SIGKILL);
        ::waitpid(pid_, nullptr, 0);
    }

private:
    pid_t pid_;
};

enum class Then { End, Stay };

void run(Then then, std::string_view kind, const char* folder, char** command)
{
    std::filesystem::current_path(folder);
    const bool knocks = kind == "firecracker";
    const auto guest = knocks ? listen_at("guest.sock_1024") : listen_at("guest.sock");
    const auto control = knocks ? UniqueFd{} : listen_at("control.sock");
    const UniqueFd nothing{::open("/dev/null", O_RDWR | O_CLOEXEC)};
    const auto begin = Clock::now();
    const Vmm vmm{command, knocks ? nothing : guest, knocks ? nothing : control};
    const auto channel = knocks ? connect_after_knock(guest) : connect_to("guest.sock");
    const auto reached = Clock::now();
    Host host;
    talk(host, channel);
    const auto ms = [&](Clock::time_point when) {
        return static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(when - begin).count());
    };
    std::printf("{\"reached_ms\": %ld, \"ready_ms\": %ld, \"first_command_ms\": %ld}\n", ms(reached), ms(host.ready),
                ms(host.ended));
    std::fflush(stdout);
    for (char byte = 0; then == Then::Stay && ::read(STDIN_FILENO, &byte, 1) > 0;) {
    }
}

}  // namespace

int main(int argc, char** argv)
try {
    const int stay = argc > 1 && std::strcmp(argv[1], "--stay") == 0 ? 1 : 0;
    if (argc < 4 + stay) {
        std::fprintf(stderr, "usage: bench_hand_boot [--stay] qemu|firecracker FOLDER PROGRAM ARGUMENT...\n");
        return 2;
    }
    argv += stay;
    run(stay == 1 ? Then::Stay : Then::End, argv[1], argv[2], argv + 3);
    return 0;
} catch (const std::exception& problem) {
    std::fprintf(stderr, "bench_hand_boot: %s\n", problem.what());
    return 1;
}
