// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/agent.hpp"

#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "agent/core/duration.hpp"
#include "agent/core/vm/vm_files.hpp"
#include "agent/service/json_log.hpp"

namespace banger::agent {
namespace {

constexpr std::chrono::milliseconds housekeeping_interval{30'000};

std::int64_t now() { return static_cast<std::int64_t>(::time(nullptr)); }

constexpr std::chrono::seconds name_limit{5};
constexpr int name_tries = 5;

/// For the log: what it does to what, and how that went.
void log_operation(const Operation& operation)
{
    const bool is_of_vm = operation.kind().find('-') == std::string::npos;  // others make images, kernels and such
    const auto what = operation.kind() + (is_of_vm ? "" : " " + operation.target());
    const auto log = [&](json_log::Level level, const std::string& message) {
        json_log::write(level, message, is_of_vm ? operation.target() : "", std::to_string(operation.id()));
    };
    if (const auto& error = operation.error()) {
        const bool cancelled = operation.state() == OperationState::Cancelled;
        log(cancelled ? json_log::Level::Info : json_log::Level::Warn, what + ": " + error->what());
    } else {
        log(json_log::Level::Info, what + (operation.state() == OperationState::Running ? " begins" : " is done"));
    }
}

/// The original program's bundle came with a key that everybody who has the bundle has.
bool is_below(const std::filesystem::path& path, const std::filesystem::path& folder)
{
    const auto relative = path.lexically_normal().lexically_relative(folder.lexically_normal());
    return !folder.empty() && !relative.empty() && *relative.begin() != "..";
}

template <typename Digests>
std::vector<std::string> users_of(const VmManager& vms, Digests&& uses)
{
    std::vector<std::string> names;
    for (const auto& vm : vms.list()) {
        if (uses(vm->record.spec)) {
            names.push_back(vm->name());
        }
    }
    return names;
}

}  // namespace

Agent::Agent(AgentPorts ports, Paths paths, StoreFindings findings)
    : ports_{std::move(ports)},
      paths_{std::move(paths)},
      operations_{ports_.loop},
      statistics_{ports_.loop, ports_.disks, ports_.usage_of},
      stale_{ports_.loop, {[this] { return vms_->list(); }, [this](const VmPtr& vm) { stop_stale(vm); }}},
      power_{ports_.loop,
             ports_.power,
             {.vms = [this] { return vms_->list(); },
              .tell_time = [this] { vms_->tell_time(); },
              .stop =
                  [this](const VmPtr& vm, std::chrono::milliseconds wait) {
                      stop_unasked(vm, "the host shuts down", std::max(session_end_limit, wait));
                  },
              .log = [](const std::string& text) { json_log::write(json_log::Level::Info, text); }}},
      owner_{sandbox_owner()},
      cache_users_{paths_.cache / "users", owner_, paths_.state}
{
    if (!findings.warning.empty()) {
        warnings_.push_back(findings.warning);
        json_log::write(json_log::Level::Error, findings.warning);
    }
    vms_ = std::make_unique<VmManager>(vm_ports(), paths_.vms(), ports_.settings.host().cpus, relay());
    operations_.on_run([this](const Operation& operation) {
        log_operation(operation);
        if (operation_told_) {
            operation_told_(operation);
        }
    });
    apply_settings();
    housekeep();
}

VmPorts Agent::vm_ports()
{
    return VmPorts{.loop = ports_.loop,
                   .store_lane = store_lane_,
                   .work_lane = work_lane_,
                   .store = ports_.store,
                   .processes = ports_.processes,
                   .disks = ports_.disks,
                   .links = ports_.links,
                   .user_network = ports_.user_network,
                   .broker = ports_.broker,
                   .host_names = ports_.host_names,
                   .sandbox_owner = owner_,
                   .resolvers = ports_.resolvers,
                   .images = ports_.images,
                   .kernels = ports_.kernels,
                   .ladder = ports_.ladder,
                   .authorized_keys = [this] { return authorized_keys(); },
                   .welcome = [this](VmPtr vm, OperationPtr operation) { return give_files(vm, operation); },
                   .open_process = ports_.open_process,
                   .send_signal = ports_.send_signal,
                   .open_tcp_port = ports_.open_tcp_port,
                   .now = now};
}

/// Empty where it can't be had: then no sandbox can be made, and VMs that have one say so at their start.
std::string Agent::sandbox_owner()
{
    try {
        return sandbox_owner_of(paths_.state);
    } catch (const Error& error) {
        warnings_.push_back(std::string{"no sandboxes can be made: "} + error.what());
        json_log::write(json_log::Level::Error, warnings_.back());
        return "";
    }
}

VmObserver Agent::relay()
{
    const auto tell = [this](auto member) {
        return [this, member](const VmPtr& vm) {
            for (const auto* observer : {&observer_, &second_observer_}) {
                if (const auto& call = observer->*member) {
                    call(vm);
                }
            }
        };
    };
    return {.added =
                [this, told = tell(&VmObserver::added)](const VmPtr& vm) {
                    note_cache_use();
                    told(vm);
                },
            .changed =
                [this, told = tell(&VmObserver::changed)](const VmPtr& vm) {
                    told(vm);
                    stale_.notice(vm);
                    power_.notice(vm);
                },
            .removed =
                [this, told = tell(&VmObserver::removed)](const VmPtr& vm) {
                    told(vm);
                    ports_.loop.post([this] {
                        note_cache_use();
                        drop_unused();
                    });
                },
            .log = [](const std::string& message,
                      const VmPtr& vm) { json_log::write(json_log::Level::Warn, message, vm->name()); },
            .little_room =
                [this](ByteSize free) {
                    json_log::write(json_log::Level::Warn,
                                    "the disk that VMs are on is nearly full: " + free.to_string() + " are left");
                    for (const auto* observer : {&observer_, &second_observer_}) {
                        if (observer->little_room) {
                            observer->little_room(free);
                        }
                    }
                }};
}

Task<void> Agent::recover()
{
    auto& store = ports_.store;
    auto load = [&store] { return store.load(); };
    auto rows = co_await run_on(ports_.loop, store_lane_, std::move(load));
    co_await clear_drafts();
    co_await vms_->recover(std::move(rows));
    recovered_ = true;
    note_cache_use();
    drop_unused();
    spawn(take_bundle_at_start());
    ports_.loop.post([this] { power_.begin(); });  // once it serves: a system bus that hangs is no reason not to
}

/// A draft that nobody makes any more (discard() knows) is of a bangerd that was killed. A new banger has a new banger-guest, which older kernels get, too.
Task<void> Agent::clear_drafts()
{
    auto drafts = ports_.images.drafts();
    const auto more = ports_.kernels.drafts();
    drafts.insert(drafts.end(), more.begin(), more.end());
    std::vector<std::filesystem::path> kernels;
    for (const auto& kernel : ports_.kernels.list()) {
        kernels.push_back(kernel.folder);
    }
    auto clear = [&maker = ports_.maker, drafts, kernels] {
        for (const auto& draft : drafts) {
            maker.discard(draft);
        }
        for (const auto& kernel : kernels) {
            try {
                maker.refresh_initrd(kernel);
            } catch (const std::exception& failure) {
                json_log::write(json_log::Level::Warn,
                                "kernel " + kernel.filename().string() + " keeps its old initrd: " + failure.what());
            }
        }
    };
    co_await run_on(ports_.loop, work_lane_, std::move(clear));
}

void Agent::apply_settings()
{
    const auto settings = ports_.settings.now();
    json_log::set_level(settings->log_level);
    stale_.set_limit(settings->auto_stop_stale_after);
    const auto places = ports_.bundles.places();
    const auto& key = settings->ssh_key_path;
    const auto holds_key = [&key](const std::filesystem::path& bundle) { return is_below(key, bundle); };
    if (std::any_of(places.begin(), places.end(), holds_key) && std::exchange(doubted_key_, key) != key) {
        json_log::write(json_log::Level::Warn, "ssh_key_path, " + key.string() +
                                                   ", is in a runtime bundle: whoever else has that bundle has the key "
                                                   "to your VMs, too; ssh-keygen makes one of your own");
    }
}

void Agent::stop_stale(const VmPtr& vm)
{
    stop_unasked(vm,
                 "nobody has used it for " + to_string(ports_.settings.now()->auto_stop_stale_after) +
                     " (auto_stop_stale_after)",
                 default_stop_limit);
}

void Agent::stop_unasked(const VmPtr& vm, const std::string& why, std::chrono::milliseconds limit)
{
    const auto operation = operations_.add("stop", vm->name());
    json_log::write(json_log::Level::Info, why + "; stopping it", vm->name(), std::to_string(operation->id()));
    operations_.run(operation, vms_->stop(vm, operation, limit));
}

void Agent::end_work()
{
    ending_.request_stop();
    operations_.request_stop();
}

void Agent::stop_all(const std::string& why)
{
    for (const auto& vm : vms_->list()) {
        if (vm->running) {
            stop_unasked(vm, why, default_stop_limit);
        }
    }
}

/// The file may have changed; a new one with a mistake changes nothing.
void Agent::look_at_settings()
{
    if (const auto mistakes = ports_.settings.refresh()) {
        json_log::write(json_log::Level::Warn, "the settings stay as they were: " + *mistakes);
    }
    apply_settings();
}

void Agent::share_environment(const Variables& caller)
{
    check_same_folders(paths_, caller);
    const bool is_news = ports_.settings.share(caller);
    look_at_settings();
    if (is_news && environment_changed_) {
        environment_changed_();
    }
}

Task<std::string> Agent::ask_for_name(std::filesystem::path program)
{
    for (int left = name_tries;; --left) {
        std::stop_source late;
        auto ask = [&print_name = ports_.print_name, program, token = late.get_token()] {
            return print_name(program, token);
        };
        const auto limit = ports_.loop.after(name_limit, [&late] { late.request_stop(); });
        auto name = co_await run_on(ports_.loop, work_lane_, std::move(ask));
        if (!vms_->find(name)) {
            co_return name;
        }
        if (left == 1) {
            throw Error{ErrorCode::AlreadyExists, "namegen_path, " + program.string() + ", printed \"" + name +
                                                      "\", and that VM exists already; give a --name"};
        }
    }
}

std::vector<std::string> Agent::users_of_image(const Digest& digest) const
{
    return users_of(*vms_, [&](const VmSpec& spec) { return spec.image_digest == digest; });
}

std::vector<std::string> Agent::users_of_kernel(const Digest& digest) const
{
    return users_of(*vms_, [&](const VmSpec& spec) { return spec.kernel_digest == digest; });
}

Task<std::vector<std::string>> Agent::authorized_keys()
{
    std::vector<std::string> keys;
    try {
        auto read_key = [&key = ports_.key] { return key.public_key(); };
        keys.push_back(co_await run_on(ports_.loop, work_lane_, std::move(read_key)));
    } catch (const Error& error) {
        // Commands and copies need no ssh, so a VM starts without a key; `vm ssh` says what is missing.
        json_log::write(json_log::Level::Warn, std::string{"no ssh key: "} + error.what());
    }
    co_return keys;
}

void Agent::housekeep()
{
    housekeeping_ = ports_.loop.after(housekeeping_interval, [this] {
        vms_->housekeep();
        power_.housekeep();
        look_at_settings();
        note_cache_use();
        housekeep();
    });
}

}  // namespace banger::agent
