// SPDX-License-Identifier: GPL-2.0-or-later
//
// bench_same_calls agent FOLDER FIRECRACKER ARGUMENTS   what bangerd asks of others to start a VM and run a command in it, in FOLDER
// bench_same_calls client NAME IMAGE                    what banger asks of bangerd for `vm run --name NAME --image IMAGE -- true`
//
// The same calls with the same libraries (sdbus-c++, libcurl, the wire format), and nothing else of what banger does: no files, no record, no
// checks, no progress. Prints {"cpu_us": N}: of this process, for the agent from its connection to the bus on.
#include <curl/curl.h>
#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "bench/guest_talk.hpp"
#include "dbus/compat/bus.hpp"

namespace {

using namespace banger;
using namespace banger::bench;
using nlohmann::json;
using VariantMap = std::map<std::string, sdbus::Variant>;
using Bytes = std::vector<std::uint8_t>;

constexpr auto agent_name = "dev.banger.Agent1";
constexpr auto systemd_name = "org.freedesktop.systemd1";
constexpr auto manager_interface = "org.freedesktop.systemd1.Manager";

long cpu_us()
{
    rusage usage{};
    ::getrusage(RUSAGE_SELF, &usage);
    constexpr long second = 1'000'000;
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * second + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/// Handles what comes from the bus until `done`.
template <typename Done>
void serve(sdbus::IConnection& bus, Done done)
{
    while (!done()) {
        if (!bus.processPendingRequest()) {
            const auto data = bus.getEventLoopPollData();
            pollfd poll{data.fd, data.events, 0};
            ::poll(&poll, 1, static_cast<int>(std::chrono::milliseconds{limit}.count()));
        }
    }
}

/// A transient unit of the user's systemd, and its main process.
std::uint32_t start_unit(sdbus::IConnection& bus, const std::string& unit, const std::vector<std::string>& argv,
                         const std::string& folder)
{
    using Property = sdbus::Struct<std::string, sdbus::Variant>;
    using Command = sdbus::Struct<std::string, std::vector<std::string>, bool>;
    using Auxiliary = sdbus::Struct<std::string, std::vector<Property>>;
    const auto manager =
        sdbus::createProxy(bus, bus::ServiceName{systemd_name}, sdbus::ObjectPath{"/org/freedesktop/systemd1"});
    bool started = false;
    manager->uponSignal("JobRemoved")
        .onInterface(manager_interface)
        .call([&](const std::uint32_t&, const sdbus::ObjectPath&, const std::string& which, const std::string&) {
            started = started || which == unit;
        });
    manager->finishRegistration();
    manager->callMethod("Subscribe").onInterface(manager_interface);
    const UniqueFd log{::open((folder + "/firecracker.log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
    const UniqueFd nothing{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    std::vector<Property> properties;
    const auto set = [&](const char* name, sdbus::Variant value) { properties.emplace_back(name, std::move(value)); };
    set("Type", sdbus::Variant{std::string{"exec"}});
    set("ExecStart", sdbus::Variant{std::vector<Command>{Command{argv[0], argv, false}}});
    set("WorkingDirectory", sdbus::Variant{folder});
    set("CollectMode", sdbus::Variant{std::string{"inactive-or-failed"}});
    set("StandardInputFileDescriptor", sdbus::Variant{sdbus::UnixFd{nothing.get()}});
    set("StandardOutputFileDescriptor", sdbus::Variant{sdbus::UnixFd{log.get()}});
    set("StandardErrorFileDescriptor", sdbus::Variant{sdbus::UnixFd{log.get()}});
    sdbus::ObjectPath job;
    manager->callMethod("StartTransientUnit")
        .onInterface(manager_interface)
        .withArguments(unit, std::string{"fail"}, properties, std::vector<Auxiliary>{})
        .storeResultsTo(job);
    serve(bus, [&] { return started; });
    sdbus::ObjectPath path;
    manager->callMethod("GetUnit").onInterface(manager_interface).withArguments(unit).storeResultsTo(path);
    const auto object = sdbus::createProxy(bus, bus::ServiceName{systemd_name}, path);
    sdbus::Variant pid;
    object->callMethod("Get")
        .onInterface("org.freedesktop.DBus.Properties")
        .withArguments(std::string{"org.freedesktop.systemd1.Service"}, std::string{"MainPID"})
        .storeResultsTo(pid);
    return pid.get<std::uint32_t>();
}

/// Until something listens there; each change of the folder is a reason to look.
void wait_for_socket(const char* name)
{
    const UniqueFd watch{::inotify_init1(IN_CLOEXEC)};
    ::inotify_add_watch(watch.get(), ".", IN_CREATE | IN_MODIFY);
    for (;;) {
        try {
            connect_to(name);
            return;
        } catch (const Error&) {
            std::array<char, 4096> events{};
            [[maybe_unused]] const auto got = ::read(watch.get(), events.data(), events.size());
        }
    }
}

/// The parts of a file for --config-file, one by one.
void configure(const json& config)
{
    CURL* curl = curl_easy_init();
    auto* headers = curl_slist_append(nullptr, "Content-Type: application/json");
    const auto send = [&](const char* method, const std::string& path, const std::string& body) {
        curl_easy_reset(curl);
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, "control.sock");
        curl_easy_setopt(curl, CURLOPT_URL, ("http://localhost" + path).c_str());
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(
            curl, CURLOPT_WRITEFUNCTION,
            +[](char*, std::size_t size, std::size_t count, void*) { return size * count; });
        if (!body.empty()) {
            curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.c_str());
        }
        long status = 0;
        const auto code = curl_easy_perform(curl);
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        if (code != CURLE_OK || status >= 300) {
            throw Error{ErrorCode::Failed, "Firecracker refuses " + path};
        }
    };
    send("GET", "/version", "");
    send("PUT", "/metrics", R"({"metrics_path":"firecracker.metrics"})");
    for (const auto* part : {"machine-config", "boot-source"}) {
        send("PUT", std::string{"/"} + part, config.at(part).dump());
    }
    for (const auto& drive : config.at("drives")) {
        send("PUT", "/drives/" + drive.at("drive_id").get<std::string>(), drive.dump());
    }
    for (const auto* part : {"vsock", "balloon", "entropy"}) {
        send("PUT", std::string{"/"} + part, config.at(part).dump());
    }
    send("PUT", "/actions", R"({"action_type":"InstanceStart"})");
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
}

void agent(const std::string& folder, std::vector<std::string> argv)
{
    std::filesystem::current_path(folder);
    std::ifstream file{"config.json"};
    const auto config = json::parse(file);
    std::ofstream{"firecracker.metrics"};  // has to be there
    curl_global_init(CURL_GLOBAL_DEFAULT);
    const auto bus = bus::open_session_bus();
    const auto begin = cpu_us();
    const auto door = listen_at("guest.sock_1024");
    const auto unit = "bench-" + std::filesystem::path{folder}.filename().string() + ".service";
    start_unit(*bus, unit, argv, folder);
    wait_for_socket("control.sock");
    configure(config);
    const auto channel = connect_after_knock(door);
    Host host;
    talk(host, channel);
    const auto used = cpu_us() - begin;
    const auto manager =
        sdbus::createProxy(*bus, bus::ServiceName{systemd_name}, sdbus::ObjectPath{"/org/freedesktop/systemd1"});
    manager->callMethod("KillUnit")
        .onInterface(manager_interface)
        .withArguments(unit, std::string{"main"}, std::int32_t{9});
    std::printf("{\"cpu_us\": %ld}\n", used);
}

void client(const std::string& name, const std::string& image)
{
    const auto bus = bus::open_session_bus();
    const auto daemon =
        sdbus::createProxy(*bus, bus::ServiceName{"org.freedesktop.DBus"}, sdbus::ObjectPath{"/org/freedesktop/DBus"});
    std::string owner;
    daemon->callMethod("GetNameOwner")
        .onInterface("org.freedesktop.DBus")
        .withArguments(std::string{agent_name})
        .storeResultsTo(owner);
    const auto manager =
        sdbus::createProxy(*bus, bus::ServiceName{agent_name}, sdbus::ObjectPath{"/dev/banger/Agent1"});
    constexpr std::uint64_t size = 1ULL << 30U;
    const VariantMap options{{"name", sdbus::Variant{name}},
                             {"image", sdbus::Variant{image}},
                             {"network", sdbus::Variant{std::string{"none"}}},
                             {"storage", sdbus::Variant{std::string{"file"}}},
                             {"memory_mib", sdbus::Variant{std::uint32_t{256}}},
                             {"vcpus", sdbus::Variant{std::uint32_t{1}}},
                             {"disk_bytes", sdbus::Variant{size}}};
    sdbus::ObjectPath vm;
    sdbus::ObjectPath operation;
    manager->callMethod("CreateVm")
        .onInterface("dev.banger.Agent1.Manager")
        .withArguments(options)
        .storeResultsTo(vm, operation);
    const auto work = sdbus::createProxy(*bus, bus::ServiceName{agent_name}, operation);
    work->uponSignal("PropertiesChanged")
        .onInterface("org.freedesktop.DBus.Properties")
        .call([](const std::string&, const VariantMap&, const std::vector<std::string>&) {});
    work->finishRegistration();
    bool ended = false;
    std::string failure;
    work->callMethodAsync("Wait")
        .onInterface("dev.banger.Agent1.Operation")
        .withTimeout(UINT64_MAX)
        .uponReplyInvoke([&](bus::MaybeError error, const VariantMap&) {
            ended = true;
            failure = error ? error->getMessage() : "";
        });
    VariantMap properties;
    work->callMethod("GetAll")
        .onInterface("org.freedesktop.DBus.Properties")
        .withArguments(std::string{"dev.banger.Agent1.Operation"})
        .storeResultsTo(properties);
    serve(*bus, [&] { return ended; });
    if (!failure.empty()) {
        throw Error{ErrorCode::Failed, failure};
    }
    const auto object = sdbus::createProxy(*bus, bus::ServiceName{agent_name}, vm);
    sdbus::UnixFd input;
    sdbus::UnixFd output;
    sdbus::UnixFd error;
    sdbus::UnixFd control;
    const std::string command = "true";
    object->callMethod("Exec")
        .onInterface("dev.banger.Agent1.Vm")
        .withArguments(std::vector<Bytes>{Bytes(command.begin(), command.end())}, std::vector<Bytes>{}, Bytes{},
                       std::string{}, std::uint32_t{0}, std::uint16_t{0}, std::uint16_t{0})
        .storeResultsTo(input, output, error, control);
    std::array<char, 4096> packet{};
    [[maybe_unused]] const auto got = ::read(control.get(), packet.data(), packet.size());
    std::printf("{\"cpu_us\": %ld}\n", cpu_us());
}

}  // namespace

int main(int argc, char** argv)
try {
    const std::vector<std::string> words(argv + 1, argv + argc);
    if (words.size() >= 3 && words[0] == "agent") {
        agent(words[1], {words.begin() + 2, words.end()});
    } else if (words.size() == 3 && words[0] == "client") {
        client(words[1], words[2]);
    } else {
        std::fprintf(stderr, "usage: bench_same_calls agent FOLDER FIRECRACKER... | client NAME IMAGE\n");
        return 2;
    }
    return 0;
} catch (const std::exception& problem) {
    std::fprintf(stderr, "bench_same_calls: %s\n", problem.what());
    return 1;
}
