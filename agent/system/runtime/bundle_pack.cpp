// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/bundle_pack.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <exception>

#include "agent/system/image/content_digest.hpp"
#include "agent/system/sha256.hpp"
#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t pack_block = std::size_t{256} << 10U;
constexpr double pack_told_step = 0.01;

std::span<const std::uint8_t> bytes_of(const std::string& text)
{
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

PackedPart measure_text(const BundleIngredient& ingredient, const BundlePartKind& kind)
{
    Sha256 sum;
    sum.add(bytes_of(ingredient.text));
    return {.part = {.name = ingredient.part,
                     .file = std::string{kind.usual_file},
                     .version = ingredient.version,
                     .size = ingredient.text.size(),
                     .sha256 = sum.finish(),
                     .digest = {}},
            .file = {},
            .text = ingredient.text,
            .data = {}};
}

PackedPart measure_file(const BundleIngredient& ingredient, const BundlePartKind& kind, const std::stop_token& stop)
{
    std::optional<Digest> digest;
    if (kind.addressing == Addressing::Content) {
        digest = content_digest(ingredient.file, stop);
        if (ingredient.digest && *ingredient.digest != *digest) {
            throw Error{ErrorCode::CorruptData, ingredient.file.string() + " has the digest " + digest->str() +
                                                    " and not " + ingredient.digest->str() + ", so it was changed"};
        }
    }
    auto scan = scan_disk(ingredient.file, stop);
    return {.part = {.name = ingredient.part,
                     .file = std::string{kind.usual_file},
                     .version = ingredient.version,
                     .size = scan.size,
                     .sha256 = scan.sha256,
                     .digest = digest},
            .file = ingredient.file,
            .text = {},
            .data = std::move(scan.data)};
}

/// libarchive's callbacks, through which no exception may pass.
class ArchiveFile {
public:
    ArchiveFile(int output, std::int64_t modified, std::uint64_t data_bytes, const RuntimeProgress& progress)
        : output_{output}, modified_{modified}, data_bytes_{data_bytes}, progress_{&progress}, block_(pack_block)
    {
        // "Restricted" writes pax headers only where they are needed.
        archive_write_set_format_pax_restricted(writer_.get());
        archive_write_add_filter_gzip(writer_.get());
        archive_write_set_bytes_in_last_block(writer_.get(), 1);
        check(archive_write_set_filter_option(writer_.get(), "gzip", "timestamp", nullptr));
        check(archive_write_open(writer_.get(), this, nullptr, &ArchiveFile::write, nullptr));
    }

    void add_text(const std::string& name, unsigned mode, const std::string& text)
    {
        const auto entry = begin(name, mode, text.size());
        check(archive_write_header(writer_.get(), entry.get()));
        put(bytes_of(text));
    }

    void add_file(const PackedPart& part, unsigned mode)
    {
        const UniqueFd file{::open(part.file.c_str(), O_RDONLY | O_CLOEXEC)};
        if (!file) {
            throw errno_error("can't read " + part.file.string(), errno);
        }
        const auto entry = begin(part.part.file, mode, part.part.size);
        for (const auto& range : part.data) {
            archive_entry_sparse_add_entry(entry.get(), static_cast<la_int64_t>(range.begin),
                                           static_cast<la_int64_t>(range.size));
        }
        check(archive_write_header(writer_.get(), entry.get()));
        std::uint64_t at = 0;
        for (const auto& range : part.data) {
            put_zeros(range.begin - at);
            put_range(file.get(), range, part.file);
            at = range.begin + range.size;
        }
        put_zeros(part.part.size - at);
    }

    Digest close()
    {
        check(archive_write_close(writer_.get()));
        return sum_.finish();
    }

private:
    using EntryPtr = c_ptr<archive_entry, archive_entry_free>;

    EntryPtr begin(const std::string& name, unsigned mode, std::uint64_t size) const
    {
        EntryPtr entry{archive_entry_new()};
        archive_entry_set_pathname(entry.get(), name.c_str());
        archive_entry_set_filetype(entry.get(), AE_IFREG);
        archive_entry_set_perm(entry.get(), mode);
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(size));
        archive_entry_set_mtime(entry.get(), modified_, 0);
        return entry;
    }

    static la_ssize_t write(archive* writer, void* self, const void* bytes, std::size_t size) noexcept
    {
        auto& file = *static_cast<ArchiveFile*>(self);
        ssize_t written = -1;
        do {
            written = ::write(file.output_, bytes, size);
        } while (written < 0 && errno == EINTR);
        if (written < 0) {
            archive_set_error(writer, errno, "can't write");
            return -1;
        }
        file.sum_.add({static_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(written)});
        return written;
    }

    void put(std::span<const std::uint8_t> bytes)
    {
        while (!bytes.empty()) {
            const auto done = archive_write_data(writer_.get(), bytes.data(), bytes.size());
            if (done <= 0) {
                fail();
            }
            bytes = bytes.subspan(static_cast<std::size_t>(done));
        }
        if (progress_->stop.stop_requested()) {
            throw Error{ErrorCode::Cancelled, "cancelled"};
        }
    }

    /// libarchive passes over what is a hole, and wants it all the same.
    void put_zeros(std::uint64_t count)
    {
        static const std::vector<std::uint8_t> zeros(std::size_t{4} << 20U);
        while (count > 0) {
            const auto piece = std::min<std::uint64_t>(count, zeros.size());
            put({zeros.data(), static_cast<std::size_t>(piece)});
            count -= piece;
        }
    }

    void put_range(int file, const DataRange& range, const std::filesystem::path& name)
    {
        for (std::uint64_t done = 0; done < range.size;) {
            const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(block_.size(), range.size - done));
            const auto got = ::pread(file, block_.data(), wanted, static_cast<off_t>(range.begin + done));
            if (got == 0 || (got < 0 && errno != EINTR)) {
                throw errno_error("can't read " + name.string(), got == 0 ? EIO : errno);
            }
            const auto count = got > 0 ? static_cast<std::size_t>(got) : 0;
            put({block_.data(), count});
            done += count;
            tell(count);
        }
    }

    void tell(std::uint64_t count)
    {
        put_ += count;
        const double fraction =
            static_cast<double>(put_) / static_cast<double>(std::max<std::uint64_t>(1, data_bytes_));
        if (fraction >= told_ + pack_told_step) {
            told_ = fraction;
            progress_->fraction(std::min(fraction, 1.0));
        }
    }

    void check(int outcome)
    {
        if (outcome != ARCHIVE_OK) {
            fail();
        }
    }
    [[noreturn]] void fail() { throw errno_error("can't write the archive", archive_errno(writer_.get())); }

    int output_;
    std::int64_t modified_;
    std::uint64_t data_bytes_;
    const RuntimeProgress* progress_;
    std::vector<std::uint8_t> block_;
    std::uint64_t put_{0};
    double told_{0};
    Sha256 sum_;
    c_ptr<archive, archive_write_free> writer_{archive_write_new()};
};

}  // namespace

std::vector<PackedPart> measure_ingredients(const BundleRecipe& recipe, const RuntimeProgress& progress)
{
    std::vector<PackedPart> parts;
    for (const auto& ingredient : recipe.ingredients) {
        const auto& kind = bundle_part_kind(ingredient.part);
        progress.stage("reading " + std::string{kind.usual_file});
        parts.push_back(ingredient.file.empty() ? measure_text(ingredient, kind)
                                                : measure_file(ingredient, kind, progress.stop));
    }
    std::sort(parts.begin(), parts.end(),
              [](const PackedPart& a, const PackedPart& b) { return a.part.file < b.part.file; });
    return parts;
}

BundleContents contents_of(const std::string& version, const std::vector<PackedPart>& parts)
{
    BundleContents contents{.version = version, .parts = {}};
    for (const auto& packed : parts) {
        contents.parts.push_back(packed.part);
    }
    return contents;
}

Digest write_bundle_archive(int output, const std::vector<PackedPart>& parts, const std::string& description,
                            std::int64_t modified, const RuntimeProgress& progress)
{
    std::uint64_t data_bytes = 0;
    for (const auto& packed : parts) {
        for (const auto& range : packed.data) {
            data_bytes += range.size;
        }
    }
    constexpr unsigned description_mode = 0644;
    progress.stage("packing");
    ArchiveFile file{output, modified, data_bytes, progress};
    bool described = false;
    for (const auto& packed : parts) {
        if (!described && packed.part.file > bundle_description) {
            file.add_text(bundle_description, description_mode, description);
            described = true;
        }
        const auto mode = bundle_part_kind(packed.part.name).mode;
        if (packed.file.empty()) {
            file.add_text(packed.part.file, mode, packed.text);
        } else {
            file.add_file(packed, mode);
        }
    }
    if (!described) {
        file.add_text(bundle_description, description_mode, description);
    }
    return file.close();
}

}  // namespace banger::agent
