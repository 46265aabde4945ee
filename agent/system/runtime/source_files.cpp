// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/source_files.hpp"

#include "agent/system/runtime/download.hpp"
#include "agent/system/runtime/pip_download.hpp"

namespace banger::agent {

std::filesystem::path SourceFiles::get(const RuntimeSource& source)
{
    const auto key = to_string(source);
    auto at = outcomes_.find(key);
    if (at == outcomes_.end()) {
        at = outcomes_.emplace(key, fetch(source, folder_ / ("source-" + std::to_string(outcomes_.size())))).first;
    }
    if (at->second.failure) {
        throw Error{*at->second.failure};
    }
    return at->second.file;
}

SourceFiles::Outcome SourceFiles::fetch(const RuntimeSource& source, const std::filesystem::path& place) const
{
    try {
        if (const auto* archive = std::get_if<ArchiveSource>(&source)) {
            progress_->stage("downloading " + std::filesystem::path{archive->url}.filename().string());
            download(archive->url, schemes_, place, *progress_);
            return {place, std::nullopt};
        }
        const auto& pip = std::get<PipSource>(source);
        progress_->stage("downloading " + pip.requirement + " with pip");
        std::filesystem::create_directory(place);
        return {pip_download(pip, place, *progress_), std::nullopt};
    } catch (const Error& error) {
        return {{}, error};
    }
}

}  // namespace banger::agent
