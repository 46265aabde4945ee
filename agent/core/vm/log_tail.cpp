// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/log_tail.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>

#include "agent/core/vm/vm_folder.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr std::streamoff tail_limit = 1024;
constexpr std::uintmax_t rotate_limit = 1U << 20U;
constexpr std::uintmax_t truncate_limit = 8U << 20U;

std::filesystem::path older(const std::filesystem::path& log)
{
    auto path = log;
    return path += ".1";
}

/// The end of a log that may have grown without bound while nobody trimmed it.
void keep_end(const std::filesystem::path& log, const std::filesystem::path& kept)
{
    std::ifstream from{log, std::ios::binary | std::ios::ate};
    const std::streamoff size = from.tellg();
    from.seekg(std::max(size - static_cast<std::streamoff>(truncate_limit), std::streamoff{0}));
    std::ofstream{kept, std::ios::binary | std::ios::trunc} << from.rdbuf();
}

/// U+0080 to U+009F, which some terminals obey as they do escape sequences.
std::string without_c1(std::string text)
{
    for (std::size_t at = 0; at + 1 < text.size(); ++at) {
        if (text[at] == '\xc2' && static_cast<unsigned char>(text[at + 1]) < 0xa0) {
            text.replace(at, 2, "?");
        }
    }
    return text;
}

}  // namespace

std::string tail_of_log(const std::filesystem::path& log)
{
    std::ifstream file{log, std::ios::binary | std::ios::ate};
    if (!file) {
        return {};
    }
    const std::streamoff size = file.tellg();
    file.seekg(std::max(size - tail_limit, std::streamoff{0}));
    std::string text(static_cast<std::size_t>(tail_limit), '\0');
    file.read(text.data(), tail_limit);  // no more, however fast it grows
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (size > tail_limit) {
        text.erase(0, text.find('\n') + 1);
    }
    text.erase(std::remove(text.begin(), text.end(), '\r'), text.end());
    std::replace_if(
        text.begin(), text.end(), [](unsigned char c) { return (c < ' ' && c != '\n' && c != '\t') || c == '\x7f'; },
        '?');
    while (!text.empty() && text.back() == '\n') {
        text.pop_back();
    }
    return without_c1(to_utf8(text));
}

std::filesystem::path vmm_log_in(const std::filesystem::path& folder)
{
    const auto written = [](const std::filesystem::path& log) {
        std::error_code absent;
        const auto time = std::filesystem::last_write_time(log, absent);
        return absent ? std::filesystem::file_time_type::min() : time;
    };
    const auto qemu = folder / vm_folder::qemu_log;
    const auto firecracker = folder / vm_folder::firecracker_log;
    return written(firecracker) > written(qemu) ? firecracker : qemu;
}

void rotate_log(const std::filesystem::path& log)
{
    std::error_code ignored;
    if (std::filesystem::file_size(log, ignored) > rotate_limit && !ignored) {
        std::filesystem::rename(log, older(log), ignored);
    }
}

void truncate_log(const std::filesystem::path& log)
{
    struct stat status {};
    if (::stat(log.c_str(), &status) < 0 || static_cast<std::uintmax_t>(status.st_blocks) * 512 <= truncate_limit) {
        return;
    }
    keep_end(log, older(log));
    // also when the copy failed: a full disk is no reason to fill it more
    std::error_code problem;
    std::filesystem::resize_file(log, 0, problem);
}

}  // namespace banger::agent
