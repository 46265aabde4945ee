// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include "agent/core/user_watch.hpp"
#include "agent/service/daemon.hpp"
#include "agent/service/json_log.hpp"
#include "agent/system/artifact_catalog.hpp"
#include "agent/system/broker_client.hpp"
#include "agent/system/desktop/notification_client.hpp"
#include "agent/system/desktop/terminal_opener.hpp"
#include "agent/system/disks.hpp"
#include "agent/system/fork_process_host.hpp"
#include "agent/system/guest_session.hpp"
#include "agent/system/home_files.hpp"
#include "agent/system/host_examination.hpp"
#include "agent/system/host_route.hpp"
#include "agent/system/image/debian_artifacts.hpp"
#include "agent/system/ladder.hpp"
#include "agent/system/logind_power.hpp"
#include "agent/system/mapdns_names.hpp"
#include "agent/system/name_program.hpp"
#include "agent/system/names_file.hpp"
#include "agent/system/oci/layer_check_apart.hpp"
#include "agent/system/oci/oci_puller.hpp"
#include "agent/system/passt_network.hpp"
#include "agent/system/private_bus.hpp"
#include "agent/system/refused_start.hpp"
#include "agent/system/reserve.hpp"
#include "agent/system/resolvers.hpp"
#include "agent/system/runtime/bundle_home.hpp"
#include "agent/system/runtime/bundle_places.hpp"
#include "agent/system/runtime/manifest.hpp"
#include "agent/system/runtime/runtime_folder.hpp"
#include "agent/system/sqlite_store.hpp"
#include "agent/system/ssh_key.hpp"
#include "agent/system/subprocess.hpp"
#include "agent/system/systemd_process_host.hpp"
#include "agent/system/tap_support.hpp"
#include "agent/system/tcp_listener.hpp"
#include "agent/system/user_name.hpp"
#include "agent/system/vm_archive_files.hpp"
#include "agent/system/vm_shutdown.hpp"
#include "dbus/compat/bus.hpp"

namespace {

using namespace banger;
using namespace banger::agent;

struct Arguments {
    bool private_bus{false};
    int ready_fd{-1};
    int idle_limit{600};
    std::string shut_down_vm{};
    std::string check_layers{};
};

std::optional<std::string> environment(const char* name)
{
    const char* value = std::getenv(name);
    return value != nullptr ? std::optional<std::string>{value} : std::nullopt;
}

/// Who waits for us reads one byte; without one, the end of the file says that we failed.
void tell_ready(int fd)
{
    if (fd >= 0) {
        [[maybe_unused]] const auto written = ::write(fd, "\n", 1);
        ::close(fd);
    }
}

std::string session_address()
{
    if (const auto address = environment("DBUS_SESSION_BUS_ADDRESS"); address && !address->empty()) {
        return *address;
    }
    const auto runtime = environment("XDG_RUNTIME_DIR");
    return runtime ? "unix:path=" + *runtime + "/bus" : "";
}

/// Before the first thread: signals go to any thread that doesn't block them, and only the event loop knows what to do.
void block_signals()
{
    sigset_t ours;
    sigemptyset(&ours);
    sigaddset(&ours, SIGTERM);
    sigaddset(&ours, SIGINT);
    pthread_sigmask(SIG_BLOCK, &ours, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

/// Each connection into a VM takes two descriptors, and a usual shell allows 1024 in all.
void allow_many_files()
{
    constexpr rlim_t plenty = 16'384;
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < plenty) {
        files.rlim_cur = std::min(files.rlim_max, plenty);
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
}

/// Of whoever started us: in a folder with a pip.py, `python3 -m pip` runs that.
void leave_folder()
{
    if (::chdir("/") < 0) {
        throw errno_error("can't enter /", errno);
    }
}

Variables all_variables()
{
    Variables all;
    for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string text{*entry};
        const auto sign = text.find('=');
        if (sign != std::string::npos) {
            all.emplace(text.substr(0, sign), text.substr(sign + 1));
        }
    }
    return all;
}

HostFacts host_facts()
{
    struct sysinfo info {};
    ::sysinfo(&info);
    return {std::max(1U, std::thread::hardware_concurrency()), std::uint64_t{info.totalram} * info.mem_unit,
            environment("HOME").value_or("")};
}

/// The one that the user names, else the one that was fetched and checked, else the host's own. Throws HostLacks, which names what mends it.
std::filesystem::path find_firecracker(const RuntimePrograms& programs, const std::filesystem::path& named)
{
    if (!named.empty()) {
        if (::access(named.c_str(), X_OK) < 0) {
            throw Error{ErrorCode::HostLacks, "firecracker_bin, " + named.string() + ", can't be run: " +
                                                  std::error_code{errno, std::generic_category()}.message() +
                                                  "; banger config show says where that is set"};
        }
        return named;
    }
    try {
        return programs.find("firecracker");
    } catch (const Error& missing) {
        if (missing.code() != ErrorCode::HostLacks) {
            throw;
        }
        try {
            return find_program("firecracker");
        } catch (const Error&) {
            throw Error{missing};
        }
    }
}

/// ./runtime of the checkout that this bangerd was built in, once somebody made it.
std::optional<std::filesystem::path> checkout_runtime()
{
    std::error_code none;
    static const auto checkout = checkout_of(own_program());
    const bool is_there = checkout && std::filesystem::is_directory(*checkout / "runtime", none);
    return is_there ? std::optional{*checkout / "runtime"} : std::nullopt;
}

/// systemd gives the VMM's pid in $MAINPID, unless it has ended already.
int end_vm(const std::string& folder)
{
    const auto pid = environment("MAINPID");
    if (pid && !pid->empty()) {
        shut_down_vm(folder, std::stoi(*pid));
    }
    return EXIT_SUCCESS;
}

// The one place that names concrete classes. In parts, as a sanitizer's build of all in one function took GCC 12 four minutes.

/// What everything stands on: settings, the loop, the bus, processes.
struct Ground {
    explicit Ground(const Arguments& arguments, const Paths& paths)
        // A mistake in the settings is told now, and not by the first VM.
        : settings{paths.config, host_facts(), all_variables()},
          own_bus{arguments.private_bus ? std::make_unique<PrivateBus>(paths.runtime, paths.instance) : nullptr},
          address{own_bus ? own_bus->address() : session_address()},
          connection{own_bus ? bus::open_bus(address) : bus::open_session_bus()},
          units{!own_bus && SystemdProcessHost::is_on(*connection)
                    ? std::make_unique<SystemdProcessHost>(loop, *connection, forked)
                    : nullptr}
    {
    }

    void bus_is_gone()
    {
        json_log::write(json_log::Level::Warn, "the bus is gone; leaving, VMs go on");
        loop.quit(0);
    }

    Settings settings;
    EventLoop loop;
    std::unique_ptr<PrivateBus> own_bus;
    std::string address;
    std::unique_ptr<sdbus::IConnection> connection;
    bus::LoopAttachment attachment{*connection, loop, [this] { bus_is_gone(); }};
    Lane process_lane{2};
    ForkProcessHost forked{loop, process_lane};
    std::unique_ptr<SystemdProcessHost> units;
    ProcessHost& processes{units ? static_cast<ProcessHost&>(*units) : forked};
};

Confine confine_by_program()
{
    return
        [program = find_beside("banger-confine")](const VmmNeeds& needs) { return words_to_confine(program, needs); };
}

/// Where images, kernels and programs come from.
struct Sources {
    Sources(Ground& ground, const Paths& paths)
        : settings{&ground.settings},
          usual_runtime{paths.programs()},
          images{paths.images(), "image.json"},
          kernels{paths.kernels(), "kernel.json"},
          bundles{{.own = [this] { return runtime_folder(); },
                   .given = [this] { return given_bundles(); },
                   .stamps = paths.cache / "bundles.json"}},
          puller{paths.cache / "oci", paths.state / "image-build", check_layers_apart},
          maker{paths.state, find_beside("banger-guest"), confine_by_program()}
    {
    }

    std::filesystem::path runtime_folder() const
    {
        const auto named = settings->now()->runtime_dir;
        return !named.empty() ? named : checkout_runtime().value_or(usual_runtime);
    }
    std::vector<std::filesystem::path> given_bundles() const
    {
        std::vector<std::filesystem::path> given;
        if (settings->now()->runtime_dir.empty()) {
            given.push_back(installed_bundle_of(own_program()));
        }
        return given;
    }

    Settings* settings;
    std::filesystem::path usual_runtime;
    ArtifactCatalog images;
    ArtifactCatalog kernels;
    BundleHome bundles;
    RuntimeFolder programs{[this] { return runtime_folder(); },
                           [file = environment("BANGER_RUNTIME_BUNDLE").value_or("")] { return load_bundle(file); },
                           &bundles};
    OciPuller puller;
    DebianArtifacts maker;
    VmArchiveFiles archives{confine_by_program()};
};

/// What a VM is made of and runs on.
struct Machines {
    Machines(Ground& ground, Sources& sources, const Paths& paths)
        : disks{paths.cache / "work-disk.img", confine_by_program()},
          network{ground.processes, {find_beside("banger-netguard"), find_beside("banger-tap")}},
          tap{ground.loop, ground.process_lane, find_beside("banger-tap")},
          links{ground.loop},
          firecracker{ground.loop, ground.process_lane,
                      [&ground, &sources] {
                          return find_firecracker(sources.programs, ground.settings.now()->firecracker_bin);
                      }},
          ladder{ground.loop,
                 ground.processes,
                 links,
                 paths.state,
                 {.firecracker = firecracker,
                  .tap_problem = [this] { return tap.problem(); },
                  .confine = confine_by_program()}},
          broker{ground.loop},
          power{ground.loop},
          host{ladder.probe(),
               firecracker,
               broker,
               {ground.loop, ground.process_lane, find_beside("banger-confine"), paths.state}}
    {
    }

    FileDisks disks;
    PasstNetwork network;
    TapSupport tap;
    GuestSessions links;
    FirecrackerProgram firecracker;
    Ladder ladder;
    BrokerClient broker;
    LogindPower power;
    HostExamination host;
};

/// What is the user's own.
struct Belongings {
    Belongings(Ground& ground, const Paths& paths)
        : key{paths.state, [&ground] { return ground.settings.now()->ssh_key_path; }},
          home{ground.settings.host().home},
          names_file{paths.names},
          host_names{names_file,
                     ground.loop,
                     ground.process_lane,
                     {.published = paths.state / "mapdns.names",
                      .program = [&ground] { return mapdns(ground.settings); },
                      .log = [](const std::string& text) { json_log::write(json_log::Level::Warn, text); }}}
    {
    }

    static MapdnsNames::Program mapdns(Settings& settings)
    {
        const auto now = settings.now();
        return {now->mapdns_bin, now->mapdns_data_file};
    }

    SshKey key;
    FilesOfHome home;
    NamesFile names_file;
    MapdnsNames host_names;
};

std::unique_ptr<TcpPort> open_tcp_port(EventLoop& loop, const std::string& at, std::uint16_t number,
                                       std::function<void(UniqueFd)> accepted)
{
    return std::make_unique<TcpListener>(loop, at, number, std::move(accepted));
}

AgentPorts ports_of(Ground& ground, Sources& sources, Machines& machines, Belongings& own, VmStore& store)
{
    return {
        .loop = ground.loop,
        .store = store,
        .processes = ground.processes,
        .disks = machines.disks,
        .links = machines.links,
        .user_network = machines.network,
        .broker = machines.broker,
        .power = machines.power,
        .host_names = own.host_names,
        .images = sources.images,
        .kernels = sources.kernels,
        .ladder = machines.ladder,
        .maker = sources.maker,
        .puller = sources.puller,
        .programs = sources.programs,
        .bundles = sources.bundles,
        .archives = sources.archives,
        .key = own.key,
        .host = machines.host,
        .settings = ground.settings,
        .home = own.home,
        .print_name = print_name,
        .open_process = open_process,
        .send_signal = [](const UniqueFd& process, int signal) { send_signal(process, signal); },
        .open_tcp_port =
            [&loop = ground.loop](const std::string& at, std::uint16_t number, std::function<void(UniqueFd)> accepted) {
                return open_tcp_port(loop, at, number, std::move(accepted));
            },
        .usage_of = process_usage,
        .resolvers = [] { return host_resolvers(); },
        .wait_for_route = [&loop = ground.loop](
                              EventLoop::Milliseconds limit,
                              Promise<Unit> over) { return wait_for_route(loop, limit, std::move(over)); }};
}

/// Whose uid this is, asked by a worker; the name at the start is ours.
Task<std::string> heir_of(Ground& ground, std::string user)
{
    auto ask = [] { return user_name_of(::geteuid()); };
    const auto now = co_await run_on(ground.loop, ground.process_lane, std::move(ask));
    co_return user.empty() || now == user ? std::string{} : now;
}

UserWatch::Hooks user_watch_hooks(Ground& ground, Agent& agent)
{
    return {.heir = [&ground, user = user_name_of(::geteuid())] { return heir_of(ground, user); },
            .found =
                [&ground, &agent](const std::string& heir) {
                    if (agent.vms().running_count() == 0) {
                        ground.loop.quit(0);
                    }
                    agent.stop_all("this user's number is now that of " + heir);
                }};
}

int run(const Arguments& arguments)
{
    const auto paths = find_paths(environment);
    const auto lock = lock_state(paths);
    use_reserve_when_full(paths.state);
    json_log::open(paths.log());
    Ground ground{arguments, paths};
    Sources sources{ground, paths};
    Machines machines{ground, sources, paths};
    Belongings own{ground, paths};
    const auto opened = open_or_replace_store(paths.database());
    Agent agent{ports_of(ground, sources, machines, own, *opened.store), paths, {opened.warning}};
    NotificationClient notifier{ground.loop, *ground.connection};
    TerminalOpener terminals{ground.loop, ground.process_lane, ground.units ? ground.connection.get() : nullptr,
                             ground.settings.host().home};
    Daemon daemon{ground.loop,
                  agent,
                  *ground.connection,
                  {.address = ground.address,
                   .ready = [&arguments] { tell_ready(arguments.ready_fd); },
                   .idle_limit = std::chrono::seconds{arguments.idle_limit},
                   .desktop = ground.own_bus ? std::nullopt : std::optional{DesktopPorts{notifier, terminals}}}};
    UserWatch user_watch{ground.loop, user_watch_hooks(ground, agent)};
    spawn(machines.ladder.probe().clear_leftovers());
    daemon.start();
    keep_reserve(paths.state);
    const int code = ground.loop.run();
    daemon.throw_if_failed();
    return code;
}

/// Tells it wherever somebody may look, and gives the exit code.
int refuse(const Error& failure, const Arguments& arguments)
{
    json_log::write(json_log::Level::Error, failure.what());
    std::fprintf(stderr, "bangerd: %s\n", failure.what());
    if (!arguments.private_bus && arguments.shut_down_vm.empty() && arguments.check_layers.empty()) {
        answer_waiting_calls(failure);
    }
    return error_info(failure.code()).exit_code;
}

}  // namespace

int main(int argc, char** argv)
{
    Arguments arguments;
    CLI::App app{"bangerd: banger's per-user agent. Started by the session bus or by banger; seldom by hand."};
    app.set_version_flag("--version", BANGER_VERSION);
    app.add_flag("--private-bus", arguments.private_bus, "serve on a bus of its own, for hosts without a session bus");
    app.add_option("--ready-fd", arguments.ready_fd, "descriptor that gets one byte once it serves");
    app.add_option("--idle-limit", arguments.idle_limit,
                   "seconds without a call or a running VM after which it leaves (600)")
        ->check(CLI::PositiveNumber);
    app.add_option("--shut-down-vm", arguments.shut_down_vm,
                   "ends the VM in this folder in order; for its unit's ExecStop")
        ->group("");
    app.add_option("--check-layers", arguments.check_layers,
                   "looks through an image's layers, as this file says; for bangerd")
        ->group("");
    CLI11_PARSE(app, argc, argv);
    ::umask(077);
    block_signals();
    try {
        leave_folder();
        if (!arguments.check_layers.empty()) {
            return answer_layer_check(arguments.check_layers);
        }
        if (!arguments.shut_down_vm.empty()) {
            return end_vm(arguments.shut_down_vm);
        }
        allow_many_files();
        return run(arguments);
    } catch (const Error& failure) {
        return refuse(failure, arguments);
    } catch (const std::exception& failure) {
        return refuse(Error{ErrorCode::Failed, failure.what()}, arguments);
    } catch (...) {
        return refuse(Error{ErrorCode::Failed, "failed for a reason that it doesn't know"}, arguments);
    }
}
