// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_archive.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <numeric>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr std::uint64_t archive_format = 1;
constexpr auto archive_architecture = "x86_64";
constexpr std::uint64_t most_bytes = std::uint64_t{16} << 40U;  // ext4 with 4 KiB blocks holds no more
constexpr std::size_t longest_text = 256;

constexpr std::array description_keys{"format", "banger",       "architecture",   "vm",
                                      "fresh",  "image_origin", "kernel_version", "disks"};
constexpr std::array archived_disk_keys{"file", "size", "data", "digest"};
constexpr std::array archived_files{vm_archive_file::root_disk, vm_archive_file::work_disk, vm_archive_file::image};

[[noreturn]] void refuse_description(const std::string& why)
{
    throw Error{ErrorCode::CorruptData, std::string{vm_archive_file::description} + ": " + why};
}

template <std::size_t N>
void check_keys(const nlohmann::json& object, const std::array<const char*, N>& keys, const std::string& what)
{
    if (!object.is_object()) {
        refuse_description(what + " is no object");
    }
    for (const auto& [key, value] : object.items()) {
        if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
            refuse_description(what + " has an unknown member \"" + shown(key) + "\"");
        }
    }
    for (const auto* key : keys) {
        if (!object.contains(key)) {
            refuse_description(what + " has no member \"" + key + "\"");
        }
    }
}

std::string short_text_in(const nlohmann::json& object, const char* key)
{
    const auto& value = object.at(key);
    if (!value.is_string() || value.get_ref<const std::string&>().size() > longest_text) {
        refuse_description(std::string{key} + " is no text of 256 bytes at most");
    }
    return to_utf8(value.get<std::string>());
}

std::uint64_t bytes_in(const nlohmann::json& object, const char* key)
{
    const auto& value = object.at(key);
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most_bytes) {
        refuse_description(std::string{key} + " is no number of bytes");
    }
    return value.get<std::uint64_t>();
}

/// A cut may go through a character.
std::string shortened(const std::string& text) { return to_utf8(to_utf8(text).substr(0, longest_text)); }

ArchivedDisk disk_in(const nlohmann::json& object)
{
    check_keys(object, archived_disk_keys, "a disk");
    ArchivedDisk disk{.file = short_text_in(object, "file"),
                      .size = bytes_in(object, "size"),
                      .data = bytes_in(object, "data"),
                      .digest = Digest::parse(short_text_in(object, "digest"))};
    if (std::find(archived_files.begin(), archived_files.end(), disk.file) == archived_files.end()) {
        refuse_description("there is no disk \"" + shown(disk.file) + "\"");
    }
    if (disk.size == 0 || disk.data > disk.size) {
        refuse_description(disk.file + " has " + std::to_string(disk.size) + " bytes, of which " +
                           std::to_string(disk.data) + " are no holes");
    }
    return disk;
}

/// Names that go into commands and onto the bus. One that an image has lost is empty.
void check_name(const std::string& name)
{
    if (!name.empty()) {
        ArtifactName::parse(name);
    }
}

void check_disks(const VmArchiveContents& contents)
{
    for (const std::string_view file : archived_files) {
        const auto count = std::count_if(contents.disks.begin(), contents.disks.end(),
                                         [file](const ArchivedDisk& disk) { return disk.file == file; });
        if (count > 1 || (count == 0 && file != vm_archive_file::image)) {
            refuse_description(std::string{file} + (count > 1 ? " is there twice" : " is missing"));
        }
    }
    if (contents.find(vm_archive_file::work_disk)->size != contents.spec.disk.bytes()) {
        refuse_description("work.img has another size than the VM's disk");
    }
    const auto* image = contents.find(vm_archive_file::image);
    if (image != nullptr && image->digest != contents.spec.image_digest) {
        refuse_description("image.ext4 is not the VM's image");
    }
}

void check_header(const nlohmann::json& json)
{
    const auto format = json.is_object() ? json.find("format") : json.end();
    if (json.is_object() && format != json.end() && format->is_number_unsigned() && *format != archive_format) {
        refuse_description("it has the format " + std::to_string(format->get<std::uint64_t>()) +
                           ", and this banger reads 1; a newer one wrote it");
    }
    check_keys(json, description_keys, "the description");
    if (!json.at("format").is_number_unsigned()) {
        refuse_description("format is no number");
    }
    if (const auto machine = short_text_in(json, "architecture"); machine != archive_architecture) {
        refuse_description("it is of a VM for " + shown(machine) + ", and this banger runs x86_64");
    }
    if (!json.at("fresh").is_boolean() || !json.at("disks").is_array() ||
        json.at("disks").size() > archived_files.size()) {
        refuse_description("fresh or disks are not what they shall be");
    }
}

VmArchiveContents contents_in(const nlohmann::json& json)
{
    check_header(json);
    VmArchiveContents contents{.version = short_text_in(json, "banger"),
                               .spec = vm_spec_of(json.at("vm")),
                               .fresh = json.at("fresh").get<bool>(),
                               .image_origin = short_text_in(json, "image_origin"),
                               .kernel_version = short_text_in(json, "kernel_version")};
    check_name(contents.spec.image);
    check_name(contents.spec.kernel);
    for (const auto& disk : json.at("disks")) {
        contents.disks.push_back(disk_in(disk));
    }
    check_disks(contents);
    return contents;
}

}  // namespace

const ArchivedDisk* VmArchiveContents::find(std::string_view file) const noexcept
{
    const auto found =
        std::find_if(disks.begin(), disks.end(), [file](const ArchivedDisk& disk) { return disk.file == file; });
    return found != disks.end() ? &*found : nullptr;
}

std::uint64_t VmArchiveContents::data() const noexcept
{
    return std::accumulate(disks.begin(), disks.end(), std::uint64_t{0},
                           [](std::uint64_t sum, const ArchivedDisk& disk) { return sum + disk.data; });
}

VmArchiveContents parse_vm_archive(std::string_view text)
{
    const auto json = nlohmann::json::parse(text, nullptr, false);
    if (json.is_discarded()) {
        refuse_description("it is no JSON");
    }
    try {
        return contents_in(json);
    } catch (const Error& problem) {
        const std::string sentence = problem.what();
        if (sentence.starts_with(vm_archive_file::description)) {
            throw;
        }
        refuse_description(sentence);  // of the types of its members
    }
}

std::string to_text(const VmArchiveContents& contents)
{
    auto disks = nlohmann::json::array();
    for (const auto& disk : contents.disks) {
        disks.push_back({{"file", disk.file}, {"size", disk.size}, {"data", disk.data}, {"digest", disk.digest.str()}});
    }
    const nlohmann::json json{{"format", archive_format},
                              {"banger", contents.version},
                              {"architecture", archive_architecture},
                              {"vm", to_json(contents.spec)},
                              {"fresh", contents.fresh},
                              {"image_origin", shortened(contents.image_origin)},
                              {"kernel_version", shortened(contents.kernel_version)},
                              {"disks", disks}};
    return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace banger::agent
