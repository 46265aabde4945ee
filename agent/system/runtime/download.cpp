// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/download.hpp"

#include <unistd.h>

#include "agent/system/runtime/file_writer.hpp"
#include "common/rollback.hpp"

namespace banger::agent {

void download(const std::string& url, UrlSchemes schemes, const std::filesystem::path& file,
              const RuntimeProgress& progress, const DownloadLimits& limits)
{
    FileWriter writer{file, limits.size, url};
    Rollback remove;
    remove.add([&file] { ::unlink(file.c_str()); });
    const TransferSink sink{.begin = [](const TransferReply&) {},
                            .take = [&writer](std::span<const std::uint8_t> bytes) { writer.add(bytes); }};
    TransferReply reply;
    transfer({.url = url, .schemes = schemes}, sink, reply, progress, limits);
    remove.commit();
}

}  // namespace banger::agent
