// SPDX-License-Identifier: GPL-2.0-or-later
// The half of FilesOfHome that speaks to the guest.
#include <archive.h>
#include <archive_entry.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>

#include "agent/system/home_files.hpp"
#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

using TarWriter = c_ptr<archive, archive_write_free>;
using TarEntry = c_ptr<archive_entry, archive_entry_free>;

constexpr time_t guest_limit_s = 20;

/// A guest may stop reading, or never answer: that must cost no worker thread for good.
void limit_waiting(const UniqueFd& socket)
{
    const timeval limit{guest_limit_s, 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

struct WayToGuest {
    int socket;
    std::chrono::steady_clock::time_point latest;
};

std::chrono::milliseconds time_for(const std::vector<HomeFile>& files, const GuestPace& pace)
{
    std::uintmax_t bytes = 0;
    for (const auto& file : files) {
        bytes += file.content.size();
    }
    constexpr std::uintmax_t ms_a_second = 1'000;
    return pace.first + std::chrono::milliseconds{bytes * ms_a_second / pace.bytes_a_second};
}

/// libarchive's own write_fd has no MSG_NOSIGNAL, and takes EAGAIN for an error without a name.
la_ssize_t send_block(archive* tar, void* data, const void* block, std::size_t size)
{
    const auto& way = *static_cast<const WayToGuest*>(data);
    const bool late = std::chrono::steady_clock::now() > way.latest;
    const auto sent = late ? -1 : ::send(way.socket, block, size, MSG_NOSIGNAL);
    if (late) {
        errno = EAGAIN;
    }
    if (sent < 0) {
        archive_set_error(tar, errno, "%s", errno == EAGAIN ? "the guest takes no more" : "the guest ended the copy");
    }
    return sent;
}

[[noreturn]] void fail_sending(archive* tar)
{
    const auto code = archive_errno(tar) == EAGAIN ? ErrorCode::TimedOut : ErrorCode::Failed;
    throw Error{code, "file_sync: " + or_empty(archive_error_string(tar))};
}

/// The members are named within their folder: the guest enters that first.
void write_member(archive* tar, const HomeFile& file)
{
    const TarEntry entry{archive_entry_new()};
    archive_entry_set_pathname(entry.get(), file.to.filename().c_str());
    archive_entry_set_filetype(entry.get(), AE_IFREG);
    archive_entry_set_perm(entry.get(), file.mode);
    archive_entry_set_uid(entry.get(), 0);
    archive_entry_set_gid(entry.get(), 0);
    archive_entry_set_mtime(entry.get(), file.modified, 0);
    archive_entry_set_size(entry.get(), static_cast<la_int64_t>(file.content.size()));
    const bool ok = archive_write_header(tar, entry.get()) == ARCHIVE_OK &&
                    archive_write_data(tar, file.content.data(), file.content.size()) ==
                        static_cast<la_ssize_t>(file.content.size());
    if (!ok) {
        fail_sending(tar);
    }
}

/// The last packet of a control socket, as in Vm.Exec.
void await_last_word(const UniqueFd& control)
{
    limit_waiting(control);
    std::array<char, 65536> packet{};
    ssize_t got = 0;
    do {
        got = ::recv(control.get(), packet.data(), packet.size(), 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        throw Error{got < 0 ? ErrorCode::TimedOut : ErrorCode::Failed, "file_sync: the guest does not answer"};
    }
    const auto answer = nlohmann::json::parse(packet.data(), packet.data() + got, nullptr, false);
    if (!answer.is_object() || answer.value("exit", -1) != 0) {
        const auto why = answer.is_object() ? answer.value("message", "a command failed in the guest") : "no answer";
        throw Error{ErrorCode::Failed, "file_sync: " + to_utf8(why)};
    }
}

}  // namespace

void FilesOfHome::send(GuestCopyEnds ends, const std::vector<HomeFile>& files) const
{
    limit_waiting(ends.stream);
    WayToGuest way{ends.stream.get(), std::chrono::steady_clock::now() + time_for(files, pace_)};
    {
        const TarWriter tar{archive_write_new()};
        archive_write_set_format_pax_restricted(tar.get());
        archive_write_set_options(tar.get(), "hdrcharset=BINARY");
        if (archive_write_open(tar.get(), &way, nullptr, send_block, nullptr) != ARCHIVE_OK) {
            fail_sending(tar.get());
        }
        for (const auto& file : files) {
            write_member(tar.get(), file);
        }
        if (archive_write_close(tar.get()) != ARCHIVE_OK) {
            fail_sending(tar.get());
        }
    }
    ::shutdown(way.socket, SHUT_WR);
    await_last_word(ends.control);
}

void FilesOfHome::await_end(GuestCommandEnds ends) const { await_last_word(ends.control); }

}  // namespace banger::agent
