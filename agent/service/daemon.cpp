// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/daemon.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <fstream>

#include "agent/core/own_path.hpp"
#include "agent/core/vm/vm_files.hpp"
#include "agent/service/dispatch.hpp"
#include "agent/service/json_log.hpp"
#include "common/denial.hpp"
#include "common/file_lock.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr auto bus_name = "dev.banger.Agent1";
constexpr std::chrono::milliseconds drain_time{200};

/// For one that leaves because it is idle: it has given its name back already, and so we were started.
constexpr std::chrono::seconds lock_wait{3};

std::string host_name()
{
    std::array<char, HOST_NAME_MAX + 1> name{};
    return ::gethostname(name.data(), HOST_NAME_MAX) == 0 ? std::string{name.data()} : std::string{};
}

UniqueFd lock_folders(const Paths& paths)
{
    for (const auto& folder : {paths.state, paths.cache}) {
        make_private_folder(folder);
        check_is_own(folder);
    }
    auto lock = lock_file(paths.state / "bangerd.lock", lock_wait);
    if (!lock) {
        std::ifstream file{paths.announcement()};
        const auto json = nlohmann::json::parse(file, nullptr, false);
        const auto other = json.is_object() ? " (PID " + json.value("pid", nlohmann::json{}).dump() + ", on the bus " +
                                                  json.value("address", nlohmann::json{}).dump() + ")"
                                            : std::string{};
        const auto where = other_host_in(json);
        throw Error{ErrorCode::AlreadyExists, "bangerd is already running for " + paths.state.string() + where + other +
                                                  "; banger daemon stop" + where + " ends it"};
    }
    return std::move(*lock);
}

}  // namespace

std::string other_host_in(const nlohmann::json& announcement)
{
    const auto at = announcement.is_object() ? announcement.find("host") : announcement.end();
    const bool is_other = at != announcement.end() && at->is_string() && *at != host_name();
    return is_other ? " on the host " + shown(at->get<std::string>()) : "";
}

UniqueFd lock_state(const Paths& paths)
{
    try {
        return lock_folders(paths);
    } catch (const Error& problem) {
        const int cause = problem.cause() ? problem.cause()->value() : 0;
        if (cause == EROFS) {
            throw Error{problem.code(),
                        std::string{problem.what()} +
                            "; findmnt -T ~ shows why, and XDG_STATE_HOME and XDG_CACHE_HOME name other folders"};
        }
        if (cause == ENOSPC || cause == EDQUOT) {
            throw Error{problem.code(), std::string{problem.what()} + "; df -h ~ and quota show what is used up"};
        }
        throw Error{problem.code(), with_denial_hint(problem.what())};
    }
}

Daemon::Daemon(EventLoop& loop, Agent& agent, sdbus::IConnection& connection, DaemonSettings settings)
    : loop_{&loop}, agent_{&agent}, connection_{&connection}, settings_{std::move(settings)}
{
    terminate_ = loop.on_signal(SIGTERM, [this] { terminate(); });
    interrupt_ = loop.on_signal(SIGINT, [&loop] { loop.quit(0); });
}

Daemon::~Daemon()
{
    agent_->on_environment_changed({});
    if (announced_) {
        std::error_code none;
        std::filesystem::remove(agent_->paths().announcement(), none);
    }
    desktop_.reset();
    manager_.reset();
    agent_->end_work();
}

void Daemon::start()
{
    spawn(serve(), [this](std::exception_ptr failure) {
        if (failure) {
            failure_ = std::move(failure);
            loop_->quit(EXIT_FAILURE);
        }
    });
}

void Daemon::throw_if_failed() const
{
    if (failure_) {
        throw to_error(failure_);
    }
}

Task<void> Daemon::serve()
{
    co_await agent_->recover();
    manager_ = std::make_unique<ManagerObject>(*connection_, *agent_, settings_.address, [this] {
        // After the answer went out.
        loop_->post([this] { loop_->quit(0); });
    });
    if (settings_.desktop) {
        desktop_ = std::make_unique<Desktop>(*connection_, *agent_, *settings_.desktop);
    }
    announce();
    announced_ = true;
    agent_->on_environment_changed([this] { announce_anew(); });
    bus::request_name(*connection_, bus_name);
    json_log::write(json_log::Level::Info, "serving on " + settings_.address);
    watch_idleness();
    settings_.ready();
}

void Daemon::announce() const
{
    const auto path = agent_->paths().announcement();
    const auto fresh = path.string() + ".new";
    std::ofstream file{fresh, std::ios::trunc};
    const auto& paths = agent_->paths();
    const nlohmann::json announcement{
        {"pid", ::getpid()},
        {"host", host_name()},
        {"address", settings_.address},
        {"name", std::string{connection_->getUniqueName()}},
        {"version", BANGER_VERSION},
        // By these a client knows that it need not share its own.
        {"folders", nlohmann::json::array({paths.state.string(), paths.cache.string(), paths.config.string()})},
        {"environment", agent_->settings().shared_variables()}};
    file << announcement.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    file.close();
    if (!file || ::rename(fresh.c_str(), path.c_str()) < 0) {
        throw errno_error("can't write " + path.string(), errno);
    }
}

/// Clients go on sharing what the file doesn't say, so one that can't be written costs a call each.
void Daemon::announce_anew() const
{
    try {
        announce();
    } catch (const Error& failure) {
        json_log::write(json_log::Level::Warn, failure.what());
    }
}

bool Daemon::is_idle()
{
    return agent_->vms().running_count() == 0 && agent_->operations().running() == 0 &&
           manager_->calls_since_asked() == 0 && (!desktop_ || desktop_->calls_since_asked() == 0);
}

void Daemon::watch_idleness()
{
    idle_timer_ = loop_->after(std::chrono::duration_cast<EventLoop::Milliseconds>(settings_.idle_limit), [this] {
        if (is_idle()) {
            leave();
        } else {
            watch_idleness();
        }
    });
}

/// As a unit of systemd's (Type=dbus) we get SIGTERM as soon as we have given the name back: what is on its way is still answered.
void Daemon::terminate()
{
    told_to_leave_ = true;
    if (!leaving_) {
        loop_->quit(0);
    }
}

/// Gives the name back first and answers what is on its way to us; from then on a call starts another bangerd.
void Daemon::leave()
{
    leaving_ = true;
    bus::release_name(*connection_, bus_name);
    idle_timer_ = loop_->after(drain_time, [this] {
        if (told_to_leave_ || is_idle()) {
            json_log::write(json_log::Level::Info, "idle; leaving");
            loop_->quit(0);
        } else {
            leaving_ = false;
            bus::request_name(*connection_, bus_name);
            watch_idleness();
        }
    });
}

}  // namespace banger::agent
