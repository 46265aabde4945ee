// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/oci/layer_check.hpp"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

#include "agent/system/sha256.hpp"
#include "agent/system/stream_packing.hpp"
#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/size.hpp"
#include "common/text.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t layer_block = std::size_t{64} << 10U;
constexpr std::size_t longest_name = 4096;  // PATH_MAX of Linux
constexpr std::uint64_t ratio_counts_from = std::uint64_t{64} << 20U;
constexpr std::string_view whiteout = ".wh.";
constexpr std::string_view opaque = ".wh..wh..opq";

/// How a walk ends that met one.
struct WrongBlob {
    std::string digest;
};

/// One stream on its way: out of its packing, and what comes out of that through tar. libarchive calls back for each block, through which no exception may
/// pass. In two steps, so that all that comes out is counted as it comes, also what stands behind the archive's end, where tar looks no more.
class LayerStream {
public:
    /// `before`: bytes of the streams before this one.
    LayerStream(const LayerFile& layer, const LayerBounds& bounds, std::uint64_t before, const std::stop_token& stop)
        : layer_{&layer},
          bounds_{&bounds},
          most_{bounds.bytes - std::min(before, bounds.bytes)},
          stop_{&stop},
          file_{::open(layer.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)}
    {
        struct stat status {};
        if (!file_ || ::fstat(file_.get(), &status) < 0 || !S_ISREG(status.st_mode)) {
            throw errno_error("can't read " + layer.file.string(), file_ ? EINVAL : errno);
        }
        if (static_cast<std::uint64_t>(status.st_size) != layer.blob.size) {
            wrong();
        }
        if (layer.blob.packing != OciDescriptor::Packing::None) {
            open_packing();
        }
        auto* reader = reader_.get();
        archive_read_support_format_tar(reader);
        archive_read_set_options(reader, "hdrcharset=BINARY");  // names are bytes, whatever the locale
        const auto read = [](archive*, void* self, const void** bytes) noexcept {
            return static_cast<LayerStream*>(self)->read_plain(bytes);
        };
        if (archive_read_open(reader, this, nullptr, read, nullptr) != ARCHIVE_OK) {
            check_blocks();
            damaged();
        }
    }
    LayerStream(const LayerStream&) = delete;
    LayerStream& operator=(const LayerStream&) = delete;

    /// nullptr at the end.
    archive_entry* next()
    {
        archive_entry* entry = nullptr;
        const int outcome = archive_read_next_header(reader_.get(), &entry);
        check_blocks();
        if (outcome == ARCHIVE_EOF) {
            return nullptr;
        }
        if (outcome != ARCHIVE_OK && outcome != ARCHIVE_WARN) {
            damaged();
        }
        return entry;
    }

    /// Passes the content of the entry over.
    void pass_content()
    {
        for (;;) {
            const void* bytes = nullptr;
            std::size_t size = 0;
            la_int64_t offset = 0;
            const int outcome = archive_read_data_block(reader_.get(), &bytes, &size, &offset);
            check_blocks();
            if (outcome == ARCHIVE_EOF) {
                return;
            }
            if (outcome != ARCHIVE_OK && outcome != ARCHIVE_WARN) {
                damaged();
            }
        }
    }

    /// To the end of what comes out, and of the file; then its digest must hold.
    void finish()
    {
        const void* bytes = nullptr;
        la_ssize_t got = 0;
        do {
            got = read_plain(&bytes);
            check_blocks();
        } while (got > 0);
        if (got < 0) {
            damaged();
        }
        finish_file();
    }

    std::uint64_t unpacked() const noexcept { return unpacked_; }
    [[noreturn]] void refuse(const std::string& what) const
    {
        throw Error{ErrorCode::CorruptData, name() + " " + what};
    }
    [[noreturn]] void too_large() const
    {
        refuse("and those before it unpack to more than " + ByteSize{bounds_->bytes}.to_string() +
               ", the image's size; give it more (--size)");
    }

private:
    void open_packing()
    {
        unpacker_.reset(archive_read_new());
        auto* unpacker = unpacker_.get();
        const bool is_gzip = layer_->blob.packing == OciDescriptor::Packing::Gzip;
        take_packing_off(unpacker, is_gzip ? StreamPacking::Gzip : StreamPacking::Zstd);
        archive_read_support_format_raw(unpacker);
        const auto read = [](archive*, void* self, const void** bytes) noexcept {
            return static_cast<LayerStream*>(self)->read_packed(bytes);
        };
        archive_entry* entry = nullptr;
        const bool is_open = archive_read_open(unpacker, this, nullptr, read, nullptr) == ARCHIVE_OK;
        const int outcome = is_open ? archive_read_next_header(unpacker, &entry) : ARCHIVE_FATAL;
        check_blocks();
        if (outcome != ARCHIVE_OK) {
            damaged();
        }
    }

    std::string name() const
    {
        constexpr std::size_t enough = 19;  // sha256: and 12 digits
        return "the layer " + layer_->blob.digest.substr(0, enough);
    }

    [[noreturn]] void damaged()
    {
        auto why = unpacker_ ? shown(or_empty(archive_error_string(unpacker_.get())), 160) : std::string{};
        why = why.empty() ? shown(or_empty(archive_error_string(reader_.get())), 160) : why;
        finish_file();  // bytes that were never the layer's are another matter
        refuse("is damaged or no tar archive" + (why.empty() ? "" : ": " + why));
    }

    [[noreturn]] void wrong() const { throw WrongBlob{layer_->blob.digest}; }

    void finish_file()
    {
        const void* bytes = nullptr;
        while (read_packed(&bytes) > 0) {
        }
        check_blocks();
        if ("sha256:" + sum_.finish().str() != layer_->blob.digest) {
            wrong();
        }
    }

    la_ssize_t read_packed(const void** bytes) noexcept
    {
        *bytes = block_.data();
        ssize_t got = -1;
        do {
            got = ::read(file_.get(), block_.data(), block_.size());
        } while (got < 0 && errno == EINTR);
        if (got < 0) {
            read_error_ = errno;
            return -1;
        }
        sum_.add({block_.data(), static_cast<std::size_t>(got)});
        packed_ += static_cast<std::uint64_t>(got);
        return stop_->stop_requested() ? -1 : got;
    }

    /// The next piece of what comes out; 0 at its end, negative for a failure.
    la_ssize_t read_plain(const void** bytes) noexcept
    {
        la_ssize_t got = 0;
        if (!unpacker_) {
            got = read_packed(bytes);
        } else if (!is_over_) {
            std::size_t size = 0;
            la_int64_t offset = 0;
            const int outcome = archive_read_data_block(unpacker_.get(), bytes, &size, &offset);
            is_over_ = outcome == ARCHIVE_EOF;
            const bool is_good = outcome == ARCHIVE_OK || outcome == ARCHIVE_WARN;
            got = is_over_ ? 0 : is_good ? static_cast<la_ssize_t>(size) : -1;
        }
        unpacked_ += static_cast<std::uint64_t>(std::max<la_ssize_t>(got, 0));
        return is_too_large() || is_bomb() ? -1 : got;
    }

    bool is_too_large() const noexcept { return unpacked_ > most_; }
    bool is_bomb() const noexcept
    {
        return unpacked_ > ratio_counts_from && unpacked_ / greatest_layer_ratio > packed_;
    }

    void check_blocks() const
    {
        if (stop_->stop_requested()) {
            throw Error{ErrorCode::Cancelled, "cancelled"};
        }
        if (read_error_ != 0) {
            throw errno_error("can't read " + layer_->file.string(), read_error_);
        }
        if (is_too_large()) {
            too_large();
        }
        if (is_bomb()) {
            refuse("unpacks to more than " + std::to_string(greatest_layer_ratio) + " times what it has");
        }
    }

    const LayerFile* layer_;
    const LayerBounds* bounds_;
    std::uint64_t most_;
    const std::stop_token* stop_;
    UniqueFd file_;
    std::array<std::uint8_t, layer_block> block_{};
    Sha256 sum_;
    std::uint64_t packed_{0};
    std::uint64_t unpacked_{0};
    bool is_over_{false};
    int read_error_{0};
    c_ptr<archive, archive_read_free> unpacker_{};
    c_ptr<archive, archive_read_free> reader_{archive_read_new()};
};

bool leads_out(std::string_view path)
{
    std::size_t begin = 0;
    while (begin <= path.size()) {
        const auto end = std::min(path.find('/', begin), path.size());
        if (path.substr(begin, end - begin) == "..") {
            return true;
        }
        begin = end + 1;
    }
    return false;
}

std::string_view last_part(std::string_view path)
{
    while (path.ends_with('/')) {
        path.remove_suffix(1);
    }
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

/// Which would take away the folder it stands in, or the one above.
bool is_wild_whiteout(std::string_view name)
{
    if (!name.starts_with(whiteout) || name == opaque) {
        return false;
    }
    const auto hidden = name.substr(whiteout.size());
    return hidden.empty() || hidden == "." || hidden == "..";
}

/// All layers of one image, counted together.
class LayerWalk {
public:
    LayerWalk(const LayerBounds& bounds, const std::stop_token& stop) : bounds_{&bounds}, stop_{&stop} {}

    void walk(const LayerFile& layer)
    {
        LayerStream stream{layer, *bounds_, before_, *stop_};
        while (auto* entry = stream.next()) {
            check_entry(stream, entry);
            stream.pass_content();
        }
        stream.finish();
        before_ += stream.unpacked();
    }

    LayerVerdict verdict() const { return {std::max(files_, before_), entries_}; }

private:
    void check_entry(const LayerStream& stream, archive_entry* entry)
    {
        if (++entries_ > bounds_->entries) {
            stream.refuse("and those before it have more than " + std::to_string(bounds_->entries) +
                          " files, which is what the image's size allows; give it more (--size)");
        }
        const auto path = or_empty(archive_entry_pathname(entry));
        const auto link = or_empty(archive_entry_hardlink(entry));
        if (path.empty() || path.size() > longest_name || link.size() > longest_name) {
            stream.refuse("has a member whose name can't be one: \"" + shown(path) + "\"");
        }
        if (leads_out(path) || leads_out(link)) {
            stream.refuse("has a member that leads out of the image: \"" + shown(path) + "\"" +
                          (link.empty() ? "" : ", a link to \"" + shown(link) + "\""));
        }
        if (is_wild_whiteout(last_part(path))) {
            stream.refuse("has a whiteout that names no file: \"" + shown(path) + "\"");
        }
        const auto size = archive_entry_size_is_set(entry) != 0 ? archive_entry_size(entry) : 0;
        if (size < 0) {
            stream.refuse("has a member of less than no bytes: \"" + shown(path) + "\"");
        }
        if (static_cast<std::uint64_t>(size) > bounds_->bytes - std::min(files_, bounds_->bytes)) {
            stream.too_large();
        }
        files_ += static_cast<std::uint64_t>(size);
    }

    const LayerBounds* bounds_;
    const std::stop_token* stop_;
    std::uint64_t files_{0};
    std::uint64_t before_{0};  ///< of the streams that were read to their end
    std::uint64_t entries_{0};
};

}  // namespace

LayerVerdict check_layers(const std::vector<LayerFile>& layers, const LayerBounds& bounds, const std::stop_token& stop)
{
    LayerWalk walk{bounds, stop};
    try {
        for (const auto& layer : layers) {
            walk.walk(layer);
        }
    } catch (const WrongBlob& wrong) {
        return {.wrong_blob = wrong.digest};
    }
    return walk.verdict();
}

}  // namespace banger::agent
