// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/confine/own_root.hpp"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <utility>
#include <vector>

#include "agent/confine/grants.hpp"
#include "common/error.hpp"
#include "common/pipe.hpp"
#include "common/user_namespace.hpp"

namespace banger::confine {
namespace {

namespace fs = std::filesystem;

// Any folder that every system has will do: it is covered for as long as it takes to make the new root on it.
constexpr auto base = "/usr";
constexpr auto old_root = "/.old";

[[noreturn]] void fail_at(const std::string& what, const fs::path& path)
{
    throw errno_error("can't " + what + " " + path.string(), errno, ErrorCode::HostLacks);
}

bool is_within(const fs::path& path, const fs::path& folder)
{
    return std::mismatch(folder.begin(), folder.end(), path.begin(), path.end()).first == folder.end();
}

void make_folders(const fs::path& path)
{
    std::error_code problem;
    fs::create_directories(path, problem);
    if (problem) {
        throw errno_error("can't make " + path.string(), problem.value(), ErrorCode::HostLacks);
    }
}

bool is_link(const Grant& grant) { return grant.is_folder && !grant.link.empty(); }

/// What is bound there, or a link as the host has it (/bin). By its descriptor, as its path leads to the new root by now.
void place(const Grant& grant)
{
    if (is_link(grant)) {
        if (::symlink(grant.link.c_str(), grant.at.c_str()) < 0) {
            fail_at("make", grant.at);
        }
        return;
    }
    make_folders(grant.is_folder ? grant.at : grant.at.parent_path());
    if (!grant.is_folder) {
        const UniqueFd file{::open(grant.at.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
        if (!file) {
            fail_at("make", grant.at);
        }
    }
    const auto source = std::string{old_root} + "/proc/self/fd/" + std::to_string(grant.file.get());
    if (::mount(source.c_str(), grant.at.c_str(), nullptr, MS_BIND | MS_REC, nullptr) < 0) {
        fail_at("bind", grant.at);
    }
}

bool is_to_read(const Grant& grant) { return grant.access == Access::Run || grant.access == Access::Read; }

/// A mount of its own, which is to be read, and holds nothing that is to be written: a home may be below /usr.
bool is_read_only(const Grant& grant, const std::vector<Grant>& grants)
{
    return is_to_read(grant) && !is_link(grant) &&
           std::none_of(grants.begin(), grants.end(), [&grant](const Grant& each) {
               return !is_to_read(each) && each.access != Access::Enter && is_within(each.at, grant.at);
           });
}

/// Else what its user, or root, may write there the VMM could: /proc/PID/oom_score_adj, a control group's kill. Linux 5.12; a kernel without has
/// no Landlock either.
void make_read_only(const fs::path& at)
{
    mount_attr read_only{};
    read_only.attr_set = MOUNT_ATTR_RDONLY;
    ::mount_setattr(AT_FDCWD, at.c_str(), AT_RECURSIVE, &read_only, sizeof read_only);
}

/// Folders first: what is within one of them is there with it, and making anything there would make it on the host.
void place_all(const std::vector<Grant>& grants)
{
    std::vector<fs::path> placed;
    const auto place_unless_there = [&placed, &grants](const Grant& grant) {
        const auto is_there = [&grant](const fs::path& folder) { return is_within(grant.at, folder); };
        if (std::none_of(placed.begin(), placed.end(), is_there)) {
            place(grant);
            if (is_read_only(grant, grants)) {
                make_read_only(grant.at);
            }
            placed.push_back(grant.at);
        }
    };
    for (const bool folders : {true, false}) {
        for (const auto& grant : grants) {
            if (grant.is_folder == folders) {
                place_unless_there(grant);
            }
        }
    }
}

void make_new_root()
{
    constexpr unsigned long plain = MS_NOSUID | MS_NODEV;
    if (::mount(nullptr, "/", nullptr, MS_REC | MS_SLAVE, nullptr) < 0) {
        fail_at("keep mounts apart from", "/");
    }
    if (::mount("banger", base, "tmpfs", plain, "mode=0755,size=1M") < 0) {
        fail_at("mount on", base);
    }
    const auto put_old = std::string{base} + old_root;
    if (::mkdir(put_old.c_str(), 0700) < 0 || ::syscall(SYS_pivot_root, base, put_old.c_str()) < 0 ||
        ::chdir("/") < 0) {
        fail_at("make a root of", base);
    }
}

void leave_old_root()
{
    constexpr unsigned long read_only = MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV;
    if (::umount2(old_root, MNT_DETACH) < 0 || ::rmdir(old_root) < 0 ||
        ::mount(nullptr, "/", nullptr, read_only, nullptr) < 0) {
        fail_at("leave", old_root);
    }
}

constexpr char done = '\n';  // begins no sentence

int namespaces_of(Network network) noexcept { return CLONE_NEWNS | (network == Network::None ? CLONE_NEWNET : 0); }

void make_own_root(const Arguments& arguments)
{
    enter_user_namespace(namespaces_of(arguments.network));
    const auto grants = open_grants(arguments);  // anew, as a descriptor of before belongs to the mounts of before
    make_new_root();
    place_all(grants);
    leave_old_root();
    const auto& folder = arguments.folder;
    if (!folder.empty() && ::chdir(folder.c_str()) < 0) {
        fail_at("enter", folder);
    }
}

/// The child: says what is in the way, or that it is done, and is there until nobody holds the other end of `stays`.
[[noreturn]] void make_and_stay(const Arguments& arguments, int says, int stays)
{
    std::string word{done};
    try {
        make_own_root(arguments);
    } catch (const std::exception& failure) {
        word = failure.what();
    }
    char end = 0;
    if (::write(says, word.data(), word.size()) == 1 && word.front() == done) {
        while (::read(stays, &end, 1) < 0 && errno == EINTR) {
        }
    }
    ::_exit(EXIT_SUCCESS);
}

std::string read_word(int fd)
{
    std::array<char, 512> text{};
    ssize_t size = 0;
    while ((size = ::read(fd, text.data(), text.size())) < 0 && errno == EINTR) {
    }
    return size > 0 ? std::string{text.data(), static_cast<std::size_t>(size)} : "the making of it ended at once";
}

}  // namespace

OwnRoot::OwnRoot(const Arguments& arguments)
    : folder_{arguments.folder}, namespaces_{CLONE_NEWUSER | namespaces_of(arguments.network)}
{
    auto words = make_pipe("the program's own root");
    auto stay = make_pipe("the program's own root");
    child_ = ::fork();
    if (child_ < 0) {
        throw errno_error("can't fork", errno);
    }
    if (child_ == 0) {
        stay.write.reset();  // or it would wait for itself
        make_and_stay(arguments, words.write.get(), stay.read.get());
    }
    words.write.reset();
    stays_ = std::move(stay.write);
    problem_ = read_word(words.read.get());
    if (problem_.front() == done) {
        problem_.clear();
    }
}

OwnRoot::~OwnRoot()
{
    stays_.reset();
    while (::waitpid(child_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

bool OwnRoot::enter() const
{
    // All or none: setns(2) with a pidfd, Linux 5.8.
    const UniqueFd process{static_cast<int>(::syscall(SYS_pidfd_open, child_, 0))};
    if (!process || ::setns(process.get(), namespaces_) < 0) {
        return false;
    }
    if (!folder_.empty() && ::chdir(folder_.c_str()) < 0) {
        fail_at("enter", folder_);
    }
    return true;
}

void drop_capabilities()
{
    // Root alone would have them again after the exec; nobody else may set this, nor has to.
    ::prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0);
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    if (::syscall(SYS_capset, &header, none) < 0) {
        throw errno_error("can't give up capabilities", errno);
    }
}

}  // namespace banger::confine
