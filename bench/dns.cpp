// SPDX-License-Identifier: GPL-2.0-or-later
//
// How long the name server takes to answer, asked over UDP on loopback, one question after the other. Prints median and p99 in microseconds.
#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "agent/system/name_server.hpp"
#include "common/event_loop.hpp"

namespace {

using namespace banger;

/// A question of type A for web.vm.
constexpr std::array<std::uint8_t, 24> question{0x12, 0x34, 0x01, 0,   0, 1,   0,   0, 0, 0, 0, 0,
                                                3,    'w',  'e',  'b', 2, 'v', 'm', 0, 0, 1, 0, 1};

}  // namespace

int main(int argc, char** argv)
{
    const auto count = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 10'000UL;
    EventLoop loop;
    agent::NameServer server{loop};
    const int served = server.serve({.name = "web.vm", .address = INADDR_LOOPBACK}, INADDR_LOOPBACK);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(served, reinterpret_cast<sockaddr*>(&address), &size);
    std::vector<double> times;
    std::atomic<bool> lost{false};
    std::thread asker{[&] {
        const UniqueFd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
        const timeval limit{1, 0};
        ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
        std::array<std::uint8_t, 512> answer{};
        for (std::size_t i = 0; i < count && !lost; ++i) {
            const auto begin = std::chrono::steady_clock::now();
            lost = ::send(socket.get(), question.data(), question.size(), 0) < 0 ||
                   ::recv(socket.get(), answer.data(), answer.size(), 0) <= 0;
            times.push_back(
                std::chrono::duration<double, std::micro>{std::chrono::steady_clock::now() - begin}.count());
        }
        loop.post([&loop] { loop.quit(0); });
    }};
    loop.run();
    asker.join();
    if (lost || times.empty()) {
        std::fprintf(stderr, "an answer was lost\n");
        return EXIT_FAILURE;
    }
    std::sort(times.begin(), times.end());
    std::printf("%.1f %.1f\n", times[times.size() / 2], times[times.size() * 99 / 100]);
    return EXIT_SUCCESS;
}
