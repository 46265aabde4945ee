// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/ids.hpp"

#include <sys/random.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger {
namespace {

constexpr std::string_view id_alphabet = "abcdefghijkmnpqrstuvwxyz23456789";  // 32 letters, none mistaken for another
constexpr std::size_t id_length = 12;
constexpr std::size_t dns_label_limit = 63;  // RFC 1035, section 2.3.4

bool is_label_char(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; }

[[noreturn]] void refuse(std::string_view what, std::string_view text, std::string_view why)
{
    throw Error{ErrorCode::InvalidArgument,
                "\"" + shown(text) + "\" is not a " + std::string{what} + ": " + std::string{why}};
}

}  // namespace

VmName VmName::parse(std::string_view text)
{
    constexpr std::string_view what = "VM name";
    if (text.empty()) {
        refuse(what, text, "it is empty; a name looks like calm-otter");
    }
    if (text.size() > dns_label_limit) {
        refuse(what, text, "it is longer than 63 characters");
    }
    if (!std::all_of(text.begin(), text.end(), is_label_char)) {
        refuse(what, text, "only a-z, 0-9 and - may stand in it, as it is a DNS label too");
    }
    if (text.front() == '-' || text.back() == '-') {
        refuse(what, text, "it may not begin or end with -");
    }
    return VmName{std::string{text}};
}

VmId VmId::parse(std::string_view text)
{
    const bool good = text.size() == id_length && std::all_of(text.begin(), text.end(), [](char c) {
                          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
                      });
    if (!good) {
        refuse("VM id", text, "it must be 12 letters and digits");
    }
    return VmId{std::string{text}};
}

VmId VmId::random()
{
    std::array<unsigned char, id_length> bytes{};
    if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        throw errno_error("no random bytes", errno, ErrorCode::Internal);
    }
    std::string text;
    for (const auto byte : bytes) {
        text += id_alphabet[byte % id_alphabet.size()];
    }
    return VmId{std::move(text)};
}

Digest Digest::parse(std::string_view text)
{
    const bool good = text.size() == 64 && std::all_of(text.begin(), text.end(), [](char c) {
                          return (c >= 'a' && c <= 'f') || (c >= '0' && c <= '9');
                      });
    if (!good) {
        refuse("sha256", text, "it must be 64 hexadecimal digits");
    }
    return Digest{std::string{text}};
}

ArtifactName ArtifactName::parse(std::string_view text)
{
    constexpr std::string_view what = "name of an image or kernel";
    if (text.empty() || text.size() > dns_label_limit) {
        refuse(what, text, "it must have 1 to 63 characters");
    }
    const auto allowed = [](char c) { return is_label_char(c) || c == '.' || c == '_'; };
    if (!std::all_of(text.begin(), text.end(), allowed) || text.front() == '.' || text.front() == '-' ||
        text.front() == '_') {
        refuse(what, text, "only a-z, 0-9, '.', '_' and '-' may stand in it, a letter or digit first");
    }
    return ArtifactName{std::string{text}};
}

}  // namespace banger
