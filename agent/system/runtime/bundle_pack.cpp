// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/bundle_pack.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <span>

#include "agent/system/image/content_digest.hpp"
#include "agent/system/runtime/tar_pack.hpp"
#include "agent/system/sha256.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

std::span<const std::uint8_t> bytes_of(const std::string& text)
{
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

PackedPart measure_text(const BundleIngredient& ingredient, const BundlePartKind& kind)
{
    Sha256 sum;
    sum.add(bytes_of(ingredient.text));
    return {.part = {.name = ingredient.part,
                     .file = std::string{kind.usual_file},
                     .version = ingredient.version,
                     .size = ingredient.text.size(),
                     .sha256 = sum.finish(),
                     .digest = {}},
            .file = {},
            .text = ingredient.text,
            .data = {}};
}

PackedPart measure_file(const BundleIngredient& ingredient, const BundlePartKind& kind, const std::stop_token& stop)
{
    std::optional<Digest> digest;
    if (kind.addressing == Addressing::Content) {
        digest = content_digest(ingredient.file, stop);
        if (ingredient.digest && *ingredient.digest != *digest) {
            throw Error{ErrorCode::CorruptData, ingredient.file.string() + " has the digest " + digest->str() +
                                                    " and not " + ingredient.digest->str() + ", so it was changed"};
        }
    }
    auto scan = scan_disk(ingredient.file, stop);
    return {.part = {.name = ingredient.part,
                     .file = std::string{kind.usual_file},
                     .version = ingredient.version,
                     .size = scan.size,
                     .sha256 = scan.sha256,
                     .digest = digest},
            .file = ingredient.file,
            .text = {},
            .data = std::move(scan.data)};
}

/// Bytes go there whole.
void write_whole_piece(int output, std::span<const std::uint8_t> bytes)
{
    while (!bytes.empty()) {
        const auto written = ::write(output, bytes.data(), bytes.size());
        if (written < 0 && errno != EINTR) {
            throw errno_error("can't write the archive", errno);
        }
        bytes = bytes.subspan(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
}

}  // namespace

std::vector<PackedPart> measure_ingredients(const BundleRecipe& recipe, const RuntimeProgress& progress)
{
    std::vector<PackedPart> parts;
    for (const auto& ingredient : recipe.ingredients) {
        const auto& kind = bundle_part_kind(ingredient.part);
        progress.stage("reading " + std::string{kind.usual_file});
        parts.push_back(ingredient.file.empty() ? measure_text(ingredient, kind)
                                                : measure_file(ingredient, kind, progress.stop));
    }
    std::sort(parts.begin(), parts.end(),
              [](const PackedPart& a, const PackedPart& b) { return a.part.file < b.part.file; });
    return parts;
}

BundleContents contents_of(const std::string& version, const std::vector<PackedPart>& parts)
{
    BundleContents contents{.version = version, .parts = {}};
    for (const auto& packed : parts) {
        contents.parts.push_back(packed.part);
    }
    return contents;
}

Digest write_bundle_archive(int output, const std::vector<PackedPart>& parts, const std::string& description,
                            std::int64_t modified, const RuntimeProgress& progress)
{
    std::uint64_t data_bytes = 0;
    for (const auto& packed : parts) {
        for (const auto& range : packed.data) {
            data_bytes += range.size;
        }
    }
    constexpr unsigned description_mode = 0644;
    progress.stage("packing");
    TarPack file{[output](std::span<const std::uint8_t> bytes) { write_whole_piece(output, bytes); },
                 {.modified = modified, .data_bytes = data_bytes},
                 progress};
    bool described = false;
    for (const auto& packed : parts) {
        if (!described && packed.part.file > bundle_description) {
            file.add_text(bundle_description, description_mode, description);
            described = true;
        }
        const auto mode = bundle_part_kind(packed.part.name).mode;
        if (packed.file.empty()) {
            file.add_text(packed.part.file, mode, packed.text);
        } else {
            file.add_file(packed.part.file, mode, packed.file, packed.part.size, packed.data);
        }
    }
    if (!described) {
        file.add_text(bundle_description, description_mode, description);
    }
    return file.close();
}

}  // namespace banger::agent
