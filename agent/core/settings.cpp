// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/settings.hpp"

#include <sys/stat.h>

#include <utility>

#include "agent/core/config_keys.hpp"
#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

/// Those of `variables` that stand for keys of this kind.
Variables variables_of(VariableOf whose, const Variables& variables)
{
    Variables found;
    for (const auto* keys : {&top_config_keys(), &vm_config_keys(), &desktop_config_keys()}) {
        for (const auto& key : *keys) {
            const auto at = variables.find(std::string{key.variable});
            if (key.whose == whose && at != variables.end() && !at->second.empty()) {
                found.insert(*at);
            }
        }
    }
    return found;
}

}  // namespace

Settings::Settings(std::filesystem::path file, HostFacts host, const Variables& own)
    : file_{std::move(file)}, host_{std::move(host)}, shared_{variables_of(VariableOf::Daemon, own)}, seen_{identity()}
{
    set(for_request({}));
}

Settings::Identity Settings::identity() const
{
    struct stat status {};
    if (::stat(file_.c_str(), &status) < 0) {
        return {};
    }
    constexpr std::int64_t ns_per_s = 1'000'000'000;
    return {status.st_ino, status.st_size, status.st_ctim.tv_sec * ns_per_s + status.st_ctim.tv_nsec};
}

Variables Settings::with(const Variables& caller) const
{
    auto all = variables_of(VariableOf::Caller, caller);
    all.insert(shared_.begin(), shared_.end());
    return all;
}

Config Settings::for_request(const Variables& caller) const { return load_config(file_, host_, with(caller)); }

ConfigReport Settings::report(const Variables& caller) const { return report_config(file_, host_, with(caller)); }

std::shared_ptr<const Config> Settings::now() const
{
    const std::lock_guard lock{mutex_};
    return now_;
}

void Settings::set(Config config)
{
    auto fresh = std::make_shared<const Config>(std::move(config));
    const std::lock_guard lock{mutex_};
    now_ = std::move(fresh);
}

bool Settings::share(const Variables& caller)
{
    constexpr auto level = "BANGER_LOG_LEVEL";
    auto shared = shared_;
    for (const auto& [name, value] : variables_of(VariableOf::Daemon, caller)) {
        const auto [at, is_new] = shared.emplace(name, value);
        if (name == level) {
            at->second = value;
        } else if (!is_new && at->second != value) {
            throw Error{ErrorCode::WrongState, name + " is " + shown(value) + ", and bangerd runs with " +
                                                   shown(at->second) +
                                                   ", which holds for all callers; end it with banger daemon stop (VMs "
                                                   "go on), then try again"};
        }
    }
    if (shared == shared_) {
        return false;
    }
    // The file's own mistakes are for those who ask for VMs, not for all.
    if (const auto wrong = report_config("", host_, shared).problems; !wrong.empty()) {
        throw Error{ErrorCode::InvalidArgument, wrong.front()};
    }
    shared_ = std::move(shared);
    reload();
    return true;
}

Variables Settings::shared_variables() const
{
    auto all = shared_;
    for (const auto* keys : {&top_config_keys(), &vm_config_keys(), &desktop_config_keys()}) {
        for (const auto& key : *keys) {
            if (key.whose == VariableOf::Daemon) {
                all.emplace(std::string{key.variable}, "");
            }
        }
    }
    return all;
}

std::optional<std::string> Settings::refresh()
{
    const auto found = identity();
    return std::exchange(seen_, found) == found ? std::nullopt : reload();
}

std::optional<std::string> Settings::reload()
{
    try {
        set(for_request({}));
    } catch (const Error& mistake) {
        return mistake.what();
    }
    return std::nullopt;
}

void check_same_folders(const Paths& ours, const Variables& caller)
{
    const auto look_up = [&caller](const char* name) {
        const auto at = caller.find(name);
        return at == caller.end() ? std::nullopt : std::optional{at->second};
    };
    const auto check = [](const char* what, const char* variable, const std::filesystem::path& own,
                          const std::filesystem::path& other) {
        std::error_code none;
        if (own != other && !std::filesystem::equivalent(own, other, none)) {
            throw Error{ErrorCode::WrongState,
                        std::string{"the "} + what + " is " + shown(other.string(), 256) + " here and " + own.string() +
                            " for the bangerd that runs; end it with banger daemon stop (VMs go on), "
                            "then try again. Where the session bus starts it, tell that bus first: "
                            "dbus-update-activation-environment --systemd " +
                            variable};
        }
    };
    Paths theirs;
    try {
        theirs = find_paths(look_up);
    } catch (const Error&) {
        return;  // neither HOME nor all of XDG: nothing to compare
    }
    check("state folder", "XDG_STATE_HOME", ours.state, theirs.state);
    check("cache", "XDG_CACHE_HOME", ours.cache, theirs.cache);
    check("configuration", "XDG_CONFIG_HOME", ours.config, theirs.config);
}

}  // namespace banger::agent
