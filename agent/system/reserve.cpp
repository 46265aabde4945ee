// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/reserve.hpp"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <optional>

#include "common/size.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr auto file_name = "reserve";
constexpr auto reserve_size = 1 * mib;
constexpr auto plenty = 64 * mib;

std::optional<ByteSize> free_in(const std::filesystem::path& folder) noexcept
{
    struct statvfs status {};
    return ::statvfs(folder.c_str(), &status) == 0
               ? std::optional{ByteSize{std::uint64_t{status.f_bavail} * status.f_frsize}}
               : std::nullopt;
}

}  // namespace

void use_reserve_when_full(const std::filesystem::path& state) noexcept
{
    const auto left = free_in(state);
    if (left && *left < reserve_size) {
        ::unlink((state / file_name).c_str());
    }
}

void keep_reserve(const std::filesystem::path& state) noexcept
{
    const auto left = free_in(state);
    const auto path = state / file_name;
    if (!left || *left < plenty || ::access(path.c_str(), F_OK) == 0) {
        return;
    }
    const UniqueFd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
    if (!file || ::posix_fallocate(file.get(), 0, static_cast<off_t>(reserve_size.bytes())) != 0) {
        ::unlink(path.c_str());
    }
}

}  // namespace banger::agent
