// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/names_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "common/error.hpp"
#include "common/rollback.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

/// Each with 0700: a file in a folder that others may write is not believed.
void make_folders(const std::filesystem::path& folder)
{
    for (const auto& one : {folder.parent_path(), folder}) {
        if (::mkdir(one.c_str(), S_IRWXU) < 0 && errno != EEXIST) {
            throw errno_error("can't make the folder " + one.string(), errno);
        }
    }
}

}  // namespace

void NamesFile::tell(const std::vector<HostName>& names)
{
    if (file_.empty()) {
        return;
    }
    if (names.empty()) {
        if (::unlink(file_.c_str()) < 0 && errno != ENOENT && errno != ENOTDIR) {
            throw errno_error("can't remove " + file_.string(), errno);
        }
        return;
    }
    std::string text{"# banger names 1\n"};
    for (const auto& [name, address] : names) {
        text.append(address).append(" ").append(name).append(".vm\n");
    }
    make_folders(file_.parent_path());
    const auto draft = file_.string() + ".new";
    const UniqueFd fresh{
        ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR)};
    if (!fresh) {
        throw errno_error("can't write " + file_.string(), errno);
    }
    Rollback remove;
    remove.add([&draft] { ::unlink(draft.c_str()); });
    const auto written = ::write(fresh.get(), text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size())) {
        throw errno_error("can't write " + file_.string(), written < 0 ? errno : ENOSPC);
    }
    if (::rename(draft.c_str(), file_.c_str()) < 0) {
        throw errno_error("can't write " + file_.string(), errno);
    }
    remove.commit();
}

}  // namespace banger::agent
