// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "common/error.hpp"
#include "guest/boot/cmdline.hpp"
#include "guest/boot/guest_role.hpp"
#include "guest/boot/leftovers.hpp"
#include "guest/boot/roles.hpp"
#include "guest/boot/say.hpp"
#include "guest/core/spawn.hpp"
#include "guest/setup/ssh_host_keys.hpp"

namespace banger::guest {
namespace {

/// For commands to end by themselves; a host that stops a VM waits 10 s for all.
constexpr std::chrono::milliseconds command_limit{3000};

class ServiceRole : public GuestRole {
public:
    ServiceRole() : GuestRole{"service"} {}

    bool starting() const override { return !stages().has("booted"); }

    /// systemd(1), signals: SIGRTMIN+3 halt, +4 power off, +5 reboot, each by its target.
    void shut_down(wire::ShutdownKind kind) override
    {
        const int offset = kind == wire::ShutdownKind::Halt ? 3 : kind == wire::ShutdownKind::PowerOff ? 4 : 5;
        ::kill(1, SIGRTMIN + offset);
    }
};

sockaddr_un announce_address()
{
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strcpy(address.sun_path, "/run/banger/announce");
    return address;
}

UniqueFd announce_socket() { return UniqueFd{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)}; }

/// Where run_announce() of a shutdown unit calls.
class Announcements {
public:
    Announcements(Loop& loop, ServiceRole& role, Server& server)
        : loop_{loop}, role_{role}, server_{server}, leftovers_{loop, own_control_group()}, listener_{announce_socket()}
    {
        const auto address = announce_address();
        ::unlink(address.sun_path);
        if (::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
            ::chmod(address.sun_path, 0600) != 0 || ::listen(listener_.get(), 4) != 0) {
            throw errno_error("The announce socket", errno);
        }
        watch_ = loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { accept(); });
    }

private:
    void accept()
    {
        caller_watch_.reset();
        caller_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (caller_) {
            caller_watch_ = loop_.watch(caller_.get(), EPOLLIN, [this](std::uint32_t) { listen(); });
        }
    }

    void listen()
    {
        caller_watch_.reset();
        std::array<char, 16> how{};
        if (::recv(caller_.get(), how.data(), how.size() - 1, 0) <= 0) {
            caller_.reset();
            return;
        }
        const std::string word{how.data()};
        if (word == "booted") {
            role_.stages().reached(word);
            role_.stages().save();
            caller_.reset();
            return;
        }
        const auto kind = word == "reboot" ? wire::ShutdownKind::Reboot
                          : word == "halt" ? wire::ShutdownKind::Halt
                                           : wire::ShutdownKind::PowerOff;
        server_.announce(wire::Bye{kind});
        server_.wind_down(command_limit, [this] { ended(sessions_ended_); });
        leftovers_.end(command_limit, [this] { ended(leftovers_ended_); });
    }

    void ended(bool& what)
    {
        what = true;
        if (sessions_ended_ && leftovers_ended_) {
            caller_.reset();  // which lets systemd go on
        }
    }

    Loop& loop_;
    ServiceRole& role_;
    Server& server_;
    Leftovers leftovers_;
    bool sessions_ended_{false};
    bool leftovers_ended_{false};
    UniqueFd listener_;
    UniqueFd caller_;
    Loop::Watch watch_;
    Loop::Watch caller_watch_;
};

}  // namespace

int run_service()
{
    use_many_files();
    Loop loop;
    ServiceRole role;
    role.stages().reached("service");
    Server server{loop, role, open_channel(loop, read_cmdline().channel)};
    Announcements announcements{loop, role, server};
    loop.on_signal(SIGTERM, [&] { server.wind_down(command_limit, [&] { loop.quit(); }); });
    loop.run();
    return 0;
}

int run_ssh_keys()
{
    make_ssh_host_keys();
    return 0;
}

int run_announce(const std::string& how)
{
    const auto socket = announce_socket();
    const auto address = announce_address();
    char end = 0;
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
        ::send(socket.get(), how.data(), how.size(), MSG_NOSIGNAL) > 0) {
        (void)!::recv(socket.get(), &end, 1, 0);  // until the service closes; the unit has a limit
    }
    return 0;  // a service that is gone is no reason to hold up a shutdown
}

}  // namespace banger::guest
