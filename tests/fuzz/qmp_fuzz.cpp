// SPDX-License-Identifier: GPL-2.0-or-later
// QEMU's control connection, with a QEMU that a guest took over.
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include <array>
#include <optional>

#include "agent/system/qmp_client.hpp"
#include "agent/system/unix_socket.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

struct Outcome {
    std::optional<agent::GuestEnd> end;
    std::string said;
    bool operator==(const Outcome&) const = default;
};

std::string received(int fd)
{
    std::string text;
    std::array<char, 4096> buffer{};
    for (;;) {
        const auto got = ::recv(fd, buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (got <= 0) {
            return text;
        }
        text.append(buffer.data(), static_cast<std::size_t>(got));
    }
}

/// Gives the lines in pieces, with a turn of the loop after each.
Outcome run(ByteView lines, std::size_t piece)
{
    EventLoop loop;
    auto pair = agent::make_socket_pair(SOCK_STREAM);
    agent::QmpClient client{loop, std::move(pair.ours)};
    Outcome outcome;
    while (!lines.empty()) {
        const auto part = lines.first(std::min(piece, lines.size()));
        lines = lines.subspan(part.size());
        const auto sent = ::send(pair.theirs.get(), part.data(), part.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        demand(sent == static_cast<ssize_t>(part.size()), "the client takes what it is sent");
        while (sd_event_run(loop.get(), 0) > 0) {
        }
        outcome.said += received(pair.theirs.get());
    }
    outcome.end = client.guest_end();
    outcome.said += received(pair.theirs.get());
    client.quit();
    demand(received(pair.theirs.get()) == "{\"execute\":\"quit\"}\n", "quit is said once");
    return outcome;
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger::fuzz;
    const ByteView lines{data, size};
    constexpr std::size_t whole = 4096;
    const auto outcome = run(lines, whole);
    std::string_view said = outcome.said;
    constexpr std::string_view capabilities = "{\"execute\":\"qmp_capabilities\"}\n{\"execute\":\"query-status\"}\n";
    std::size_t greetings = 0;
    for (; said.starts_with(capabilities); ++greetings) {
        said.remove_prefix(capabilities.size());
    }
    demand(said.empty(), "nothing but the handshake is said unasked");
    demand(greetings <= static_cast<std::size_t>(std::count(data, data + size, '\n')), "one answer a line");
    constexpr std::size_t most_steps = 512;
    demand(run(lines, std::max<std::size_t>(1, size / most_steps)) == outcome,
           "where lines are cut makes no difference");
    return 0;
}
