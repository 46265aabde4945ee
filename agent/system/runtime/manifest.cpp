// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/manifest.hpp"

#include <runtime_bundle.hpp>
#include <string_view>

#include "agent/system/image/unpack.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t manifest_limit = std::size_t{1} << 20U;

}  // namespace

RuntimeBundle load_bundle(const std::filesystem::path& in_place_of_ours)
{
    if (in_place_of_ours.empty()) {
        return parse_bundle(runtime_bundle_text, "runtime-bundle.toml", UrlSchemes::HttpsOnly);
    }
    const auto bytes = read_file(in_place_of_ours, manifest_limit);
    return parse_bundle({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, in_place_of_ours.string(),
                        UrlSchemes::Any);
}

}  // namespace banger::agent
