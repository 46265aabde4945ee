// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "agent/core/image/package_list.hpp"
#include "agent/ports/artifact_maker.hpp"
#include "common/ids.hpp"

namespace banger::agent {

inline constexpr auto image_description = "image.json";
inline constexpr auto usual_image_size = 16 * gib;

/// What a stat tells of a file, in one word: size, time and inode. Empty where there is none.
std::string stamp_of(const std::filesystem::path& file) noexcept;

/// The stamps of those files of a folder that are there, by their names.
nlohmann::json stamps_of(const std::filesystem::path& folder, std::initializer_list<const char*> files);

/// Whether a file with the stamp `now` may be the one that had the stamp `before`: unchanged, or a copy that kept its time, which archives give in
/// whole seconds, as a restored backup has.
bool is_same_stamp(const std::string& before, const std::string& now);

/// All packages of a recipe, with who asked for each. Throws NotFound, InvalidArgument.
std::vector<ListedPackage> packages_of(const ImageRecipe& recipe, const std::string& suite);

/// What an image is made of, as far as the same of it makes the same image again: suite, packages, size, base, script. Throws as packages_of().
nlohmann::json inputs_of(const ImageRecipe& recipe);
/// The inputs of an image that is there; those of before there were any are what else its description says. null: it wasn't built.
nlohmann::json recorded_inputs(const std::filesystem::path& image);

/// Writes DRAFT/image.json for the finished disk in the draft; `more` is what only some images have. Throws NoSpace, Failed.
void describe_image(const std::filesystem::path& draft, const std::string& name, const std::string& origin,
                    const Digest& digest, const nlohmann::json& more);

/// A member of an image's description; null where it has none.
nlohmann::json member_of(const std::filesystem::path& image, const char* member);

}  // namespace banger::agent
