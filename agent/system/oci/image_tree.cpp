// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/oci/image_tree.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>
#include <string_view>

#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

/// A tree whose links are followed as if its top were "/".
class ClosedTree {
public:
    explicit ClosedTree(const fs::path& top) : top_{::open(top.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)}
    {
        if (!top_) {
            throw errno_error("can't read " + top.string(), errno);
        }
    }

    /// Negative when there is no such thing, or it is somebody else's.
    UniqueFd open(const std::string& path, std::uint64_t flags) const
    {
        open_how how{};
        how.flags = flags | O_CLOEXEC;
        how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
        return UniqueFd{static_cast<int>(::syscall(SYS_openat2, top_.get(), path.c_str(), &how, sizeof how))};
    }

    /// Where a path leads, from the top on.
    std::string resolve(const std::string& path) const
    {
        const auto fd = open(path, O_PATH);
        if (!fd) {
            return "";
        }
        std::error_code none;
        const auto link = [&none](int number) {
            return fs::read_symlink("/proc/self/fd/" + std::to_string(number), none);
        };
        const auto relative = link(fd.get()).lexically_relative(link(top_.get()));
        return none ? "" : "/" + relative.string();
    }

private:
    UniqueFd top_;
};

void remove_in(const ClosedTree& tree, const std::string& folder, const std::string& name)
{
    if (const auto parent = tree.open(folder, O_PATH | O_DIRECTORY)) {
        ::unlinkat(parent.get(), name.c_str(), 0);
    }
}

/// systemd makes a new id for one that is empty; other programs want a file there.
void empty_machine_id(const ClosedTree& tree)
{
    const auto folder = tree.open("/etc", O_PATH | O_DIRECTORY);
    struct stat status {};
    if (!folder || ::fstatat(folder.get(), "machine-id", &status, AT_SYMLINK_NOFOLLOW) < 0 || status.st_size == 0) {
        return;
    }
    ::unlinkat(folder.get(), "machine-id", 0);
    const UniqueFd file{
        ::openat(folder.get(), "machine-id", O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444)};
    if (!file || ::fchmod(file.get(), 0444) < 0) {  // whatever our umask is
        throw errno_error("can't write /etc/machine-id in the image", errno);
    }
}

void make_folders_in(const ClosedTree& tree, const std::string& path)
{
    for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
        const auto here = path.substr(0, end);
        const auto slash = here.rfind('/');
        if (!tree.open(here, O_PATH | O_DIRECTORY)) {
            const auto parent = tree.open(slash == 0 ? "/" : here.substr(0, slash), O_PATH | O_DIRECTORY);
            const auto name = here.substr(slash + 1);
            if (!parent || ::mkdirat(parent.get(), name.c_str(), 0755) < 0 ||
                ::fchmodat(parent.get(), name.c_str(), 0755, 0) < 0) {
                return;  // a file is there, or it is somebody else's: the guest says what it finds
            }
        }
        if (end == std::string::npos) {
            return;
        }
    }
}

}  // namespace

void finish_pulled_tree(const fs::path& top, const ImageConfig& config)
{
    const ClosedTree tree{top};
    empty_machine_id(tree);
    for (const std::string kind : {"rsa", "ecdsa", "ed25519", "dsa"}) {
        remove_in(tree, "/etc/ssh", "ssh_host_" + kind + "_key");
        remove_in(tree, "/etc/ssh", "ssh_host_" + kind + "_key.pub");
    }
    const auto folder = fs::path{config.working_dir}.lexically_normal().string();
    if (folder.size() > 1) {
        make_folders_in(tree, folder.back() == '/' ? folder.substr(0, folder.size() - 1) : folder);
    }
}

bool has_systemd(const fs::path& top)
{
    const ClosedTree tree{top};
    constexpr std::array candidates{"/sbin/init", "/lib/systemd/systemd"};
    return std::any_of(candidates.begin(), candidates.end(),
                       [&tree](const char* path) { return tree.resolve(path).ends_with("/systemd"); });
}

}  // namespace banger::agent
