// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/debian.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "agent/system/image/distribution.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

std::map<std::string, std::string> os_release()
{
    std::map<std::string, std::string> values;
    std::ifstream file{"/etc/os-release"};
    for (std::string line; std::getline(file, line);) {
        const auto split = line.find('=');
        if (split != std::string::npos) {
            auto value = line.substr(split + 1);
            std::erase(value, '"');
            values[line.substr(0, split)] = value;
        }
    }
    return values;
}

bool host_runs(const std::string& suite)
{
    auto release = os_release();
    return release["ID"] == distribution_of(suite).name && release["VERSION_CODENAME"] == suite;
}

bool belongs_to(const std::string& release, const std::string& suite)
{
    return release == suite || release == suite + "-updates" || release == suite + "-security";
}

/// The distribution's own mirrors as the host's apt is set up with them; empty where it has none or no lists.
std::vector<std::string> host_sources(const std::string& suite)
{
    const auto& distribution = distribution_of(suite);
    const auto& components = distribution.components;
    std::vector<std::string> sources;
    const auto take = [&](std::string_view line) {
        std::istringstream words{std::string{line}};
        std::string uri;
        std::string release;
        std::string component;
        std::string origin;
        if (words >> uri >> release >> component >> origin && origin == distribution.origin &&
            std::find(components.begin(), components.end(), component) != components.end() &&
            belongs_to(release, suite)) {
            sources.push_back("deb [signed-by=" + std::string{distribution.keyring} + "] " + uri + " " + release + " " +
                              component);
        }
    };
    const auto listed = run_program({.argv = {find_program("apt-get").string(), "indextargets", "--format",
                                              "$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)", "Created-By: Packages"},
                                     .on_line = take});
    const bool has_main = std::any_of(sources.begin(), sources.end(),
                                      [&](const std::string& line) { return line.ends_with(" " + suite + " main"); });
    return listed.ok() && has_main ? sources : std::vector<std::string>{};
}

std::string last_lines(const std::string& text, std::size_t lines)
{
    auto end = text.find_last_not_of('\n');
    if (end == std::string::npos) {
        return "it said nothing";
    }
    std::size_t begin = end;
    while (lines > 0 && begin > 0) {
        begin = text.rfind('\n', begin - 1);
        if (begin == std::string::npos) {
            begin = 0;
            break;
        }
        --lines;
    }
    begin += text[begin] == '\n' ? 1 : 0;
    return text.substr(begin, end - begin + 1);
}

}  // namespace

void check_keys(const Distribution& distribution)
{
    std::error_code none;
    if (!std::filesystem::exists(distribution.keyring, none)) {
        throw Error{ErrorCode::HostLacks, std::string{distribution.keyring} + " is not there, and without it no " +
                                              std::string{distribution.origin} +
                                              " package can be checked; apt install " +
                                              std::string{distribution.keyring_package}};
    }
}

std::string host_suite()
{
    const auto& suites = distributions().front().suites;
    const auto found =
        std::find_if(suites.begin(), suites.end(), [](auto suite) { return host_runs(std::string{suite}); });
    return std::string{found != suites.end() ? *found : suites.front()};
}

void check_suite(const std::string& suite) { distribution_of(suite); }

std::vector<std::string> apt_sources(const std::string& suite)
{
    check_keys(distribution_of(suite));
    if (host_runs(suite)) {
        if (auto sources = host_sources(suite); !sources.empty()) {
            return sources;
        }
    }
    return public_source_lines(suite);
}

void run_step(const std::string& what, std::vector<std::string> argv, const std::filesystem::path& log,
              const MakingProgress& progress, std::function<void(std::string_view line)> on_line,
              std::vector<std::string> environment, const std::filesystem::path& folder)
{
    environment.emplace_back("LC_ALL=C.UTF-8");
    environment.emplace_back("DEBIAN_FRONTEND=noninteractive");
    const auto result = run_program({.argv = std::move(argv),
                                     .environment = std::move(environment),
                                     .directory = folder,
                                     .log = log,
                                     .on_line = std::move(on_line),
                                     .stop = progress.stop,
                                     .gentle = true});
    if (result.ok()) {
        return;
    }
    const auto has = [&result](std::string_view text) { return result.tail.find(text) != std::string::npos; };
    if (has("No space left on device") || has("Disk quota exceeded") || has("enough free space")) {
        throw Error{ErrorCode::NoSpace,
                    "the disk is full: " + what + " failed; make room in " + log.parent_path().string()};
    }
    if (has("unshare failed") || has("write failed /proc/self/uid_map")) {
        throw Error{ErrorCode::HostLacks,
                    what + " needs user namespaces, which this host refuses to " +
                        "ordinary users; as root: sysctl kernel.unprivileged_userns_clone=1, or on Ubuntu sysctl "
                        "kernel.apparmor_restrict_unprivileged_userns=0"};
    }
    throw Error{ErrorCode::Failed,
                what + " failed: " + last_lines(result.tail, 4) + " (the log is " + log.string() + ")"};
}

PackageSource::PackageSource(std::string suite, std::filesystem::path folder, const MakingProgress& progress)
    : folder_{std::move(folder)}, progress_{&progress}, own_lists_{!host_runs(suite)}
{
    for (const auto* name : {"state/lists/partial", "cache/archives/partial", "etc"}) {
        std::filesystem::create_directories(folder_ / "apt" / name);
    }
    const std::ofstream status{folder_ / "apt/state/status"};  // nothing is installed
    std::ofstream list{folder_ / "apt/etc/sources.list"};
    for (const auto& line : apt_sources(suite)) {
        list << line << "\n";
    }
    if (own_lists_) {
        update();
    }
}

std::vector<std::string> PackageSource::apt_get(std::initializer_list<std::string> words) const
{
    const auto apt = (folder_ / "apt").string();
    // The sources are the distribution's own with its keys, whatever the host's call trusted and its apt.conf allows.
    std::vector<std::string> options{"Acquire::Retries=3", "Acquire::http::Timeout=30",
                                     // May name a release that only the host's own sources have, which are hidden here.
                                     "APT::Default-Release=", "APT::Get::AllowUnauthenticated=false",
                                     "Acquire::AllowInsecureRepositories=false", "Acquire::AllowWeakRepositories=false",
                                     "Acquire::AllowDowngradeToInsecureRepositories=false",
                                     "Dir::Etc::sourcelist=" + apt + "/etc/sources.list",
                                     "Dir::Etc::sourceparts=/dev/null", "Dir::Cache=" + apt + "/cache"};
    if (own_lists_) {
        for (const auto& option :
             {"Dir::State=" + apt + "/state", "Dir::State::lists=" + apt + "/state/lists",
              "Dir::State::status=" + apt + "/state/status", std::string{"APT::Architecture=amd64"},
              std::string{"APT::Architectures=amd64"}, std::string{"APT::Sandbox::User="}}) {
            options.push_back(option);
        }
    }
    std::vector<std::string> argv{find_program("apt-get").string(), "-q"};
    for (const auto& option : options) {
        argv.insert(argv.end(), {"-o", option});
    }
    argv.insert(argv.end(), words);
    return argv;
}

void PackageSource::update()
{
    progress_->stage("fetching package lists");
    run_step("fetching package lists", apt_get({"update", "-o", "Acquire::Languages=none", "--error-on=any"}),
             folder_ / "apt.log", *progress_);
}

std::filesystem::path PackageSource::fetch(const std::string& package)
{
    progress_->stage("fetching " + package);
    const auto target = folder_ / ("deb-" + package);
    std::filesystem::create_directory(target);
    const auto download = [&] {
        auto argv = apt_get({"download", package});
        const auto result =
            run_program({.argv = argv, .directory = target, .log = folder_ / "apt.log", .stop = progress_->stop});
        return result.ok();
    };
    // The host's lists may be missing, or name files that the mirror has replaced since: then with lists of our own.
    if (!download()) {
        own_lists_ = true;
        update();
        if (!download()) {
            std::ifstream log{folder_ / "apt.log"};
            const std::string text{std::istreambuf_iterator<char>{log}, {}};
            throw Error{ErrorCode::Failed, "fetching the package " + package + " failed: " + last_lines(text, 3)};
        }
    }
    for (const auto& entry : std::filesystem::directory_iterator{target}) {
        if (entry.path().extension() == ".deb") {
            return entry.path();
        }
    }
    throw Error{ErrorCode::Failed, "apt-get fetched no " + package};
}

}  // namespace banger::agent
