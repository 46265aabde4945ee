// SPDX-License-Identifier: GPL-2.0-or-later
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>
#include <CLI/CLI.hpp>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include "agent/service/daemon.hpp"
#include "agent/service/json_log.hpp"
#include "agent/system/artifact_catalog.hpp"
#include "agent/system/broker_client.hpp"
#include "agent/system/disks.hpp"
#include "agent/system/fork_process_host.hpp"
#include "agent/system/guest_session.hpp"
#include "agent/system/home_files.hpp"
#include "agent/system/host_examination.hpp"
#include "agent/system/image/debian_artifacts.hpp"
#include "agent/system/ladder.hpp"
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

/// The one place that names concrete classes.
int run(const Arguments& arguments)
{
    const auto paths = find_paths(environment);
    const auto lock = lock_state(paths);
    use_reserve_when_full(paths.state);
    json_log::open(paths.log());
    Settings settings{paths.config, host_facts(),
                      all_variables()};  // a mistake in it is told now, and not by the first VM
    EventLoop loop;
    std::optional<PrivateBus> own_bus;
    if (arguments.private_bus) {
        own_bus.emplace(paths.runtime, paths.instance);
    }
    const auto address = own_bus ? own_bus->address() : session_address();
    const auto connection = own_bus ? bus::open_bus(address) : bus::open_session_bus();
    const bus::LoopAttachment attachment{*connection, loop, [&loop] {
                                             json_log::write(json_log::Level::Warn,
                                                             "the bus is gone; leaving, VMs go on");
                                             loop.quit(0);
                                         }};
    Lane process_lane{2};
    ForkProcessHost forked{loop, process_lane};
    std::optional<SystemdProcessHost> units;
    if (!own_bus && SystemdProcessHost::is_on(*connection)) {
        units.emplace(loop, *connection, forked);
    }
    ProcessHost& processes = units ? static_cast<ProcessHost&>(*units) : forked;
    FileDisks disks{paths.cache / "work-disk.img"};
    PasstNetwork network{processes, {find_beside("banger-netguard"), find_beside("banger-tap")}};
    TapSupport tap{loop, process_lane, find_beside("banger-tap")};
    GuestSessions links{loop};
    ArtifactCatalog images{paths.images(), "image.json"};
    ArtifactCatalog kernels{paths.kernels(), "kernel.json"};
    const auto runtime_folder = [&settings, usual = paths.programs()] {
        const auto named = settings.now()->runtime_dir;
        return !named.empty() ? named : checkout_runtime().value_or(usual);
    };
    BundleHome bundles{{.own = runtime_folder,
                        .given =
                            [&settings] {
                                std::vector<std::filesystem::path> given;
                                if (settings.now()->runtime_dir.empty()) {
                                    given.push_back(installed_bundle_of(own_program()));
                                }
                                return given;
                            },
                        .stamps = paths.cache / "bundles.json"}};
    RuntimeFolder programs{runtime_folder,
                           [file = environment("BANGER_RUNTIME_BUNDLE").value_or("")] { return load_bundle(file); },
                           &bundles};
    FirecrackerProgram firecracker{loop, process_lane, [&programs, &settings] {
                                       return find_firecracker(programs, settings.now()->firecracker_bin);
                                   }};
    Ladder ladder{loop, processes, links, paths.state, {.firecracker = firecracker, .tap_problem = [&tap] {
                                                            return tap.problem();
                                                        }}};
    OciPuller puller{paths.cache / "oci", paths.state / "image-build", check_layers_apart};
    DebianArtifacts maker{paths.state, find_beside("banger-guest")};
    SshKey key{paths.state, [&settings] { return settings.now()->ssh_key_path; }};
    FilesOfHome home{settings.host().home};
    BrokerClient broker{loop};
    NamesFile names_file{paths.names};
    MapdnsNames host_names{names_file,
                           loop,
                           process_lane,
                           {.published = paths.state / "mapdns.names",
                            .program =
                                [&settings] {
                                    const auto now = settings.now();
                                    return MapdnsNames::Program{now->mapdns_bin, now->mapdns_data_file};
                                },
                            .log = [](const std::string& text) { json_log::write(json_log::Level::Warn, text); }}};
    HostExamination host{ladder.probe(), firecracker, broker};
    const auto opened = open_or_replace_store(paths.database());
    Agent agent{{.loop = loop,
                 .store = *opened.store,
                 .processes = processes,
                 .disks = disks,
                 .links = links,
                 .user_network = network,
                 .broker = broker,
                 .host_names = host_names,
                 .images = images,
                 .kernels = kernels,
                 .ladder = ladder,
                 .maker = maker,
                 .puller = puller,
                 .programs = programs,
                 .bundles = bundles,
                 .key = key,
                 .host = host,
                 .settings = settings,
                 .home = home,
                 .print_name = print_name,
                 .open_process = open_process,
                 .send_signal = [](const UniqueFd& process, int signal) { send_signal(process, signal); },
                 .open_tcp_port = [&loop](const std::string& at, std::uint16_t number,
                                          std::function<void(UniqueFd)> accepted) -> std::unique_ptr<TcpPort> {
                     return std::make_unique<TcpListener>(loop, at, number, std::move(accepted));
                 },
                 .usage_of = process_usage,
                 .resolvers = [] { return host_resolvers(); }},
                paths,
                {opened.warning}};
    Daemon daemon{loop,
                  agent,
                  *connection,
                  {.address = address,
                   .ready = [&arguments] { tell_ready(arguments.ready_fd); },
                   .idle_limit = std::chrono::seconds{arguments.idle_limit}}};
    spawn(ladder.probe().clear_leftovers());
    daemon.start();
    keep_reserve(paths.state);
    const int code = loop.run();
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
        return arguments.shut_down_vm.empty() ? run(arguments) : end_vm(arguments.shut_down_vm);
    } catch (const Error& failure) {
        return refuse(failure, arguments);
    } catch (const std::exception& failure) {
        return refuse(Error{ErrorCode::Failed, failure.what()}, arguments);
    } catch (...) {
        return refuse(Error{ErrorCode::Failed, "failed for a reason that it doesn't know"}, arguments);
    }
}
