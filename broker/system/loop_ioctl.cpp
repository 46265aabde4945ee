// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/loop_ioctl.hpp"

#include <fcntl.h>
#include <linux/loop.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "broker/core/sandbox.hpp"
#include "common/error.hpp"

namespace banger::broker {
namespace {

constexpr int most_free_devices = 64;  // another program may take the free device first

std::string loop_name(int number) { return "loop" + std::to_string(number); }

int free_number()
{
    const UniqueFd control{::open("/dev/loop-control", O_RDWR | O_CLOEXEC)};
    if (!control) {
        throw errno_error("/dev/loop-control does not open", errno, ErrorCode::HostLacks);
    }
    const int number = ::ioctl(control.get(), LOOP_CTL_GET_FREE);
    if (number < 0) {
        throw errno_error("no loop device is free", errno, ErrorCode::HostLacks);
    }
    return number;
}

BlockDevice device_of(int node)
{
    struct stat status {};
    if (::fstat(node, &status) < 0 || !S_ISBLK(status.st_mode)) {
        throw Error{ErrorCode::Failed, "a loop device's node is none"};
    }
    return {.major = ::major(status.st_rdev), .minor = ::minor(status.st_rdev)};
}

std::string text_of(const std::uint8_t* field, std::size_t size)
{
    const auto* text = reinterpret_cast<const char*>(field);
    return {text, ::strnlen(text, size)};
}

/// nullopt: it is over nothing.
std::optional<loop_info64> status_of(int node)
{
    loop_info64 status{};
    if (::ioctl(node, LOOP_GET_STATUS64, &status) == 0) {
        return status;
    }
    if (errno != ENXIO) {
        throw errno_error("a loop device says nothing of itself", errno);
    }
    return std::nullopt;
}

/// Not for writing: closing such a descriptor would have udev look at the device again.
UniqueFd open_node(BlockDevice device)
{
    const auto link = "/sys/dev/block/" + std::to_string(device.major) + ":" + std::to_string(device.minor);
    std::array<char, 256> target{};
    const auto length = ::readlink(link.c_str(), target.data(), target.size() - 1);
    const std::string_view path{target.data(), static_cast<std::size_t>(length < 0 ? 0 : length)};
    const auto name = path.substr(path.rfind('/') + 1);
    UniqueFd node{name.starts_with("loop") ? ::open(("/dev/" + std::string{name}).c_str(), O_RDONLY | O_CLOEXEC) : -1};
    if (!node || device_of(node.get()) != device) {
        throw Error{ErrorCode::NotFound, "there is no such loop device"};
    }
    return node;
}

/// Also of one that doesn't say, as it does where the file system below it is broken (loop.c asks that for the file's facts): such a file is one
/// user's, and no reason to fail what is another's.
bool may_be_ours(const std::string& name)
{
    const UniqueFd node{::open(("/dev/" + name).c_str(), O_RDONLY | O_CLOEXEC)};
    try {
        const auto status = node ? status_of(node.get()) : std::nullopt;
        return status &&
               text_of(status->lo_file_name, sizeof status->lo_file_name).starts_with(SandboxKey::mark_prefix);
    } catch (const Error&) {
        return true;
    }
}

}  // namespace

LoopIoctl::LoopIoctl(const std::filesystem::path& marks) : marks_{marks} { sweep(); }

void LoopIoctl::sweep()
{
    for (const auto& name : marks_.names()) {
        if (!may_be_ours(name)) {
            marks_.remove(name);
        }
    }
}

Loop LoopIoctl::attach(int file, Access access, const std::string& mark)
{
    sweep();
    for (int attempt = 0; attempt < most_free_devices; ++attempt) {
        if (auto loop = try_attach(free_number(), file, access, mark)) {
            return std::move(*loop);
        }
    }
    throw Error{ErrorCode::HostLacks, "other programs take each loop device that is free"};
}

/// nullopt: another program was quicker.
std::optional<Loop> LoopIoctl::try_attach(int number, int file, Access access, const std::string& mark)
{
    const auto name = loop_name(number);
    loop_config config{};
    config.fd = static_cast<std::uint32_t>(file);
    config.info.lo_flags =
        LO_FLAGS_AUTOCLEAR | (access == Access::ReadOnly ? static_cast<std::uint32_t>(LO_FLAGS_READ_ONLY) : 0U);
    mark.copy(reinterpret_cast<char*>(config.info.lo_file_name), sizeof config.info.lo_file_name - 1);
    UniqueFd node{::open(("/dev/" + name).c_str(), O_RDWR | O_CLOEXEC)};
    if (!node) {
        throw errno_error("/dev/" + name + " does not open", errno, ErrorCode::HostLacks);
    }
    (void)marks_.remove(name);
    marks_.make(name);
    if (::ioctl(node.get(), LOOP_CONFIGURE, &config) < 0) {
        const int error = errno;
        marks_.remove(name);
        if (error == EBUSY) {
            return std::nullopt;
        }
        throw errno_error("can't put a loop device over the file", error);
    }
    const auto device = device_of(node.get());
    return Loop{std::move(node), device};
}

void LoopIoctl::refresh(BlockDevice device, int file)
{
    const auto node = open_node(device);
    const auto status = status_of(node.get());
    struct stat facts {};
    if (::fstat(file, &facts) < 0) {
        throw errno_error("can't look at a copy-on-write file", errno);
    }
    if (!status || status->lo_device != facts.st_dev || status->lo_inode != facts.st_ino) {
        throw Error{ErrorCode::NotFound, "the loop device is over another file"};
    }
    if (::ioctl(node.get(), LOOP_SET_CAPACITY) < 0) {
        throw errno_error("the loop device does not see its file's new length", errno);
    }
    sweep();
}

}  // namespace banger::broker
