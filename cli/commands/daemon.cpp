// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/daemon.hpp"

#include "cli/commands/daemon_boot.hpp"
#include "cli/connect/agent.hpp"
#include "cli/view/escape.hpp"
#include "cli/view/listing.hpp"

#include <algorithm>
#include <chrono>
#include <memory>

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace banger::cli {
namespace {

constexpr std::chrono::milliseconds end_limit{10'000};
constexpr auto not_running = "bangerd is not running; the next command that needs it starts it";

int status(const ListingOptions& options)
{
    const auto agent = Agent::connect(WhenAbsent::Leave);
    if (!agent) {
        if (options.form() == Format::Json) {
            print_json(JsonValue{{"running", false}});
        } else {
            remark(not_running);
        }
        return exit_not_running;
    }
    const auto properties = translated([&] { return agent->manager().properties(); });
    const auto rows = translated([&] { return agent->manager().ListVms({}); });
    const auto value = [&properties](const char* name) {
        const auto at = properties.find(name);
        return at != properties.end() ? to_json(at->second) : JsonValue{};
    };
    const auto running =
        std::count_if(rows.begin(), rows.end(), [](const auto& row) { return row.template get<2>() == "running"; });
    JsonValue object{{"running", true},
                     {"pid", value("Pid")},
                     {"version", value("Version")},
                     {"address", value("Address")},
                     {"log", value("LogPath")},
                     {"state_directory", value("StateDirectory")},
                     {"vms", rows.size()},
                     {"vms_running", running},
                     {"marked_vms_start", marked_start_in_words()},
                     {"warnings", value("Warnings")}};
    print_details(JsonValue::array({object}), options, 1);
    return 0;
}

int socket()
{
    const auto agent = Agent::connect(WhenAbsent::Leave);
    if (!agent) {
        remark(not_running);
        return exit_not_running;
    }
    print(translated([&] { return agent->manager().Address(); }) + "\n");
    return 0;
}

int stop()
{
    const auto agent = Agent::connect(WhenAbsent::Leave);
    if (!agent) {
        return 0;
    }
    const auto pid = translated([&] { return agent->manager().Pid(); });
    const auto running = translated([&] { return agent->manager().ListVms({{"state", "running"}}); }).size();
    // Not pidfd_open(): the header of glibc 2.36 declares it without C linkage.
    const UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0))};
    translated([&] { agent->manager().Quit(); });
    pollfd ended{process.get(), POLLIN, 0};
    if (process && ::poll(&ended, 1, static_cast<int>(end_limit.count())) == 0) {
        throw Error{ErrorCode::TimedOut,
                    "bangerd (pid " + std::to_string(pid) + ") was asked to end and is still there after 10 s"};
    }
    if (running > 0) {
        remark(std::to_string(running) + (running == 1 ? " VM goes on" : " VMs go on"));
    }
    return 0;
}

int doctor(const ListingOptions& options)
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto rows = translated([&] { return agent->manager().Doctor(); });
    Listing listing{{{"check", "CHECK"}, {"verdict", "VERDICT"}, {"detail", "DETAIL"}, {"mend", "MEND"}}};
    bool lacks = false;
    for (const auto& row : rows) {
        listing.add({row.get<0>(), row.get<1>(), row.get<2>(), row.get<3>()},
                    {row.get<0>(), row.get<1>(), row.get<2>(), row.get<3>()});
        lacks = lacks || row.get<1>() == "missing";
    }
    listing.print(options, LongLines::Whole);  // half a command mends nothing
    return lacks ? exit_host_lacks : 0;
}

int version(bool json)
{
    if (json) {
        print_json(JsonValue{{"banger", BANGER_VERSION}});
    } else {
        print("banger " BANGER_VERSION "\n");
    }
    return 0;
}

}  // namespace

void add_daemon_commands(Command daemon, Context& context)
{
    const auto options = std::make_shared<ListingOptions>();
    const auto app = add_command(daemon, context, "status", "Tell whether bangerd runs, and where its log is",
                                 [options] { return status(*options); });
    options->add_to(app, ListingOptions::Quiet::No);
    add_command(daemon, context, "socket", "Print the address of the bus that bangerd serves on", socket);
    add_command(daemon, context, "stop", "End bangerd; VMs go on", stop);
    add_daemon_boot(daemon, context);
}

void add_host_commands(Command root, Context& context)
{
    const auto options = std::make_shared<ListingOptions>();
    const auto app = add_command(root, context, "doctor", "Say what this host has, what it lacks, and what mends it",
                                 [options] { return doctor(*options); });
    options->add_to(app, ListingOptions::Quiet::No);
    const auto json = std::make_shared<bool>(false);
    const auto version_app =
        add_command(root, context, "version", "Print the version", [json] { return version(*json); });
    version_app.flag("--json", *json, "as JSON");
}

}  // namespace banger::cli
