// SPDX-License-Identifier: GPL-2.0-or-later
#include <signal.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "common/error.hpp"
#include "guest/boot/cmdline.hpp"
#include "guest/boot/guest_role.hpp"
#include "guest/boot/mounts.hpp"
#include "guest/boot/power.hpp"
#include "guest/boot/roles.hpp"
#include "guest/boot/say.hpp"
#include "guest/core/spawn.hpp"

namespace banger::guest {
namespace {

constexpr std::chrono::milliseconds command_limit{2000};
constexpr int process_limit_ms = 3000;

class InitRole : public GuestRole {
public:
    explicit InitRole(Loop& loop) : GuestRole{"init"}, loop_{loop} {}

    void serve_with(Server& server) { server_ = &server; }
    wire::ShutdownKind kind() const noexcept { return kind_; }

    void shut_down(wire::ShutdownKind kind) override
    {
        if (going_down_ || server_ == nullptr) {
            return;
        }
        going_down_ = true;
        kind_ = kind;
        server_->announce(wire::Bye{kind});
        server_->wind_down(command_limit, [this] { loop_.quit(); });
    }

private:
    Loop& loop_;
    Server* server_{nullptr};
    bool going_down_{false};
    wire::ShutdownKind kind_{wire::ShutdownKind::PowerOff};
};

/// What programs of the image may send to init: systemd's real-time signals, and busybox's older ones.
void obey_signals(Loop& loop, InitRole& role)
{
    using Kind = wire::ShutdownKind;
    const auto on = [&](int signal, Kind kind) { loop.on_signal(signal, [&role, kind] { role.shut_down(kind); }); };
    on(SIGRTMIN + 3, Kind::Halt);
    on(SIGRTMIN + 4, Kind::PowerOff);
    on(SIGRTMIN + 5, Kind::Reboot);
    on(SIGUSR1, Kind::Halt);
    on(SIGUSR2, Kind::PowerOff);
    on(SIGTERM, Kind::Reboot);
    on(SIGINT, Kind::Reboot);
    ::reboot(RB_DISABLE_CAD);  // Ctrl-Alt-Del becomes SIGINT
}

}  // namespace

int run_init()
{
    const auto options = [] {
        mount_standard();
        return read_cmdline();
    }();
    use_many_files();
    Loop loop;
    InitRole role{loop};
    role.stages().reached("service");
    {
        Server server{loop, role, open_channel(loop, options.channel)};
        role.serve_with(server);
        obey_signals(loop, role);
        loop.run();
    }
    end_processes(process_limit_ms);
    end_file_systems();
    end_machine(role.kind(), options.reset_to_power_off);
    return 1;
}

}  // namespace banger::guest
