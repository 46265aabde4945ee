// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/image_record.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "agent/ports/artifacts.hpp"
#include "agent/system/disks.hpp"
#include "agent/system/image/debian.hpp"
#include "agent/system/image/root_tree.hpp"
#include "agent/system/sha256.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

nlohmann::json description_of(const std::filesystem::path& image)
{
    std::ifstream file{image / image_description};
    auto json = nlohmann::json::parse(file, nullptr, false);
    return json.is_object() ? json : nlohmann::json::object();
}

void add_list(std::vector<ListedPackage>& packages, const std::filesystem::path& list)
{
    std::error_code none;
    if (std::filesystem::exists(list, none) && !std::filesystem::is_regular_file(list, none)) {
        throw Error{ErrorCode::NotFound,
                    "the package list " + list.string() + " is no regular file; what a pipe has must be put into one"};
    }
    std::ifstream file{list};
    if (!file) {
        throw Error{ErrorCode::NotFound, "can't read the package list " + list.string()};
    }
    const auto more = parse_package_list(std::string{std::istreambuf_iterator<char>{file}, {}}, list.string());
    packages.insert(packages.end(), more.begin(), more.end());
}

std::vector<std::string> sorted_names(const std::vector<ListedPackage>& packages)
{
    auto names = package_names(packages);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

}  // namespace

std::string stamp_of(const std::filesystem::path& file) noexcept
{
    constexpr std::int64_t ns_per_s = 1'000'000'000;
    struct stat status {};
    if (::stat(file.c_str(), &status) < 0) {
        return "";
    }
    return std::to_string(status.st_size) + " " +
           std::to_string(status.st_mtim.tv_sec * ns_per_s + status.st_mtim.tv_nsec) + " " +
           std::to_string(status.st_ino);
}

nlohmann::json stamps_of(const std::filesystem::path& folder, std::initializer_list<const char*> files)
{
    auto stamps = nlohmann::json::object();
    for (const auto* file : files) {
        if (auto stamp = stamp_of(folder / file); !stamp.empty()) {
            stamps[file] = std::move(stamp);
        }
    }
    return stamps;
}

bool is_same_stamp(const std::string& before, const std::string& now)
{
    if (before == now) {
        return true;
    }
    constexpr std::int64_t second = 1'000'000'000;
    std::array<std::int64_t, 3> was{};
    std::array<std::int64_t, 3> is{};
    std::istringstream old_words{before};
    std::istringstream new_words{now};
    const bool readable = (old_words >> was[0] >> was[1] >> was[2]) && (new_words >> is[0] >> is[1] >> is[2]);
    return readable && was[0] == is[0] && was[1] / second == is[1] / second && was[2] != is[2];
}

std::vector<ListedPackage> packages_of(const ImageRecipe& recipe, const std::string& suite)
{
    std::vector<ListedPackage> packages;
    if (!recipe.packages_file.empty()) {
        add_list(packages, recipe.packages_file);
    } else if (recipe.base.empty()) {
        packages = default_packages();
    }
    for (const auto& list : recipe.more_packages_files) {
        add_list(packages, list);
    }
    for (const auto& word : recipe.packages) {
        packages.push_back(parse_package(word, "--packages"));
    }
    if (recipe.docker) {
        const auto more = docker_packages(suite);
        packages.insert(packages.end(), more.begin(), more.end());
    }
    return packages;
}

nlohmann::json inputs_of(const ImageRecipe& recipe)
{
    const auto suite = recipe.suite.empty() && recipe.base.empty() ? host_suite() : recipe.suite;
    const auto size = recipe.size.bytes() == 0 && recipe.base.empty() ? usual_image_size : recipe.size;
    const auto script = recipe.customize_script.empty() ? "" : sha256_of_file(recipe.customize_script, {}).str();
    const auto base = recipe.base.empty()          ? std::string{}
                      : recipe.base_digest.empty() ? recipe.base.string() + " " + stamp_of(recipe.base)
                                                   : recipe.base_digest;
    return {{"suite", suite},       {"packages", sorted_names(packages_of(recipe, suite))},
            {"size", size.bytes()}, {"docker", recipe.docker},
            {"customize", script},  {"base", base}};
}

nlohmann::json recorded_inputs(const std::filesystem::path& image)
{
    constexpr std::string_view built = "debian ";
    const auto json = description_of(image);
    if (json.contains("inputs")) {
        return json["inputs"];
    }
    const auto origin = json.value("origin", std::string{});
    if (!origin.starts_with(built) || !json.contains("packages") || !json["packages"].is_array()) {
        return nullptr;
    }
    std::vector<ListedPackage> packages;
    for (const auto& name : json["packages"]) {
        packages.push_back({name.is_string() ? name.get<std::string>() : "", ""});
    }
    return {{"suite", origin.substr(built.size())},
            {"packages", sorted_names(packages)},
            {"size", json.value("size", std::uint64_t{0})},
            {"docker", false},
            {"customize", ""},
            {"base", ""}};
}

nlohmann::json member_of(const std::filesystem::path& image, const char* member)
{
    const auto json = description_of(image);
    return json.contains(member) ? json[member] : nlohmann::json{};
}

void describe_image(const std::filesystem::path& draft, const std::string& name, const std::string& origin,
                    const Digest& digest, const nlohmann::json& more)
{
    const auto disk = draft / artifact_file::root_file_system;
    nlohmann::json json{{"name", name},
                        {"digest", digest.str()},
                        {"size", std::filesystem::file_size(disk)},
                        {"allocated", allocated_bytes(disk)},
                        {"origin", origin},
                        {"created", static_cast<std::int64_t>(::time(nullptr))},
                        {"stamp", stamp_of(disk)}};
    json.update(more);
    const auto file = draft / image_description;
    std::ofstream stream{file};
    stream << json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
    stream.close();
    if (!stream) {
        throw errno_error("can't write " + file.string(), errno);
    }
}

}  // namespace banger::agent
