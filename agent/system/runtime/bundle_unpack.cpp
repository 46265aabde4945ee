// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/bundle_unpack.hpp"

#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <set>

#include "agent/system/image/content_digest.hpp"
#include "agent/system/image/unpack.hpp"
#include "common/error.hpp"
#include "common/text.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t hole_block = std::size_t{64} << 10U;
constexpr std::size_t description_limit = std::size_t{1} << 20U;

[[noreturn]] void refuse_member(const std::string& name, const std::string& why)
{
    throw Error{ErrorCode::CorruptData, "\"" + shown(name) + "\" in it " + why};
}

/// Without "./" before it and slashes behind.
std::string bare_name(std::string name)
{
    while (name.starts_with("./")) {
        name.erase(0, 2);
    }
    while (name.size() > 1 && name.ends_with('/')) {
        name.pop_back();
    }
    return name;
}

void check_member_name(const std::string& name)
{
    const auto padded = "/" + name + "/";
    if (name.starts_with('/') || padded.find("/../") != std::string::npos) {
        refuse_member(name, "leads out of the bundle");
    }
    if (name != bundle_description && !is_bundle_file(name)) {
        refuse_member(name, "is no name of a bundle's file");
    }
}

void check_member_kind(archive_entry* entry, const std::string& name)
{
    if (archive_entry_hardlink(entry) != nullptr || archive_entry_filetype(entry) == AE_IFLNK) {
        refuse_member(name, "is a link, and not a file");
    }
    if (archive_entry_filetype(entry) != AE_IFREG) {
        refuse_member(name, archive_entry_filetype(entry) == AE_IFDIR ? "is a folder, and not a file"
                                                                      : "is a device or such, and not a file");
    }
}

bool is_zero(const char* bytes, std::size_t size)
{
    return size == 0 || (bytes[0] == 0 && std::memcmp(bytes, bytes + 1, size - 1) == 0);
}

/// The tar in a PackedStream. What it needs before a file's bytes is bounded, as it is kept in memory.
class TarWalk {
public:
    TarWalk(PackedStream& stream, const UnpackLimits& limits) : stream_{&stream}, limits_{&limits}
    {
        archive_read_support_format_tar(reader_.get());
        if (archive_read_open(reader_.get(), this, nullptr, &TarWalk::give, nullptr) != ARCHIVE_OK) {
            fail();
        }
    }

    /// nullptr at the end.
    archive_entry* next()
    {
        archive_entry* entry = nullptr;
        header_from_ = stream_->out();
        const int outcome = archive_read_next_header(reader_.get(), &entry);
        header_from_.reset();
        if (outcome == ARCHIVE_EOF) {
            return nullptr;
        }
        if (outcome != ARCHIVE_OK && outcome != ARCHIVE_WARN) {
            fail();
        }
        return entry;
    }

    /// take(bytes, size, offset), each piece behind the one before; there are holes between them.
    template <typename Take>
    void read(Take&& take)
    {
        header_from_ = stream_->out();  // libarchive 3.6 reads here where the holes are
        for (;;) {
            const void* block = nullptr;
            std::size_t size = 0;
            la_int64_t offset = 0;
            const int outcome = archive_read_data_block(reader_.get(), &block, &size, &offset);
            header_from_.reset();
            if (outcome == ARCHIVE_EOF) {
                return;
            }
            if (outcome != ARCHIVE_OK && outcome != ARCHIVE_WARN) {
                fail();
            }
            take(static_cast<const char*>(block), size, offset);
        }
    }

private:
    static la_ssize_t give(archive* reader, void* self, const void** buffer) noexcept
    {
        auto& walk = *static_cast<TarWalk*>(self);
        try {
            const auto limit = walk.limits_->header.bytes();
            if (walk.header_from_ && walk.stream_->out() - *walk.header_from_ > limit) {
                throw Error{ErrorCode::CorruptData,
                            "it says more than " + walk.limits_->header.to_string() + " before a file begins"};
            }
            const auto bytes = walk.stream_->read();
            *buffer = bytes.data();
            return static_cast<la_ssize_t>(bytes.size());
        } catch (...) {
            walk.failure_ = std::current_exception();
            archive_set_error(reader, EIO, "failed");
            return ARCHIVE_FATAL;
        }
    }

    [[noreturn]] void fail() const
    {
        if (failure_) {
            std::rethrow_exception(failure_);
        }
        throw Error{ErrorCode::CorruptData, "it can't be unpacked: it is damaged, cut off, or no tar.gz"};
    }

    PackedStream* stream_;
    const UnpackLimits* limits_;
    std::optional<std::uint64_t> header_from_;
    std::exception_ptr failure_;
    c_ptr<archive, archive_read_free> reader_{archive_read_new()};
};

void write_piece(int file, const char* bytes, std::size_t size, std::uint64_t offset, const std::string& name)
{
    while (size > 0) {
        const auto piece = std::min(size, hole_block);
        std::size_t done = is_zero(bytes, piece) ? piece : 0;
        while (done < piece) {
            const auto written = ::pwrite(file, bytes + done, piece - done, static_cast<off_t>(offset + done));
            if (written < 0 && errno != EINTR) {
                throw errno_error("can't write " + name, errno);
            }
            done += written > 0 ? static_cast<std::size_t>(written) : 0;
        }
        bytes += piece;
        offset += piece;
        size -= piece;
    }
}

void unpack_member(TarWalk& walk, std::uint64_t size, int folder, const std::string& name)
{
    const UniqueFd file{::openat(folder, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
    if (!file) {
        throw errno_error("can't make " + name, errno);
    }
    walk.read([&](const char* bytes, std::size_t count, la_int64_t offset) {
        const auto begin = static_cast<std::uint64_t>(offset);
        if (offset < 0 || begin > size || count > size - begin) {
            refuse_member(name, "has bytes behind its end");
        }
        write_piece(file.get(), bytes, count, begin, name);
    });
    if (::ftruncate(file.get(), static_cast<off_t>(size)) < 0 || ::fsync(file.get()) < 0) {
        throw errno_error("can't write " + name, errno);
    }
}

std::uint64_t member_size(archive_entry* entry, const std::string& name, std::uint64_t left)
{
    const auto size = archive_entry_size_is_set(entry) != 0 ? archive_entry_size(entry) : -1;
    if (size < 0 || static_cast<std::uint64_t>(size) > left) {
        refuse_member(name, "says that it is larger than a bundle can be");
    }
    return static_cast<std::uint64_t>(size);
}

}  // namespace

void unpack_bundle(int archive, const Digest& sha256, const std::filesystem::path& folder,
                   const RuntimeProgress& progress, const UnpackLimits& limits)
{
    const UniqueFd place{::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!place) {
        throw errno_error("can't open " + folder.string(), errno);
    }
    PackedStream stream{archive, limits, progress};
    TarWalk walk{stream, limits};
    std::set<std::string> names;
    std::size_t entries = 0;
    auto left = limits.sizes.bytes();
    while (auto* entry = walk.next()) {
        if (++entries > limits.entries) {
            throw Error{ErrorCode::CorruptData,
                        "it has more than " + std::to_string(limits.entries) + " entries, which no bundle has"};
        }
        const auto name = bare_name(or_empty(archive_entry_pathname(entry)));
        if ((name.empty() || name == ".") && archive_entry_filetype(entry) == AE_IFDIR) {
            continue;  // "tar -C FOLDER ." begins with it
        }
        check_member_name(name);
        check_member_kind(entry, name);
        if (!names.insert(name).second) {
            refuse_member(name, "is there twice");
        }
        const auto size = member_size(entry, name, left);
        left -= size;
        unpack_member(walk, size, place.get(), name);
    }
    // Once more, as it may have been changed since it was checked.
    if (const auto digest = stream.finish(); digest != sha256) {
        throw Error{ErrorCode::CorruptData, "it has the sha256 " + digest.str() + " and not " + sha256.str()};
    }
}

BundleContents check_bundle_files(const std::filesystem::path& folder)
{
    std::error_code none;
    const auto description = folder / bundle_description;
    if (!std::filesystem::is_regular_file(description, none)) {
        throw Error{ErrorCode::CorruptData, "half a bundle: there is no bundle.json in it"};
    }
    const auto text = read_file(description, description_limit);
    auto contents =
        parse_bundle_contents({reinterpret_cast<const char*>(text.data()), text.size()}, bundle_description);
    std::set<std::string> named{bundle_description};
    for (const auto& part : contents.parts) {
        struct stat status {};
        if (::lstat((folder / part.file).c_str(), &status) < 0 || !S_ISREG(status.st_mode)) {
            throw Error{ErrorCode::CorruptData,
                        "half a bundle: bundle.json names " + part.file + ", which isn't in it"};
        }
        if (static_cast<std::uint64_t>(status.st_size) != part.size) {
            throw Error{ErrorCode::CorruptData, part.file + " in it has " + std::to_string(status.st_size) +
                                                    " bytes, and " + std::to_string(part.size) + " by bundle.json"};
        }
        named.insert(part.file);
    }
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        if (!named.contains(entry.path().filename().string())) {
            refuse_member(entry.path().filename().string(), "is nothing that bundle.json names");
        }
    }
    return contents;
}

std::string mismatch_of(const std::filesystem::path& file, const BundlePart& part, const std::stop_token& stop)
{
    struct stat status {};
    if (::stat(file.c_str(), &status) < 0 || !S_ISREG(status.st_mode)) {
        return "is no regular file";
    }
    if (static_cast<std::uint64_t>(status.st_size) != part.size) {
        return "has " + std::to_string(status.st_size) + " bytes and not " + std::to_string(part.size);
    }
    const auto digest = part.digest ? content_digest(file, stop) : sha256_of_file(file, stop);
    const auto& wanted = part.digest ? *part.digest : part.sha256;
    if (digest != wanted) {
        return std::string{"has the "} + (part.digest ? "digest " : "sha256 ") + digest.str() + " and not " +
               wanted.str();
    }
    return {};
}

}  // namespace banger::agent
