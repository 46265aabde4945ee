// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/runtime/bundle_contents.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "common/nearest.hpp"
#include "common/size.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr unsigned known_format = 1;
constexpr std::string_view bundled_architecture = "x86_64";
constexpr std::size_t file_name_limit = 64;
constexpr std::size_t version_limit = 64;
constexpr auto part_size_limit = std::uint64_t{16} * 1024 * gib;  // what an image may have

constexpr unsigned program_mode = 0755;
constexpr unsigned data_mode = 0644;
constexpr unsigned secret_mode = 0600;

constexpr std::array part_kinds{
    BundlePartKind{bundle_part::firecracker, "firecracker", program_mode, Addressing::Plain, false},
    BundlePartKind{bundle_part::jailer, "jailer", program_mode, Addressing::Plain, false},
    BundlePartKind{bundle_part::kernel, "vmlinux", data_mode, Addressing::Content, true},
    BundlePartKind{bundle_part::boot_modules, "boot-modules.cpio", data_mode, Addressing::Content, true},
    BundlePartKind{bundle_part::initrd, "initrd", data_mode, Addressing::Plain, true},
    BundlePartKind{bundle_part::modules, "modules.ext4", data_mode, Addressing::Content, true},
    BundlePartKind{bundle_part::rootfs, "rootfs.ext4", data_mode, Addressing::Content, false},
    BundlePartKind{bundle_part::rootfs_docker, "rootfs-docker.ext4", data_mode, Addressing::Content, false},
    BundlePartKind{bundle_part::packages, "packages.apt", data_mode, Addressing::Plain, false},
    BundlePartKind{bundle_part::ssh_key, "id_ed25519", secret_mode, Addressing::Plain, false},
};

/// nullptr: there is none.
const BundlePartKind* kind_called(std::string_view name) noexcept
{
    const auto* const at = std::find_if(part_kinds.begin(), part_kinds.end(),
                                        [name](const BundlePartKind& kind) { return kind.name == name; });
    return at != part_kinds.end() ? &*at : nullptr;
}

/// One object of the file; what is wrong in it becomes "FILE: PLACE: what".
class ContentsReader {
public:
    ContentsReader(const nlohmann::json& object, std::string where) : object_{&object}, where_{std::move(where)}
    {
        if (!object.is_object()) {
            refuse("it must be a JSON object");
        }
    }

    [[noreturn]] void refuse(const std::string& what) const
    {
        throw Error{ErrorCode::CorruptData, where_ + ": " + what};
    }

    void only(std::initializer_list<std::string_view> known) const
    {
        for (const auto& [key, value] : object_->items()) {
            if (std::find(known.begin(), known.end(), key) == known.end()) {
                const auto near = nearest(key, known);
                refuse("unknown key \"" + shown(key) + "\"" +
                       (near ? "; did you mean " + std::string{*near} + "?" : ""));
            }
        }
    }

    const nlohmann::json& required(const char* key) const
    {
        const auto at = object_->find(key);
        if (at == object_->end()) {
            refuse(std::string{"\""} + key + "\" is missing");
        }
        return *at;
    }
    bool has(const char* key) const { return object_->contains(key); }

    std::string text(const char* key, std::size_t limit) const
    {
        const auto& node = required(key);
        const auto printable = [](char c) { return c >= ' ' && c < '\x7f'; };
        const auto* value = node.get_ptr<const std::string*>();
        if (value == nullptr || value->empty() || value->size() > limit ||
            !std::all_of(value->begin(), value->end(), printable)) {
            refuse(std::string{key} + " must be a string of 1 to " + std::to_string(limit) +
                   " printable ASCII characters");
        }
        return *value;
    }

    std::uint64_t number(const char* key, std::uint64_t limit) const
    {
        const auto& node = required(key);
        if (!node.is_number_unsigned() || node.get<std::uint64_t>() > limit) {
            refuse(std::string{key} + " must be a whole number from 0 to " + std::to_string(limit));
        }
        return node.get<std::uint64_t>();
    }

    Digest digest(const char* key) const
    {
        constexpr std::size_t digits = 64;
        const auto value = text(key, digits);
        try {
            return Digest::parse(value);
        } catch (const Error& problem) {
            refuse(std::string{key} + ": " + problem.what());
        }
    }

private:
    const nlohmann::json* object_;
    std::string where_;
};

BundlePart part_of(const nlohmann::json& object, const std::string& file, std::size_t number)
{
    const ContentsReader unnamed{object, file + ": part " + std::to_string(number)};
    const auto name = unnamed.text("name", file_name_limit);
    const auto* kind = kind_called(name);
    if (kind == nullptr) {
        unnamed.refuse("there is no part called \"" + shown(name) + "\"");
    }
    const ContentsReader reader{object, file + ": " + name};
    reader.only({"name", "file", "version", "size", "sha256", "digest"});
    BundlePart part{.name = name,
                    .file = reader.text("file", file_name_limit),
                    .version = reader.text("version", version_limit),
                    .size = reader.number("size", part_size_limit.bytes()),
                    .sha256 = reader.digest("sha256"),
                    .digest = {}};
    if (!is_bundle_file(part.file)) {
        reader.refuse("file must be a plain name of a letter, then letters, digits, '.', '_' and '-', not \"" +
                      shown(part.file) + "\"");
    }
    if (kind->addressing == Addressing::Content) {
        part.digest = reader.digest("digest");
    } else if (reader.has("digest")) {
        reader.refuse("it has no digest, but a sha256 alone");
    }
    return part;
}

void check_whole(const BundleContents& contents, const ContentsReader& reader)
{
    for (const auto& kind : part_kinds) {
        if (kind.required && contents.find(kind.name) == nullptr) {
            reader.refuse("half a bundle: the part \"" + std::string{kind.name} + "\" is missing");
        }
    }
    if (contents.find(bundle_part::rootfs) == nullptr && contents.find(bundle_part::rootfs_docker) == nullptr) {
        reader.refuse("half a bundle: neither \"rootfs\" nor \"rootfs-docker\" is there");
    }
}

}  // namespace

std::span<const BundlePartKind> bundle_part_kinds() noexcept { return part_kinds; }

const BundlePartKind& bundle_part_kind(std::string_view name)
{
    const auto* kind = kind_called(name);
    if (kind == nullptr) {
        throw Error{ErrorCode::InvalidArgument, "a bundle has no part called \"" + shown(name) + "\""};
    }
    return *kind;
}

const BundlePart* BundleContents::find(std::string_view name) const noexcept
{
    const auto at =
        std::find_if(parts.begin(), parts.end(), [name](const BundlePart& part) { return part.name == name; });
    return at != parts.end() ? &*at : nullptr;
}

bool is_bundle_file(std::string_view name) noexcept
{
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    const auto allowed = [&letter](char c) {
        return letter(c) || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    };
    return !name.empty() && name.size() <= file_name_limit && letter(name.front()) &&
           std::all_of(name.begin(), name.end(), allowed) && !name.ends_with(".json");
}

BundleContents parse_bundle_contents(std::string_view text, std::string_view file)
{
    const auto json = nlohmann::json::parse(text, nullptr, false);
    const ContentsReader reader{json, std::string{file}};
    reader.only({"format", "version", "architecture", "parts"});
    if (reader.number("format", UINT32_MAX) != known_format) {
        reader.refuse("format must be " + std::to_string(known_format) +
                      "; a newer banger may have made it, which reads it, too");
    }
    if (reader.text("architecture", file_name_limit) != bundled_architecture) {
        reader.refuse("architecture must be " + std::string{bundled_architecture});
    }
    BundleContents contents{.version = reader.text("version", version_limit), .parts = {}};
    const auto& parts = reader.required("parts");
    if (!parts.is_array() || parts.size() > part_kinds.size()) {
        reader.refuse("parts must be an array of at most " + std::to_string(part_kinds.size()) + " objects");
    }
    for (const auto& object : parts) {
        auto part = part_of(object, std::string{file}, contents.parts.size() + 1);
        for (const auto& other : contents.parts) {
            if (other.name == part.name || other.file == part.file) {
                reader.refuse(other.name + " and " + part.name + " have the same " +
                              (other.name == part.name ? "name" : "file"));
            }
        }
        contents.parts.push_back(std::move(part));
    }
    check_whole(contents, reader);
    return contents;
}

std::string to_text(const BundleContents& contents)
{
    auto parts = nlohmann::ordered_json::array();
    for (const auto& part : contents.parts) {
        nlohmann::ordered_json object{{"name", part.name},
                                      {"file", part.file},
                                      {"version", part.version},
                                      {"size", part.size},
                                      {"sha256", part.sha256.str()}};
        if (part.digest) {
            object["digest"] = part.digest->str();
        }
        parts.push_back(std::move(object));
    }
    const nlohmann::ordered_json whole{{"format", known_format},
                                       {"version", contents.version},
                                       {"architecture", bundled_architecture},
                                       {"parts", std::move(parts)}};
    return whole.dump(2) + "\n";
}

}  // namespace banger::agent
