// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/resumed_download.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/core/vm/vm_files.hpp"
#include "agent/system/sha256.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr int download_tries = 4;
constexpr long partial_content = 206;
constexpr long range_not_satisfiable = 416;

/// The bytes that are there, and beside them, in FILE.json, what tells whether the server still has the same file.
class PartFile {
public:
    PartFile(const std::filesystem::path& file, std::string url)
        : file_{file}, url_{std::move(url)}, fd_{::open(file.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600)}
    {
        struct stat status {};
        if (!fd_ || ::fstat(fd_.get(), &status) < 0) {
            throw errno_error("can't make " + file.string(), errno);
        }
        size_ = static_cast<std::uint64_t>(status.st_size);
        read_notes();
    }

    std::uint64_t size() const noexcept { return size_; }
    const std::string& validator() const noexcept { return validator_; }

    /// The bytes to come begin at `begin`; those from there on are dropped.
    void begin(std::uint64_t begin, const std::string& validator)
    {
        if (::ftruncate(fd_.get(), static_cast<off_t>(begin)) < 0) {
            throw errno_error("can't write " + file_.string(), errno);
        }
        size_ = begin;
        validator_ = validator;
        write_whole(notes(), {{"url", url_}, {"validator", validator_}});
    }

    void add(std::span<const std::uint8_t> bytes, ByteSize limit)
    {
        if (size_ > limit.bytes() || bytes.size() > limit.bytes() - size_) {
            throw Error{ErrorCode::CorruptData, "it is larger than it can rightly be"};
        }
        while (!bytes.empty()) {
            const auto written = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(size_));
            if (written < 0 && errno != EINTR) {
                throw errno_error("can't write " + file_.string(), errno);
            }
            const auto count = written > 0 ? static_cast<std::size_t>(written) : 0;
            bytes = bytes.subspan(count);
            size_ += count;
        }
    }

    void remove() noexcept
    {
        ::unlink(file_.c_str());
        ::unlink(notes().c_str());
    }

private:
    std::filesystem::path notes() const { return file_.string() + ".json"; }

    void read_notes()
    {
        std::ifstream stream{notes()};
        const auto json = nlohmann::json::parse(stream, nullptr, false);
        try {
            if (json.is_object() && json.at("url").get<std::string>() == url_) {
                validator_ = json.at("validator").get<std::string>();
                return;
            }
        } catch (const nlohmann::json::exception&) {  // NOLINT(bugprone-empty-catch): as if there were none
        }
        begin(0, "");
    }

    std::filesystem::path file_;
    std::string url_;
    UniqueFd fd_;
    std::uint64_t size_{0};
    std::string validator_;
};

void remove_other_parts(const std::filesystem::path& folder, const std::string& name)
{
    std::error_code none;
    for (const auto& entry : std::filesystem::directory_iterator{folder, none}) {
        const auto other = entry.path().filename().string();
        if (other != name && other != name + ".json") {
            std::filesystem::remove_all(entry.path(), none);
        }
    }
}

/// Goes on with what is there. Gives how many bytes were there already that the server did not send anew.
std::uint64_t go_on(PartFile& part, const std::string& url, const RuntimeProgress& progress,
                    const DownloadLimits& limits)
{
    std::uint64_t kept = 0;
    const TransferRequest request{
        .url = url, .schemes = UrlSchemes::Any, .from = part.size(), .validator = part.validator()};
    const TransferSink sink{
        .begin =
            [&](const TransferReply& reply) {
                const bool goes_on = reply.status == partial_content && request.from > 0;
                if (goes_on && reply.begin != request.from) {
                    part.begin(0, "");
                    throw Error{ErrorCode::Unavailable, "its server gives other bytes than it was asked for"};
                }
                kept = goes_on ? request.from : 0;
                part.begin(kept, reply.validator);
            },
        .take = [&](std::span<const std::uint8_t> bytes) { part.add(bytes, limits.size); }};
    TransferReply reply;
    try {
        transfer(request, sink, reply, progress, limits);
    } catch (const Error&) {
        if (reply.status == range_not_satisfiable) {
            part.begin(0, "");  // the file there is shorter than what is here: another one
        }
        throw;
    }
    return kept;
}

/// Until all of it is there, as long as each try brings it further. Gives as go_on().
std::uint64_t get_whole(PartFile& part, const std::string& url, const RuntimeProgress& progress,
                        const DownloadLimits& limits)
{
    for (int left = download_tries - 1;; --left) {
        const auto before = part.size();
        try {
            return go_on(part, url, progress, limits);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::NoSpace || error.code() == ErrorCode::CorruptData) {
                part.remove();
            }
            const bool may_help = error.code() == ErrorCode::Unavailable && part.size() != before;
            if (!may_help || left == 0) {
                const auto kept = part.size() > 0 && error.code() == ErrorCode::Unavailable
                                      ? "; " + ByteSize{part.size()}.to_string() +
                                            " of it are here, and banger runtime fetch goes on from there"
                                      : "";
                throw Error{error.code(), error.what() + kept};
            }
            progress.stage("downloading goes on at " + ByteSize{part.size()}.to_string() + ": " + error.what());
        }
    }
}

}  // namespace

std::filesystem::path resumed_download(const std::string& url, const Digest& sha256,
                                       const std::filesystem::path& folder, const RuntimeProgress& progress,
                                       const DownloadLimits& limits)
{
    auto file = folder / sha256.str();
    remove_other_parts(folder, sha256.str());
    PartFile part{file, url};
    // All of it may be here: a bangerd that was killed had not unpacked it yet.
    if (part.size() > 0 && sha256_of_file(file, progress.stop) == sha256) {
        return file;
    }
    for (bool was_here = part.size() > 0;; was_here = false) {
        const auto kept = get_whole(part, url, progress, limits);
        const auto digest = sha256_of_file(file, progress.stop);
        if (digest == sha256) {
            return file;
        }
        if (kept == 0 || !was_here) {
            part.remove();
            throw Error{ErrorCode::CorruptData, "it has the sha256 " + digest.str() + " and not " + sha256.str() +
                                                    ", so nothing of it was unpacked"};
        }
        part.begin(0, "");  // its beginning may have been another file's
        progress.stage("downloading anew, as what was here already did not fit");
    }
}

}  // namespace banger::agent
