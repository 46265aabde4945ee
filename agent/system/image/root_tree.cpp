// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/root_tree.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <packages.hpp>
#include <sstream>

#include "agent/system/image/build_hooks.hpp"
#include "agent/system/image/debian.hpp"
#include "agent/system/image/distribution.hpp"
#include "agent/system/image/user_namespace.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

/// A folder in the tree; its symbolic links never lead out of it.
UniqueFd open_inside(const fs::path& tree, const char* folder)
{
    const UniqueFd top{::open(tree.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT;
    return UniqueFd{static_cast<int>(::syscall(SYS_openat2, top.get(), folder, &how, sizeof how))};
}

void remove_inside(const fs::path& tree, const char* folder, const char* name)
{
    if (const auto parent = open_inside(tree, folder)) {
        ::unlinkat(parent.get(), name, 0);
    }
}

void remove_host_keys(const fs::path& tree)
{
    for (const auto* kind : {"rsa", "ecdsa", "ed25519"}) {
        remove_inside(tree, "etc/ssh", (std::string{"ssh_host_"} + kind + "_key").c_str());
        remove_inside(tree, "etc/ssh", (std::string{"ssh_host_"} + kind + "_key.pub").c_str());
    }
}

void put_inside(const fs::path& tree, const char* folder, const char* name, std::string_view content)
{
    remove_inside(tree, folder, name);
    const auto parent = open_inside(tree, folder);
    const UniqueFd file{::openat(parent.get(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644)};
    if (!file || ::fchmod(file.get(), 0644) < 0 ||  // whatever our umask is
        ::write(file.get(), content.data(), content.size()) != static_cast<ssize_t>(content.size())) {
        throw errno_error(std::string{"can't write "} + folder + "/" + name + " in the new image", errno);
    }
}

std::string joined(const std::vector<std::string>& words)
{
    std::string text;
    for (const auto& word : words) {
        text += (text.empty() ? "" : ",") + word;
    }
    return text;
}

/// What a base may have that is the base's own, while the build has its own in their places. The host's apt reads the tree's apt.conf, and runs the
/// commands in it (APT::Update::Post-Invoke and its like) on the host, outside of the tree.
constexpr std::array set_aside_names{"sources.list", "apt.conf", "resolv.conf", "hostname"};
constexpr auto aside_suffix = ".banger-aside";
constexpr auto apt_settings = "etc/apt/apt.conf.d";

const char* folder_of_name(std::string_view name)
{
    return name == "sources.list" || name == "apt.conf" ? "etc/apt" : "etc";
}

void rename_inside(const fs::path& tree, const char* folder, const std::string& from, const std::string& to)
{
    if (const auto parent = open_inside(tree, folder)) {
        ::renameat(parent.get(), from.c_str(), parent.get(), to.c_str());
    }
}

/// The names in a folder of the tree; none where it is not there.
std::vector<std::string> names_inside(const fs::path& tree, const std::string& folder)
{
    std::vector<std::string> names;
    const auto here = open_inside(tree, folder.c_str());
    std::error_code none;
    if (here) {
        for (const auto& entry : fs::directory_iterator{"/proc/self/fd/" + std::to_string(here.get()), none}) {
            names.push_back(entry.path().filename().string());
        }
    }
    return names;
}

/// The base's, in place of the build's, with what packages of the build have put there.
void restore_apt_settings(const fs::path& tree)
{
    const auto aside = std::string{apt_settings} + aside_suffix;
    const auto from = open_inside(tree, apt_settings);
    const auto to = open_inside(tree, aside.c_str());
    if (!to) {
        return;  // the base had none
    }
    for (const auto& name : names_inside(tree, apt_settings)) {
        ::renameat(from.get(), name.c_str(), to.get(), name.c_str());
    }
    if (const auto parent = open_inside(tree, "etc/apt")) {
        ::unlinkat(parent.get(), "apt.conf.d", AT_REMOVEDIR);
        ::renameat(parent.get(), ("apt.conf.d" + std::string{aside_suffix}).c_str(), parent.get(), "apt.conf.d");
    }
}

std::vector<std::string> tree_command(const TreeRecipe& recipe)
{
    std::vector<std::string> argv{find_program("mmdebstrap").string(), "--mode=root", "--format=directory",
                                  "--architectures=amd64", "--aptopt=Acquire::Retries \"3\""};
    if (recipe.base.empty()) {
        argv.insert(argv.end(), {"--variant=minbase", "--include=" + joined(recipe.packages)});
    } else {
        // The base's other sources are its own business, and may not answer from here.
        argv.insert(argv.end(),
                    {"--variant=custom", "--skip=check/empty", "--aptopt=Dir::Etc::SourceParts \"/dev/null\""});
        if (!recipe.packages.empty()) {
            argv.push_back("--customize-hook=" + write_install_hook(recipe.scratch, recipe.packages).string());
        }
    }
    if (!recipe.customize_script.empty()) {
        argv.push_back("--customize-hook=" + write_customize_hook(recipe.scratch, recipe.customize_script).string());
    }
    argv.insert(argv.end(), {recipe.suite, recipe.tree.string()});
    const auto sources = apt_sources(recipe.suite);
    argv.insert(argv.end(), sources.begin(), sources.end());
    return argv;
}

/// What of the output is for people, and what says why it failed.
class BuildWatch {
public:
    explicit BuildWatch(const MakingProgress& progress) : progress_{&progress} {}

    void see(std::string_view line)
    {
        const bool before = customize_.runs();
        customize_.see(line);
        if (customize_.runs()) {
            if (!before) {
                progress_->stage("running the customise script");
            }
            return;
        }
        const auto has = [line](std::string_view text) { return line.find(text) != std::string_view::npos; };
        if (line.starts_with("I: ") && line.ends_with("...") && !has("skipping") && !has("received signal")) {
            progress_->stage(std::string{line.substr(3, line.size() - 6)});
        } else if (line.starts_with("I: running --customize-hook") && has("install-hook")) {
            progress_->stage("installing packages");
        }
        if (auto unknown = unknown_package(line)) {
            unknown_.push_back(std::move(*unknown));
        }
    }

    /// Throws what is to be said in place of `failure`, where more is known.
    void explain(const TreeRecipe& recipe, const Error& failure) const
    {
        if (failure.code() != ErrorCode::Failed) {
            return;
        }
        if (!unknown_.empty()) {
            throw Error{ErrorCode::NotFound, explain_unknown(unknown_, recipe.listed, recipe.suite)};
        }
        if (const auto said = customize_.failure()) {
            throw Error{ErrorCode::Failed, "the customise script " + recipe.customize_script.string() +
                                               " failed: " + *said + "\n(the log is " + recipe.log.string() + ")"};
        }
    }

private:
    const MakingProgress* progress_;
    CustomizeWatch customize_;
    std::vector<std::string> unknown_;
};

}  // namespace

std::vector<ListedPackage> default_packages() { return parse_package_list(packages_apt, "packages.apt"); }

/// docker.io of Debian 13 leaves the command to a package of its own. iptables is only recommended there, and so is apparmor anywhere, without which
/// dockerd starts no container where the guest's kernel has AppArmor on.
std::vector<ListedPackage> docker_packages(const std::string& suite)
{
    std::vector<ListedPackage> packages;
    for (const auto* name : {"docker.io", "apparmor", "iptables", "ca-certificates", "kmod"}) {
        packages.push_back({name, "--docker"});
    }
    if (suite == "trixie") {
        packages.push_back({"docker-cli", "--docker"});
    }
    return packages;
}

void unpack_base(const TreeRecipe& recipe, const MakingProgress& progress)
{
    progress.stage("unpacking the base");
    const auto program = find_beside("banger-unpack");
    if (program.empty()) {
        throw Error{ErrorCode::HostLacks, "banger-unpack is not beside bangerd; install banger again"};
    }
    fs::create_directory(recipe.tree);
    fs::permissions(recipe.tree, fs::perms{0755});
    run_step("unpacking the base",
             as_namespace_root({program.string(), recipe.base.string(), recipe.tree.string()}, IdMap::Subordinate),
             recipe.log, progress);
    if (!open_inside(recipe.tree, "var/lib/dpkg") || !open_inside(recipe.tree, "etc/apt")) {
        throw Error{ErrorCode::InvalidArgument,
                    "the base " + recipe.base_name +
                        " is no Debian or Ubuntu: it has no dpkg and apt; banger image edit "
                        "changes images of any kind"};
    }
    set_base_aside(recipe.tree);
}

void set_base_aside(const fs::path& tree)
{
    for (const auto* name : set_aside_names) {
        rename_inside(tree, folder_of_name(name), name, std::string{name} + aside_suffix);
    }
    rename_inside(tree, "etc/apt", "apt.conf.d", "apt.conf.d" + std::string{aside_suffix});
}

void make_root_tree(const TreeRecipe& recipe, const MakingProgress& progress)
{
    const auto temporary = recipe.scratch / "tmp";
    fs::create_directory(temporary);
    BuildWatch watch{progress};
    auto environment = customize_environment(recipe.image, recipe.suite, recipe.docker);
    environment.insert(environment.end(), {"TMPDIR=" + temporary.string(),
                                           "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"});
    try {
        run_step(
            "mmdebstrap", with_own_mounts(as_namespace_root(tree_command(recipe), IdMap::Subordinate)), recipe.log,
            progress, [&watch](std::string_view line) { watch.see(line); }, std::move(environment));
    } catch (const Error& failure) {
        watch.explain(recipe, failure);
        throw;
    }
}

std::string suite_of_tree(const fs::path& tree)
{
    const UniqueFd top{::open(tree.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    open_how how{};
    how.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
    const UniqueFd file{static_cast<int>(::syscall(SYS_openat2, top.get(), "etc/os-release", &how, sizeof how))};
    std::array<char, 4096> text{};
    const auto got = file ? ::read(file.get(), text.data(), text.size()) : 0;
    std::istringstream lines{std::string{text.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))}};
    constexpr std::string_view key = "VERSION_CODENAME=";
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with(key)) {
            auto word = line.substr(key.size());
            std::erase(word, '"');
            return word;
        }
    }
    return "";
}

void finish_based_tree(const fs::path& tree)
{
    put_inside(tree, "etc", "machine-id", "");
    remove_host_keys(tree);
    remove_inside(tree, apt_settings, "99mmdebstrap");
    restore_apt_settings(tree);
    for (const auto* name : set_aside_names) {
        remove_inside(tree, folder_of_name(name), name);
        rename_inside(tree, folder_of_name(name), std::string{name} + aside_suffix, name);
    }
}

void finish_root_tree(const std::string& suite, const fs::path& tree)
{
    put_inside(tree, "etc", "machine-id", "");  // empty: each boot makes its own, as of machine-id(5)
    put_inside(tree, "etc", "hostname", "localhost\n");
    put_inside(tree, "etc", "resolv.conf", "");
    put_inside(tree, "etc", "fstab", "# banger-guest mounts the disks.\n");
    put_inside(tree, "etc/default", "locale", "LANG=C.UTF-8\n");
    remove_host_keys(tree);
    remove_inside(tree, "etc/apt/apt.conf.d", "99mmdebstrap");
    remove_inside(tree, "etc/apt", "sources.list");
    const auto sources = std::string{distribution_of(suite).name} + ".sources";
    put_inside(tree, "etc/apt/sources.list.d", sources.c_str(), public_sources(suite));
}

void write_root_disk(const fs::path& tree, const fs::path& disk, ByteSize size, const fs::path& log,
                     const MakingProgress& progress)
{
    bool is_too_small = false;
    const auto listen = [&is_too_small](std::string_view line) {
        is_too_small = is_too_small || line.find("Could not allocate") != std::string_view::npos;
    };
    try {
        run_step("making the root disk",
                 as_namespace_root({find_program("mke2fs").string(), "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "1",
                                    "-L", "root", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", "-d",
                                    tree.string(), disk.string(), std::to_string(size.bytes() / 4096)},
                                   IdMap::Subordinate),
                 log, progress, listen);
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Failed || !is_too_small) {
            throw;
        }
        throw Error{ErrorCode::InvalidArgument, "what is to be in the image does not fit into " + size.to_string() +
                                                    ", its size; give it more (--size)"};
    }
}

}  // namespace banger::agent
