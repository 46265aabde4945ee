// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/confine/grants.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "common/error.hpp"

namespace banger::confine {
namespace {

namespace fs = std::filesystem;

// Programs, libraries, firmware.
constexpr const char* program_folders[] = {"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};
// What the dynamic linker, the C library and QEMU look up: nothing of a user's. /proc as a whole, as a rule for a process's own folder would be
// lost with the kernel's memory of that folder's name; what is secret in there, Landlock keeps from whom it holds, as ptrace(2).
constexpr const char* system_files[] = {
    "/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/alternatives", "/etc/localtime", "/proc", "/sys"};
constexpr const char* usual_devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"};

std::string link_at(const fs::path& path)
{
    std::error_code none;
    return fs::read_symlink(path, none).string();
}

UniqueFd open_path(const fs::path& path, int flags = 0)
{
    return UniqueFd{::open(path.c_str(), O_PATH | O_CLOEXEC | flags)};
}

mode_t mode_of(const UniqueFd& file, const fs::path& path)
{
    struct stat status {};
    if (::fstat(file.get(), &status) < 0) {
        throw errno_error("can't look at " + path.string(), errno);
    }
    return status.st_mode;
}

void add_where_it_is(std::vector<Grant>& grants, const fs::path& at, Access access)
{
    auto file = open_path(at);
    if (!file) {
        return;
    }
    const bool is_folder = S_ISDIR(mode_of(file, at));
    grants.push_back({std::move(file), at, access, is_folder, link_at(at)});
}

UniqueFd open_of_vm(const fs::path& path, int flags)
{
    auto file = open_path(path, flags);
    if (!file) {
        throw errno_error("can't open " + path.string(), errno);
    }
    return file;
}

[[noreturn]] void refuse_kind(const fs::path& path, const char* kind)
{
    throw Error{ErrorCode::CorruptData, path.string() + " is not " + kind + ", so the VM is not started on it"};
}

/// A file of the folder, or one that bangerd's link leads to.
Grant readable(const fs::path& folder, const std::string& name)
{
    const auto path = folder / name;
    auto file = open_of_vm(path, 0);
    if (!S_ISREG(mode_of(file, path))) {
        refuse_kind(path, "a file");
    }
    const auto link = link_at(path);
    return {std::move(file), link.empty() ? path : folder / link, Access::Read, false};
}

/// A disk. Not a link to a file: a VMM of earlier, which no kernel held back, may have put one there that leads to anything of the user's.
Grant writable(const fs::path& folder, const std::string& name)
{
    const auto path = folder / name;
    auto file = open_of_vm(path, O_NOFOLLOW);
    const auto mode = mode_of(file, path);
    if (S_ISREG(mode)) {
        return {std::move(file), path, Access::Write, false};
    }
    if (S_ISLNK(mode)) {
        auto device = open_of_vm(path, 0);
        if (S_ISBLK(mode_of(device, path))) {
            return {std::move(device), folder / link_at(path), Access::Device, false};
        }
    }
    refuse_kind(path, "a file of the VM's own or a link to a block device");
}

Grant appendable(const fs::path& folder, const std::string& name)
{
    const auto path = folder / name;
    const UniqueFd made{
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600)};
    if (!made) {
        throw errno_error("can't write " + path.string(), errno);
    }
    auto file = open_of_vm(path, O_NOFOLLOW);
    if (!S_ISREG(mode_of(file, path))) {
        refuse_kind(path, "a file");
    }
    return {std::move(file), path, Access::Append, false};
}

}  // namespace

std::vector<Grant> open_grants(const Arguments& arguments)
{
    std::vector<Grant> grants;
    for (const auto* folder : program_folders) {
        add_where_it_is(grants, folder, Access::Run);
    }
    for (const auto* file : system_files) {
        add_where_it_is(grants, file, Access::Read);
    }
    for (const auto* device : usual_devices) {
        add_where_it_is(grants, device, Access::Device);
    }
    for (const auto& device : arguments.devices) {
        add_where_it_is(grants, device, Access::Device);
    }
    const auto& folder = arguments.folder;
    if (!folder.empty()) {
        add_where_it_is(grants, folder, arguments.sockets == Sockets::Unix ? Access::MakeSockets : Access::Enter);
    }
    if (arguments.program[0] != nullptr) {
        add_where_it_is(grants, arguments.program[0], Access::Run);
    }
    for (const auto& name : arguments.read) {
        grants.push_back(readable(folder, name));
    }
    for (const auto& name : arguments.write) {
        grants.push_back(writable(folder, name));
    }
    for (const auto& name : arguments.append) {
        grants.push_back(appendable(folder, name));
    }
    return grants;
}

}  // namespace banger::confine
