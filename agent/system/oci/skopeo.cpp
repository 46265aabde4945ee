// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/oci/skopeo.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <set>
#include <string_view>

#include "agent/system/oci/activity_watch.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t said_limit = 400;
constexpr std::uint64_t least_progress = std::uint64_t{32} << 10U;
// A file of the layout itself (index, manifest, configuration), and what a blob may be above its own size.
constexpr std::uint64_t small_files = std::uint64_t{4} << 20U;

std::string lower_case(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return text;
}

/// Of a line as logrus writes it: time="…" level=fatal msg="…", with Go's quotes.
std::string message_in(std::string_view line)
{
    constexpr std::string_view key = "msg=\"";
    const auto at = line.find(key);
    if (at == std::string_view::npos) {
        return std::string{line};
    }
    std::string message;
    for (auto c = line.begin() + static_cast<std::ptrdiff_t>(at + key.size()); c != line.end() && *c != '"'; ++c) {
        if (*c == '\\' && std::next(c) != line.end()) {
            ++c;
        }
        message += *c;
    }
    return message;
}

/// What skopeo is told of a source; in a registry a digest takes the tag's place.
std::string skopeo_name(const OciSource& source, const std::string& digest)
{
    if (source.kind == OciSource::Kind::Archive) {  // relative: a path may have a colon
        return std::string{"oci:"} + unpacked_archive + (source.tag.empty() ? "" : ":" + source.tag);
    }
    if (source.kind == OciSource::Kind::Folder) {
        return source.reference;
    }
    const auto& wanted = digest.empty() ? source.digest : digest;
    return wanted.empty() ? source.reference : source.repository + "@" + wanted;
}

/// Never by a setting of the host's, and never to another host than this one.
std::string tls_option(const OciSource& source, const std::string& option)
{
    return option + (source.loopback ? "=false" : "=true");
}

bool has_packing(const OciManifest& manifest, OciDescriptor::Packing packing)
{
    return std::any_of(manifest.layers.begin(), manifest.layers.end(),
                       [packing](const OciDescriptor& layer) { return layer.packing == packing; });
}

/// The largest file that a copy may write.
std::uint64_t largest_file(const OciManifest& manifest)
{
    std::uint64_t largest = 0;
    for (const auto& layer : manifest.layers) {
        largest = std::max(largest, layer.size);
    }
    const bool packed_anew = has_packing(manifest, OciDescriptor::Packing::Zstd);
    constexpr std::uint64_t gzip_over_zstd = 3;
    return largest * (packed_anew ? gzip_over_zstd : 1) + small_files;
}

/// Bytes of files that are being written, and of blobs that are whole.
std::uint64_t bytes_there(const Skopeo::Layout& layout, const std::set<std::string>& blobs)
{
    std::uint64_t sum = 0;
    std::error_code none;
    const auto count_file = [&](const fs::path& file) {
        const auto size = fs::file_size(file, none);
        sum += none ? 0 : size;
    };
    for (const auto& entry : fs::directory_iterator{layout.folder, none}) {
        if (entry.is_regular_file(none)) {
            count_file(entry.path());
        }
    }
    for (const auto& blob : blobs) {
        count_file(layout.blobs / "sha256" / blob);
    }
    return sum;
}

std::set<std::string> blob_names(const OciManifest& manifest)
{
    std::set<std::string> names;
    for (const auto& layer : manifest.layers) {
        names.insert(layer.digest.substr(layer.digest.find(':') + 1));
    }
    return names;
}

struct Meaning {
    std::string_view words;
    ErrorCode code;
    std::string_view mend;
};
constexpr std::array meanings{
    Meaning{"policy.json", ErrorCode::HostLacks, "apt install golang-github-containers-common brings one"},
    Meaning{"permission denied", ErrorCode::Failed, ""},
    Meaning{"context deadline exceeded", ErrorCode::TimedOut, "it does not answer"},
    Meaning{"no space left on device", ErrorCode::NoSpace, "make room; the layers that are whole are kept"},
    Meaning{"disk quota exceeded", ErrorCode::NoSpace, "make room; the layers that are whole are kept"},
    Meaning{"file too large", ErrorCode::CorruptData, "it sends more than its manifest says"},
    Meaning{"server gave http response to https client", ErrorCode::Failed,
            "only a registry at 127.0.0.1 or [::1] may do without TLS"},
    Meaning{"manifest unknown", ErrorCode::NotFound, ""},
    Meaning{"statuscode: 404", ErrorCode::NotFound, ""},
    Meaning{"name unknown", ErrorCode::NotFound, ""},
    Meaning{"no descriptor found", ErrorCode::NotFound, ""},
    Meaning{"no such file or directory", ErrorCode::NotFound, ""},
    Meaning{"unauthorized", ErrorCode::NotAuthorized, "skopeo login HOST, or there is no such image"},
    Meaning{"authentication required", ErrorCode::NotAuthorized, "skopeo login HOST, or there is no such image"},
    Meaning{"denied", ErrorCode::NotAuthorized, "skopeo login HOST, or there is no such image"},
    Meaning{"digest", ErrorCode::CorruptData, ""},
    Meaning{"size mismatch", ErrorCode::CorruptData, ""},
};

/// The Go runtime's words, before some hundred lines of other ones.
bool says_no_memory(std::string_view line)
{
    constexpr std::array words{"out of memory", "cannot allocate memory", "pthread_create failed"};
    return std::any_of(words.begin(), words.end(),
                       [line](const char* word) { return line.find(word) != std::string_view::npos; });
}

}  // namespace

std::vector<std::string> go_program_bounds(std::uint64_t largest_file)
{
    return {find_program("prlimit").string(), "--fsize=" + std::to_string(largest_file),
            "--data=" + std::to_string(go_memory_limit.bytes()), "--"};
}

std::string sentence_of(const std::string& output)
{
    std::string_view rest{output};
    while (!rest.empty() && (rest.back() == '\n' || rest.back() == ' ')) {
        rest.remove_suffix(1);
    }
    const auto begin = rest.rfind('\n');
    auto message = message_in(begin == std::string_view::npos ? rest : rest.substr(begin + 1));
    constexpr std::string_view cross = "\xe2\xa8\xaf ";  // umoci's mark of a failure
    message.erase(0, std::min(message.find_first_not_of(" \t"), message.size()));
    message.erase(0, message.starts_with(cross) ? cross.size() : 0);
    return to_utf8(message.substr(0, said_limit));
}

Error skopeo_error(const OciSource& source, const std::string& sentence)
{
    const auto plain = lower_case(sentence);
    const auto at = std::find_if(meanings.begin(), meanings.end(), [&plain](const Meaning& meaning) {
        return plain.find(meaning.words) != std::string::npos;
    });
    const auto begin = "can't pull " + shown(source.reference, 256) + ": " + sentence;
    if (at == meanings.end()) {
        const bool far = source.kind == OciSource::Kind::Registry;
        return {far ? ErrorCode::Failed : ErrorCode::CorruptData, begin};
    }
    return {at->code, begin + (at->mend.empty() ? "" : "; " + std::string{at->mend})};
}

std::vector<std::string> Skopeo::command(std::uint64_t largest)
{
    auto words = go_program_bounds(largest);
    // Whatever the host is, VMs are that.
    words.insert(words.end(), {find_program("skopeo").string(), "--override-arch", "amd64", "--override-os", "linux"});
    return words;
}

void Skopeo::run(const OciSource& source, std::vector<std::string> argv, const fs::path& output,
                 const std::stop_token& stop)
{
    bool too_large = false;
    const auto result =
        run_program({.argv = std::move(argv),
                     .environment = {"TMPDIR=" + scratch_.string(), "LC_ALL=C.UTF-8", go_memory_goal},
                     .directory = scratch_,
                     .output = output,
                     .log = log_,
                     .on_line = [&too_large](std::string_view line) { too_large = too_large || says_no_memory(line); },
                     .stop = stop,
                     .gentle = true});
    if (!result.ok() && too_large) {
        throw Error{ErrorCode::CorruptData, "can't pull " + shown(source.reference, 256) +
                                                ": skopeo wanted more than " + go_memory_limit.to_string() +
                                                " of memory for what it was sent, and no image takes that"};
    }
    if (!result.ok()) {
        throw skopeo_error(source, result.signal != 0 ? "skopeo was ended by signal " + std::to_string(result.signal)
                                                      : sentence_of(result.tail));
    }
}

std::string Skopeo::inspect(const OciSource& source, const std::string& digest)
{
    const auto file = scratch_ / ("manifest-" + std::to_string(++calls_));
    auto argv = command(small_files);
    argv.insert(argv.end(), {"--command-timeout", std::to_string(limits_.answer.count()) + "s", "inspect", "--raw"});
    if (source.kind == OciSource::Kind::Registry) {
        argv.push_back(tls_option(source, "--tls-verify"));
    }
    argv.push_back(skopeo_name(source, digest));
    run(source, std::move(argv), file, progress_->stop);
    std::ifstream stream{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

void Skopeo::copy(const OciSource& source, const std::string& digest, const OciManifest* expected, const Layout& layout)
{
    fs::create_directories(layout.folder);
    fs::create_directories(layout.blobs / "sha256");
    const bool is_far = source.kind == OciSource::Kind::Registry;
    const bool has_zstd = expected != nullptr && has_packing(*expected, OciDescriptor::Packing::Zstd);
    auto argv = command(expected != nullptr ? largest_file(*expected) : layout.most + small_files);
    argv.insert(argv.end(), {"copy", "--remove-signatures", "--dest-shared-blob-dir", layout.blobs.string()});
    if (is_far) {
        argv.push_back(tls_option(source, "--src-tls-verify"));
    }
    // umoci of Debian 12 and 13 knows no zstd; what isn't packed stays so, as its digest would be another.
    if (has_zstd) {
        argv.insert(argv.end(), {"--dest-compress-format", "gzip"});
    } else {
        argv.emplace_back("--dest-oci-accept-uncompressed-layers");
    }
    argv.push_back(skopeo_name(source, digest));
    argv.push_back("oci:" + layout.folder.filename().string() + ":pull");  // relative: a path may have a colon
    const auto blobs = expected != nullptr ? blob_names(*expected) : std::set<std::string>{};
    const auto total = expected != nullptr ? std::max<std::uint64_t>(1, expected->packed_size()) : 1;
    const auto passed = [this, total, expected](std::uint64_t bytes) {
        if (expected != nullptr) {
            progress_->fraction(std::min(1.0, static_cast<double>(bytes) / static_cast<double>(total)));
        }
    };
    constexpr std::chrono::hours for_ever{24 * 365};
    const ActivityWatch::Limits limits{is_far ? std::chrono::milliseconds{limits_.stall} : for_ever, least_progress};
    const ActivityWatch watch{
        layout.folder, {[&] { return bytes_there(layout, blobs); }, passed}, limits, progress_->stop};
    try {
        run(source, std::move(argv), {}, watch.stop_token());
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled && watch.stalled()) {
            throw Error{ErrorCode::TimedOut, "can't pull " + shown(source.reference, 256) + ": nothing came for " +
                                                 std::to_string(limits_.stall.count()) +
                                                 " s; the layers that are whole are kept, so the same command goes on "
                                                 "with them"};
        }
        throw;
    }
}

}  // namespace banger::agent
