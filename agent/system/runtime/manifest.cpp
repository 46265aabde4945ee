// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/manifest.hpp"

#include <runtime_bundle.hpp>
#include <string_view>

#include "agent/system/image/unpack.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t manifest_limit = std::size_t{1} << 20U;

bool is_relative_path(const std::string& url) { return url.find("://") == std::string::npos && !url.starts_with('/'); }

}  // namespace

RuntimeBundle load_bundle(const std::filesystem::path& in_place_of_ours)
{
    if (in_place_of_ours.empty()) {
        auto ours = parse_bundle(runtime_bundle_text, "runtime-bundle.toml", UrlSchemes::HttpsOnly);
        if (ours.archive && is_relative_path(ours.archive->url)) {
            throw Error{ErrorCode::InvalidArgument,
                        "runtime-bundle.toml: the url of [bundle] is relative, and banger's own manifest is in no "
                        "folder; banger runtime fetch --manifest takes one that is"};
        }
        return ours;
    }
    const auto bytes = read_file(in_place_of_ours, manifest_limit);
    auto bundle = parse_bundle({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, in_place_of_ours.string(),
                               UrlSchemes::Any);
    if (bundle.archive && is_relative_path(bundle.archive->url)) {
        bundle.archive->url = (in_place_of_ours.parent_path() / bundle.archive->url).lexically_normal().string();
    }
    return bundle;
}

}  // namespace banger::agent
