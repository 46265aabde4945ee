// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/config_values.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "agent/core/config_keys.hpp"
#include "common/error.hpp"
#include "common/nearest.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t all_permissions = 0777;

template <typename T>
T exactly(const toml::node& node, const char* type)
{
    const auto value = node.value_exact<T>();
    if (!value) {
        throw Error{ErrorCode::InvalidArgument, std::string{"must be "} + type};
    }
    return *value;
}

void refuse_control_characters(std::string_view text)
{
    const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
    if (std::any_of(text.begin(), text.end(), is_control)) {
        throw Error{ErrorCode::InvalidArgument, "has a control character in it"};
    }
}

bool climbs(const fs::path& path)
{
    return std::any_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; });
}

/// Of "~", "~/x", "x" and, where it is below the home, "/home/u/x".
fs::path below_home(const std::string& text, const HostFacts& host)
{
    refuse_control_characters(text);
    fs::path path = text.starts_with("~/") ? text.substr(2) : text;
    if (path.is_absolute() && !text.starts_with("~/")) {
        path = host.home.empty() ? fs::path{} : path.lexically_relative(host.home);
    }
    path = path.lexically_normal();
    if (!path.has_filename()) {
        path = path.parent_path();
    }
    if (path.empty() || path == "." || path == "~" || path.is_absolute() || climbs(path)) {
        throw Error{ErrorCode::InvalidArgument, "from: must be a file or folder below your home, not \"" + shown(text) +
                                                    "\"; write it like ~/.gitconfig"};
    }
    return path;
}

/// In the guest, where the user is root.
fs::path place_in_guest(const std::string& text)
{
    refuse_control_characters(text);
    fs::path path = (fs::path{"/root"} / (text.starts_with("~/") ? text.substr(2) : text)).lexically_normal();
    if (climbs(text) || !path.has_filename() || path == "/root") {
        throw Error{
            ErrorCode::InvalidArgument,
            "to: must be where the copy goes in the guest, absolute or relative to /root, not \"" + shown(text) + "\""};
    }
    return path;
}

std::uint32_t mode_of(const toml::node& node)
{
    std::uint32_t mode = 0;
    if (const auto number = node.value_exact<std::int64_t>(); number && *number > 0 && *number <= all_permissions) {
        return static_cast<std::uint32_t>(*number);
    }
    const auto text = node.value_exact<std::string>().value_or("");
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
    if (problem != std::errc{} || end != text.data() + text.size() || mode == 0 || mode > all_permissions) {
        throw Error{ErrorCode::InvalidArgument, "mode: must be permissions in octal, like \"0600\""};
    }
    return mode;
}

}  // namespace

std::string toml_string(const toml::node& node) { return exactly<std::string>(node, "a string"); }

std::uint32_t toml_number(const toml::node& node, std::int64_t least, std::int64_t most)
{
    const auto value = exactly<std::int64_t>(node, "a whole number");
    if (value < least || value > most) {
        throw Error{ErrorCode::InvalidArgument, "must be " + std::to_string(least) + " to " + std::to_string(most)};
    }
    return static_cast<std::uint32_t>(value);
}

bool toml_truth(const toml::node& node) { return exactly<bool>(node, "true or false"); }

fs::path toml_path(const toml::node& node, const HostFacts& host)
{
    const auto text = toml_string(node);
    refuse_control_characters(text);
    if (text.starts_with("~/") && !host.home.empty()) {
        return host.home / text.substr(2);
    }
    if (!text.empty() && text.front() != '/') {
        throw Error{ErrorCode::InvalidArgument, text.starts_with("~/") ? "begins with ~, and HOME is not set"
                                                                       : "must be an absolute path, or begin with ~/"};
    }
    return text;
}

FileSync file_sync_of(const toml::node& node, const HostFacts& host)
{
    const auto* table = node.as_table();
    if (table == nullptr) {
        throw Error{ErrorCode::InvalidArgument, "must be tables: [[file_sync]], then from = \"~/.gitconfig\""};
    }
    constexpr std::array<std::string_view, 3> known{"from", "to", "mode"};
    for (const auto& [name, value] : *table) {
        if (std::find(known.begin(), known.end(), name.str()) == known.end()) {
            const auto near = nearest(name.str(), std::vector<std::string_view>{known.begin(), known.end()});
            throw Error{ErrorCode::InvalidArgument, "unknown key \"" + shown(name.str()) + "\"" +
                                                        (near ? "; did you mean " + std::string{*near} + "?" : "")};
        }
    }
    const auto* from = table->get("from");
    if (from == nullptr) {
        throw Error{ErrorCode::InvalidArgument, "lacks from, the file to copy"};
    }
    FileSync sync{.from = below_home(toml_string(*from), host), .to = {}};
    const auto* to = table->get("to");
    sync.to = place_in_guest(to != nullptr ? toml_string(*to) : sync.from.string());
    if (const auto* mode = table->get("mode"); mode != nullptr) {
        sync.mode = mode_of(*mode);
    }
    return sync;
}

std::string toml_text(std::string_view text)
{
    std::string word = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            word += '\\';
        }
        word += c;
    }
    return word + "\"";
}

std::string octal_of(std::uint32_t mode)
{
    std::array<char, 12> digits{};
    const auto [end, problem] = std::to_chars(digits.data(), digits.data() + digits.size(), mode, 8);
    return "0" + std::string{digits.data(), end};
}

}  // namespace banger::agent
