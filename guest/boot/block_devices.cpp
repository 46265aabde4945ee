// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/block_devices.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

// After sys/socket.h, which it needs.
#include <linux/netlink.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <optional>

#include "common/error.hpp"

namespace banger::guest {
namespace {

std::optional<std::string> find_disk(const std::string& spec)
{
    constexpr std::string_view prefix = "serial=";
    std::error_code ignored;
    if (!spec.starts_with(prefix)) {
        return std::filesystem::exists(spec, ignored) ? std::optional{spec} : std::nullopt;
    }
    const auto wanted = spec.substr(prefix.size());
    for (const auto& disk : std::filesystem::directory_iterator{"/sys/block", ignored}) {
        std::string serial;
        std::getline(std::ifstream{disk.path() / "serial"}, serial);
        const auto node = "/dev/" + disk.path().filename().string();
        if (serial == wanted && std::filesystem::exists(node, ignored)) {
            return node;
        }
    }
    return std::nullopt;
}

}  // namespace

BlockDevices::BlockDevices()
    : events_{::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT)}
{
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = 1;  // the kernel's own events, lib/kobject_uevent.c
    if (::bind(events_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        throw errno_error("The kernel's uevents can't be heard", errno);
    }
}

std::string BlockDevices::wait_for(const std::string& spec, std::chrono::milliseconds limit)
{
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + limit;
    for (;;) {
        if (const auto node = find_disk(spec)) {
            return *node;
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
        pollfd ready{events_.get(), POLLIN, 0};
        if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) == 0) {
            throw Error{ErrorCode::NotFound, "No disk " + spec + " within " + std::to_string(limit.count() / 1000) +
                                                 " s. Drivers are those of /etc/banger/modules in the initrd"};
        }
        std::array<char, 8192> event;  // NOLINT: content does not matter
        while (::recv(events_.get(), event.data(), event.size(), 0) > 0) {
        }
    }
}

}  // namespace banger::guest
