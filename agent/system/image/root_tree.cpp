// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/root_tree.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <packages.hpp>
#include <sstream>

#include "agent/system/image/debian.hpp"
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

std::string public_sources(const std::string& suite)
{
    const std::string keys = "Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n";
    return "Types: deb\nURIs: http://deb.debian.org/debian\nSuites: " + suite + " " + suite + "-updates\n" + keys +
           "\nTypes: deb\nURIs: http://deb.debian.org/debian-security\nSuites: " + suite + "-security\n" + keys;
}

std::string joined(const std::vector<std::string>& words)
{
    std::string text;
    for (const auto& word : words) {
        text += (text.empty() ? "" : ",") + word;
    }
    return text;
}

/// Debian policy 5.6.1. No std::regex: it takes stack for each letter.
bool is_package_name(std::string_view word)
{
    constexpr std::string_view first = "abcdefghijklmnopqrstuvwxyz0123456789";
    constexpr std::string_view more = "abcdefghijklmnopqrstuvwxyz0123456789+.-";
    return word.size() >= 2 && first.find(word.front()) != std::string_view::npos &&
           word.find_first_not_of(more) == std::string_view::npos;
}

}  // namespace

std::vector<std::string> parse_package_list(std::string_view text, const std::string& name)
{
    std::vector<std::string> packages;
    std::istringstream lines{std::string{text}};
    int number = 0;
    for (std::string line; std::getline(lines, line);) {
        ++number;
        std::istringstream words{line.substr(0, line.find('#'))};
        for (std::string word; words >> word;) {
            if (!is_package_name(word)) {
                throw Error{ErrorCode::InvalidArgument, name + ":" + std::to_string(number) + ": \"" +
                                                            word.substr(0, 64) + "\" is no package name"};
            }
            packages.push_back(word);
        }
    }
    return packages;
}

std::vector<std::string> default_packages() { return parse_package_list(packages_list, "packages.list"); }

void make_root_tree(const std::string& suite, const std::vector<std::string>& packages, const fs::path& tree,
                    const fs::path& log, const MakingProgress& progress)
{
    const auto scratch = tree.parent_path() / "tmp";
    fs::create_directory(scratch);
    std::vector<std::string> argv{find_program("mmdebstrap").string(),
                                  "--mode=root",
                                  "--format=directory",
                                  "--variant=minbase",
                                  "--architectures=amd64",
                                  "--aptopt=Acquire::Retries \"3\"",
                                  "--include=" + joined(packages),
                                  suite,
                                  tree.string()};
    const auto sources = apt_sources(suite);
    argv.insert(argv.end(), sources.begin(), sources.end());
    const auto tell = [&progress](std::string_view line) {
        if (line.starts_with("I: ") && line.ends_with("...")) {
            progress.stage(std::string{line.substr(3, line.size() - 6)});
        }
    };
    run_step("mmdebstrap", as_namespace_root(std::move(argv), IdMap::Subordinate), log, progress, tell,
             {"TMPDIR=" + scratch.string(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"});
}

void finish_root_tree(const std::string& suite, const fs::path& tree)
{
    put_inside(tree, "etc", "machine-id", "");  // empty: each boot makes its own, as of machine-id(5)
    put_inside(tree, "etc", "hostname", "localhost\n");
    put_inside(tree, "etc", "resolv.conf", "");
    put_inside(tree, "etc", "fstab", "# banger-guest mounts the disks.\n");
    put_inside(tree, "etc/default", "locale", "LANG=C.UTF-8\n");
    for (const auto* kind : {"rsa", "ecdsa", "ed25519"}) {
        remove_inside(tree, "etc/ssh", (std::string{"ssh_host_"} + kind + "_key").c_str());
        remove_inside(tree, "etc/ssh", (std::string{"ssh_host_"} + kind + "_key.pub").c_str());
    }
    remove_inside(tree, "etc/apt/apt.conf.d", "99mmdebstrap");
    remove_inside(tree, "etc/apt", "sources.list");
    put_inside(tree, "etc/apt/sources.list.d", "debian.sources", public_sources(suite));
}

void write_root_disk(const fs::path& tree, const fs::path& disk, ByteSize size, const fs::path& log,
                     const MakingProgress& progress)
{
    run_step("making the root disk",
             as_namespace_root({find_program("mke2fs").string(), "-q", "-F", "-t", "ext4", "-b", "4096", "-m", "1",
                                "-L", "root", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard", "-d",
                                tree.string(), disk.string(), std::to_string(size.bytes() / 4096)},
                               IdMap::Subordinate),
             log, progress);
}

}  // namespace banger::agent
