// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/cow_files.hpp"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "common/error.hpp"
#include "common/rollback.hpp"

namespace banger::broker {
namespace {

constexpr std::string_view suffix = ".cow";
constexpr std::string_view draft_suffix = ".new";
constexpr std::size_t chunk = 4096;  // the snapshot's: 8 sectors

std::string file_of(const SandboxKey& key) { return key.str() + std::string{suffix}; }
std::string draft_of(const SandboxKey& key) { return file_of(key) + std::string{draft_suffix}; }

ByteSize length_of(int file)
{
    struct stat status {};
    if (::fstat(file, &status) < 0) {
        throw errno_error("can't look at a copy-on-write file", errno);
    }
    return ByteSize{static_cast<std::uint64_t>(status.st_size)};
}

/// Blocks for all of the file's first `size` bytes, which is its length then if it was shorter.
void allocate(int file, ByteSize size)
{
    while (::fallocate(file, 0, 0, static_cast<off_t>(size.bytes())) < 0) {
        if (errno != EINTR) {
            throw errno_error("can't set aside " + size.to_string() + " for a copy-on-write file", errno);
        }
    }
}

void put_on_disk(int file)
{
    if (::fsync(file) < 0) {
        throw errno_error("can't put a copy-on-write file on the disk", errno);
    }
}

bool is_unsupported(int error) noexcept
{
    return error == EOPNOTSUPP || error == EXDEV || error == EINVAL || error == ENOTTY || error == ENOSYS;
}

void copy_by_hand(int from, int to)
{
    std::array<char, 1U << 16U> block;
    for (off_t at = 0;;) {
        const auto got = ::pread(from, block.data(), block.size(), at);
        if (got == 0) {
            return;
        }
        if (got < 0 && errno != EINTR) {
            throw errno_error("can't read a copy-on-write file", errno);
        }
        write_all(to, {block.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))}, "a copy-on-write file");
        at += std::max<ssize_t>(got, 0);
    }
}

void copy(int from, int to, ByteSize size)
{
    if (::ioctl(to, FICLONE, from) == 0) {
        return;
    }
    if (!is_unsupported(errno)) {
        throw errno_error("can't clone a copy-on-write file", errno);
    }
    loff_t at = 0;
    while (static_cast<std::uint64_t>(at) < size.bytes()) {
        const auto copied = ::copy_file_range(from, &at, to, nullptr, size.bytes() - static_cast<std::uint64_t>(at), 0);
        if (copied < 0 && is_unsupported(errno) && at == 0) {
            copy_by_hand(from, to);
            return;
        }
        if (copied == 0 || (copied < 0 && errno != EINTR)) {
            throw errno_error("can't copy a copy-on-write file", copied == 0 ? EIO : errno);
        }
    }
}

}  // namespace

CowFolder::CowFolder(const std::filesystem::path& folder) : folder_{folder}
{
    folder_.remove_all_ending(std::string{suffix} + std::string{draft_suffix});
}

UniqueFd CowFolder::make_draft(const SandboxKey& key)
{
    if (folder_.has(file_of(key))) {
        throw Error{ErrorCode::AlreadyExists, "there is a copy-on-write file of " + key.id.str() + " already"};
    }
    folder_.remove(draft_of(key));
    return folder_.make(draft_of(key));
}

void CowFolder::finish(const SandboxKey& key, int draft)
{
    put_on_disk(draft);
    const auto name = file_of(key);
    if (::renameat2(folder_.descriptor(), draft_of(key).c_str(), folder_.descriptor(), name.c_str(), RENAME_NOREPLACE) <
        0) {
        throw errno_error("can't name the copy-on-write file of " + key.id.str(), errno,
                          errno == EEXIST ? ErrorCode::AlreadyExists : ErrorCode::Failed);
    }
    folder_.sync();
}

void CowFolder::create(const SandboxKey& key, ByteSize size)
{
    const auto file = make_draft(key);
    Rollback undo;
    undo.add([&] { folder_.remove(draft_of(key)); });
    allocate(file.get(), size);
    constexpr std::array<char, chunk> zeros{};
    write_all(file.get(), {zeros.data(), std::min<std::size_t>(zeros.size(), size.bytes())}, "a copy-on-write file");
    finish(key, file.get());
    undo.commit();
}

UniqueFd CowFolder::open(const SandboxKey& key)
{
    auto file = folder_.open(file_of(key), O_RDWR);
    if (!file) {
        throw Error{ErrorCode::HostLacks, "the copy-on-write file of " + key.id.str() + " is not in " + folder_.path() +
                                              "; is a disk not mounted that should be there?"};
    }
    return std::move(*file);
}

void CowFolder::grow(const SandboxKey& key, ByteSize size)
{
    const auto file = open(key);
    const auto before = length_of(file.get());
    if (size <= before) {
        return;
    }
    Rollback undo;
    // Also where the length is the old one still: blocks beyond it go, too.
    undo.add([&] { (void)!::ftruncate(file.get(), static_cast<off_t>(before.bytes())); });
    allocate(file.get(), size);
    put_on_disk(file.get());
    undo.commit();
}

ByteSize CowFolder::size(const SandboxKey& key)
{
    const auto file = folder_.open(file_of(key), O_RDONLY);
    return file ? length_of(file->get()) : ByteSize{};
}

void CowFolder::clone(const SandboxKey& from, const SandboxKey& to)
{
    const auto source = open(from);
    const auto size = length_of(source.get());
    const auto file = make_draft(to);
    Rollback undo;
    undo.add([&] { folder_.remove(draft_of(to)); });
    copy(source.get(), file.get(), size);
    allocate(file.get(), size);
    finish(to, file.get());
    undo.commit();
}

void CowFolder::remove(const SandboxKey& key)
{
    if (folder_.remove(file_of(key))) {
        folder_.sync();
    }
}

std::vector<SandboxKey> CowFolder::list()
{
    std::vector<SandboxKey> keys;
    for (const auto& name : folder_.names()) {
        if (!name.ends_with(suffix)) {
            continue;
        }
        try {
            keys.push_back(SandboxKey::parse(std::string_view{name}.substr(0, name.size() - suffix.size())));
        } catch (const Error&) {  // NOLINT(bugprone-empty-catch): no file of ours
        }
    }
    return keys;
}

}  // namespace banger::broker
