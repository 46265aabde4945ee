// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/oci_source.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <filesystem>

#include "common/error.hpp"
#include "common/ids.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr std::string_view docker_prefix = "docker://";
constexpr std::string_view folder_prefix = "oci:";
constexpr std::string_view archive_prefix = "oci-archive:";
constexpr std::string_view digest_prefix = "sha256:";
constexpr std::size_t hex_digits = 64;
constexpr std::size_t reference_limit = 1024;

[[noreturn]] void refuse_source(std::string_view text, const std::string& why)
{
    throw Error{ErrorCode::InvalidArgument, "\"" + shown(text, 256) + "\" is no place of an image: " + why};
}

bool has_only(std::string_view text, std::string_view more)
{
    return !text.empty() && std::all_of(text.begin(), text.end(), [more](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || more.find(c) != std::string_view::npos;
    });
}

/// What docker takes for a host: it has a dot or a port, or is localhost.
bool is_host(std::string_view word)
{
    return word == "localhost" || word.find('.') != std::string_view::npos || word.find(':') != std::string_view::npos;
}

/// By number alone: a name is what a resolver makes of it.
bool is_loopback(std::string_view registry)
{
    if (registry.starts_with("[")) {
        return registry.substr(0, registry.find(']') + 1) == "[::1]";
    }
    const std::string host{registry.substr(0, registry.find(':'))};
    in_addr address{};
    constexpr std::uint32_t first_byte = 24;
    constexpr std::uint32_t loopback_net = 127;
    return ::inet_pton(AF_INET, host.c_str(), &address) == 1 && ntohl(address.s_addr) >> first_byte == loopback_net;
}

/// For ArtifactName; empty where nothing sound comes of it.
std::string name_from(std::string_view word)
{
    std::string name{word};
    std::transform(name.begin(), name.end(), name.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    try {
        return ArtifactName::parse(name).str();
    } catch (const Error&) {
        return "";
    }
}

/// Cuts `:TAG` off behind the last slash.
std::string_view cut_tag(std::string_view& path)
{
    const auto slash = path.rfind('/');
    const auto colon = path.find(':', slash == std::string_view::npos ? 0 : slash);
    if (colon == std::string_view::npos) {
        return {};
    }
    const auto tag = path.substr(colon + 1);
    path = path.substr(0, colon);
    return tag;
}

void check_repository(std::string_view text, std::string_view path)
{
    std::size_t begin = 0;
    while (begin <= path.size()) {
        const auto end = std::min(path.find('/', begin), path.size());
        const auto part = path.substr(begin, end - begin);
        if (!has_only(part, "._-") || part.front() == '.' || part.front() == '-' || part.front() == '_') {
            refuse_source(text, "a repository is lower-case words with slashes between them");
        }
        begin = end + 1;
    }
}

OciSource registry_source(std::string_view text)
{
    auto rest = text.substr(docker_prefix.size());
    OciSource source{.kind = OciSource::Kind::Registry, .reference = {}, .name = {}};
    if (const auto at = rest.find('@'); at != std::string_view::npos) {
        source.digest = rest.substr(at + 1);
        rest = rest.substr(0, at);
        if (!is_oci_digest(source.digest)) {
            refuse_source(text, "what follows @ must be sha256: and 64 hexadecimal digits");
        }
    }
    const auto slash = rest.find('/');
    source.registry = "docker.io";
    if (slash != std::string_view::npos && is_host(rest.substr(0, slash))) {
        source.registry = rest.substr(0, slash);
        rest = rest.substr(slash + 1);
    }
    if (!has_only(source.registry, ".:-[]ABCDEFGHIJKLMNOPQRSTUVWXYZ") || source.registry.front() == '-') {
        refuse_source(text, "its host can't be one");
    }
    auto path = rest;
    const std::string tag{cut_tag(path)};
    const bool has_tag = path.size() != rest.size();
    if (has_tag && !has_only(tag, "._-ABCDEFGHIJKLMNOPQRSTUVWXYZ")) {
        refuse_source(text, "its tag can't be one");
    }
    check_repository(text, path);
    source.name = name_from(path.substr(path.rfind('/') + 1));
    const bool is_short = source.registry == "docker.io" && path.find('/') == std::string_view::npos;
    source.repository =
        std::string{docker_prefix} + source.registry + "/" + (is_short ? "library/" : "") + std::string{path};
    source.reference = source.repository;
    if (has_tag || source.digest.empty()) {
        source.reference += ":" + (has_tag ? tag : "latest");
    }
    source.loopback = is_loopback(source.registry);
    return source;
}

OciSource local_source(std::string_view text, std::string_view prefix, OciSource::Kind kind)
{
    auto path = text.substr(prefix.size());
    const auto colon = path.find(':');  // skopeo cuts at the first one, too
    const auto tag = colon == std::string_view::npos ? std::string_view{} : path.substr(colon + 1);
    path = path.substr(0, colon);
    if (!path.starts_with('/')) {
        refuse_source(text, "it must be an absolute path");
    }
    if (path.find('\0') != std::string_view::npos || tag.find('\0') != std::string_view::npos) {
        refuse_source(text, "it has a NUL in it");
    }
    const auto normal = std::filesystem::path{path}.lexically_normal();
    auto last = normal.has_filename() ? normal.filename() : normal.parent_path().filename();
    if (kind == OciSource::Kind::Archive) {
        last = last.stem().extension() == ".tar" ? last.stem().stem() : last.stem();
    }
    return {.kind = kind,
            .reference = std::string{prefix} + normal.string() + (tag.empty() ? "" : ":" + std::string{tag}),
            .path = normal.string(),
            .tag = std::string{tag},
            .name = name_from(last.string())};
}

}  // namespace

bool is_oci_digest(std::string_view text)
{
    return text.size() == digest_prefix.size() + hex_digits && text.starts_with(digest_prefix) &&
           text.find_first_not_of("0123456789abcdef", digest_prefix.size()) == std::string_view::npos;
}

OciSource parse_oci_source(std::string_view text)
{
    if (text.size() > reference_limit) {
        refuse_source(text.substr(0, 64), "it is longer than 1024 bytes");
    }
    if (text.starts_with(docker_prefix)) {
        return registry_source(text);
    }
    if (text.starts_with(archive_prefix)) {
        return local_source(text, archive_prefix, OciSource::Kind::Archive);
    }
    if (text.starts_with(folder_prefix)) {
        return local_source(text, folder_prefix, OciSource::Kind::Folder);
    }
    refuse_source(text, "it begins with docker://, oci: or oci-archive:");
}

}  // namespace banger::agent
