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
#include "common/c_ptr.hpp"
#include "common/error.hpp"
#include "common/size.hpp"
#include "common/text.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t layer_block = std::size_t{64} << 10U;
constexpr std::size_t longest_name = 4096;  // PATH_MAX of Linux
constexpr std::uint64_t greatest_ratio = 200;
constexpr std::uint64_t ratio_counts_from = std::uint64_t{64} << 20U;
constexpr std::string_view whiteout = ".wh.";
constexpr std::string_view opaque = ".wh..wh..opq";

/// How a walk ends that met one.
struct WrongBlob {
    std::string digest;
};

/// One stream on its way through the filters; libarchive calls back for each block, through which no exception may pass.
class LayerStream {
public:
    LayerStream(const LayerFile& layer, const std::stop_token& stop)
        : layer_{&layer},
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
        auto* reader = reader_.get();
        archive_read_support_format_tar(reader);
        add_filter(reader, layer.blob.packing);
        archive_read_set_options(reader, "hdrcharset=BINARY");  // names are bytes, whatever the locale
        const auto read = [](archive*, void* self, const void** bytes) noexcept {
            return static_cast<LayerStream*>(self)->read(bytes);
        };
        if (archive_read_open(reader, this, nullptr, read, nullptr) != ARCHIVE_OK) {
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

    /// Passes the content of the entry over; `check` looks at unpacked() after each block.
    template <typename Check>
    void pass_content(Check&& check)
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
            check();
        }
    }

    /// To the file's end, also behind the archive's; then its digest must hold.
    void finish()
    {
        const void* bytes = nullptr;
        while (read(&bytes) > 0) {
        }
        check_blocks();
        if (!layer_->blob.digest.empty() && "sha256:" + sum_.finish().str() != layer_->blob.digest) {
            wrong();
        }
    }

    std::uint64_t packed() const noexcept { return packed_; }
    std::uint64_t unpacked() const noexcept
    {
        return static_cast<std::uint64_t>(std::max<la_int64_t>(0, archive_filter_bytes(reader_.get(), 0)));
    }
    [[noreturn]] void refuse(const std::string& what) const
    {
        throw Error{ErrorCode::CorruptData, name() + " " + what};
    }

private:
    static void add_filter(archive* reader, OciDescriptor::Packing packing)
    {
        if (packing == OciDescriptor::Packing::Gzip) {
            archive_read_support_filter_gzip(reader);
        } else if (packing == OciDescriptor::Packing::Zstd) {
            archive_read_support_filter_zstd(reader);
        }
    }

    std::string name() const
    {
        constexpr std::size_t enough = 19;  // sha256: and 12 digits
        return layer_->blob.digest.empty() ? layer_->file.filename().string()
                                           : "the layer " + layer_->blob.digest.substr(0, enough);
    }

    [[noreturn]] void damaged()
    {
        const auto why = shown(or_empty(archive_error_string(reader_.get())), 160);
        finish();  // bytes that were never the layer's are another matter
        refuse("is damaged or no tar archive" + (why.empty() ? "" : ": " + why));
    }

    [[noreturn]] void wrong() const
    {
        if (layer_->blob.digest.empty()) {
            refuse("changed while it was read");
        }
        throw WrongBlob{layer_->blob.digest};
    }

    la_ssize_t read(const void** bytes) noexcept
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

    void check_blocks() const
    {
        if (stop_->stop_requested()) {
            throw Error{ErrorCode::Cancelled, "cancelled"};
        }
        if (read_error_ != 0) {
            throw errno_error("can't read " + layer_->file.string(), read_error_);
        }
    }

    const LayerFile* layer_;
    const std::stop_token* stop_;
    UniqueFd file_;
    c_ptr<archive, archive_read_free> reader_{archive_read_new()};
    std::array<std::uint8_t, layer_block> block_{};
    Sha256 sum_;
    std::uint64_t packed_{0};
    int read_error_{0};
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
        LayerStream stream{layer, *stop_};
        streamed_ = 0;
        while (auto* entry = stream.next()) {
            check_entry(stream, entry);
            stream.pass_content([&] { check_stream(stream); });
            check_stream(stream);
        }
        check_stream(stream);
        stream.finish();
        before_ += streamed_;
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
            too_large(stream);
        }
        files_ += static_cast<std::uint64_t>(size);
    }

    void check_stream(const LayerStream& stream)
    {
        streamed_ = stream.unpacked();
        if (streamed_ > bounds_->bytes - std::min(before_, bounds_->bytes)) {
            too_large(stream);
        }
        if (streamed_ > ratio_counts_from && streamed_ / greatest_ratio > stream.packed()) {
            stream.refuse("unpacks to more than " + std::to_string(greatest_ratio) + " times what it has");
        }
    }

    [[noreturn]] void too_large(const LayerStream& stream) const
    {
        stream.refuse("and those before it unpack to more than " + ByteSize{bounds_->bytes}.to_string() +
                      ", the image's size; give it more (--size)");
    }

    const LayerBounds* bounds_;
    const std::stop_token* stop_;
    std::uint64_t files_{0};
    std::uint64_t before_{0};    ///< of the streams that were read to their end
    std::uint64_t streamed_{0};  ///< of this one, so far
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
