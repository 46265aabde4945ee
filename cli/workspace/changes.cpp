// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/workspace/changes.hpp"

#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <set>
#include <system_error>

#include "cli/copy/transfer.hpp"
#include "cli/view/output.hpp"
#include "cli/workspace/guest_git.hpp"
#include "common/error.hpp"
#include "common/size.hpp"
#include "common/unique_fd.hpp"

namespace banger::cli {
namespace {

namespace fs = std::filesystem;

constexpr ByteSize most_from_guest = 64 * gib;
constexpr std::uint64_t most_files_from_guest = 2'000'000;  // Linux and its build have 150,000
constexpr off_t small_pack = off_t{1} << 20;

/// Where a component of `path` is one that git takes for a repository, on whatever file system, its end; npos where none is.
/// Source: git 2.39, read-cache.c, verify_path (the short name is NTFS's).
std::size_t end_of_git_name(const std::string& path)
{
    std::size_t begin = 0;
    while (begin <= path.size()) {
        const auto end = std::min(path.find('/', begin), path.size());
        const auto component = path.substr(begin, end - begin);
        if (::strcasecmp(component.c_str(), ".git") == 0 || ::strcasecmp(component.c_str(), "git~1") == 0) {
            return end;
        }
        begin = end + 1;
    }
    return std::string::npos;
}

std::string full_ref(const std::string& branch) { return "refs/heads/" + branch; }

void check_name(const WorkTree& tree, const std::string& name)
{
    if (name.empty() || name.starts_with('-') || !tree.git().try_run({"check-ref-format", full_ref(name)}).ok()) {
        throw Error{ErrorCode::InvalidArgument, "a branch can't be called \"" + name + "\""};
    }
}

void copy_if_there(const fs::path& from, const fs::path& to)
{
    std::error_code none;
    fs::copy_file(from, to, none);
}

}  // namespace

Inspection guest_files()
{
    const auto told = std::make_shared<std::set<std::string>>();
    const auto wanted = [told](const std::string& path) {
        const auto end = end_of_git_name(path);
        if (end == std::string::npos) {
            return true;
        }
        auto repository = path.substr(0, end);
        const auto name =
            repository.find('/') == std::string::npos ? repository : repository.substr(repository.find('/') + 1);
        if (name != ".git" && told->insert(repository).second) {
            remark("left out: " + name + ", as git would take it for a repository");
        }
        return false;
    };
    return {wanted, most_from_guest.bytes(), most_files_from_guest};
}

Changes::Changes(const WorkTree& tree, Base base, const std::string& files, const WorkFolder& folder)
    : tree_{&tree},
      base_{std::move(base)},
      git_dir_{folder / "compare.git"},
      git_{Git::apart(files, git_dir_).with("GIT_WORK_TREE", files)}
{
    if (kind_on_host(files).is_link || kind_on_host(files).followed != TargetKind::Folder) {
        throw Error{ErrorCode::CorruptData, "what the guest sent is no folder, so no workspace"};
    }
    make_repository();
    base_tree_ = git_.run({"rev-parse", "--verify", base_.commit + "^{tree}"}).value();
    add_files();
    put_filtered_back();
    tree_id_ = git_.run({"write-tree"}).value();
}

/// Excludes and attributes are the user's, as `git add` had them when the base was made; what they name of drivers isn't there.
void Changes::make_repository()
{
    Git::apart("/", git_dir_).run({"init", "-q", "--bare", "--template=", "--object-format=" + tree_->hash, git_dir_});
    const fs::path own{git_dir_};
    std::ofstream{own / "objects/info/alternates", std::ios::binary} << c_quoted(tree_->path_of("objects")) << "\n";
    fs::create_directory(own / "info");
    copy_if_there(tree_->path_of("info/exclude"), own / "info/exclude");
    copy_if_there(tree_->path_of("info/attributes"), own / "info/attributes");
    copy_if_there(tree_->path_of("shallow"), own / "shallow");
    git_ = git_.set("core.bare", "false").set("core.quotePath", "true");
    const auto users = tree_->git();
    for (const auto& [key, value] : conversion_settings(users)) {
        git_ = git_.set(key, value);
    }
    for (const std::string key : {"core.excludesFile", "core.attributesFile"}) {
        if (const auto path = users.setting(key, "path")) {
            git_ = git_.set(key, *path);
        }
    }
}

void Changes::add_files()
{
    git_.run({"read-tree", base_.commit});
    const auto added = git_.try_run({"add", "-A"});
    if (!added.ok()) {
        throw Error{ErrorCode::Failed, "what the guest sent can't be compared: " + added.complaint()};
    }
}

/// A file that a filter stands before is the same where its bytes are the ones that were sent.
void Changes::put_filtered_back()
{
    if (base_.filtered.empty()) {
        return;
    }
    std::string rows;
    for (const auto& row : split_at_nul(git_.run({"ls-files", "-s", "-z"}).output)) {
        const auto tab = row.find('\t');
        const auto space = row.find(' ');
        const auto path = row.substr(tab + 1);
        const auto known = base_.filtered.find(path);
        if (known == base_.filtered.end()) {
            continue;
        }
        const auto id = row.substr(space + 1, row.find(' ', space + 1) - space - 1);
        if (id == known->second) {
            const auto before = git_.run({"rev-parse", "--verify", base_.commit + ":" + path}).value();
            rows.append(row, 0, space).append(" ").append(before).append("\t").append(path).push_back('\0');
        } else {
            unfiltered_.push_back(path);
        }
    }
    if (!rows.empty()) {
        git_.run({"update-index", "-z", "--index-info"}, rows);
    }
}

void Changes::write_patch(int fd) const
{
    const UniqueFd nothing{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    git_.run_between({"diff-tree", "-p", "--binary", "--full-index", "--no-renames", "--no-color", "--no-ext-diff",
                      "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/", base_tree_, tree_id_},
                     nothing.get(), fd);
}

/// The base's parent with the changes: it has what never went to the guest as well.
std::string Changes::whole_tree() const
{
    const auto pieces = split_at_nul(git_.run({"diff-tree", "-r", "-z", "--no-renames", base_tree_, tree_id_}).output);
    std::string rows;
    for (std::size_t at = 0; at + 1 < pieces.size(); at += 2) {
        const auto& row = pieces[at];  // ":100644 100755 <id> <id> M"
        const auto mode = row.find(' ');
        const auto first = row.find(' ', mode + 1);
        const auto second = row.find(' ', first + 1);
        const auto state = row.find(' ', second + 1);
        rows += row.substr(mode + 1, first - mode) + row.substr(second + 1, state - second - 1) + "\t" +
                pieces[at + 1] + '\0';
    }
    const auto git = git_.with("GIT_INDEX_FILE", git_dir_ + "/index-whole");
    git.run({"read-tree", base_.commit + "^"});
    git.run({"update-index", "-z", "--index-info"}, rows);
    return git.run({"write-tree", "--missing-ok"}).value();
}

/// Few objects are stored one by one, as fetching does it; many stay the pack that they come in.
void Changes::send_objects(const std::string& tree, const std::string& parent) const
{
    const auto wanted = git_dir_ + "/wanted";
    std::ofstream{wanted} << tree << "\n^" << parent << "^{tree}\n";
    const UniqueFd names{::open(wanted.c_str(), O_RDONLY | O_CLOEXEC)};
    const UniqueFd pack{::open(git_dir_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    if (!names || !pack) {
        throw errno_error("no place for the changes", errno);
    }
    git_.run_between({"pack-objects", "-q", "--stdout", "--revs"}, names.get(), pack.get());
    const bool is_small = ::lseek(pack.get(), 0, SEEK_END) < small_pack;
    ::lseek(pack.get(), 0, SEEK_SET);
    const std::vector<std::string> one_by_one{"unpack-objects", "-q", "--strict"};
    const std::vector<std::string> as_pack{"index-pack", "--stdin", "--strict"};
    tree_->git().run_between(is_small ? one_by_one : as_pack, pack.get(), -1);
}

std::string Changes::make_branch(const std::string& name, const std::string& message, bool force) const
{
    check_new_branch(*tree_, name, force);
    const auto users = tree_->git();
    const auto parent = users.run({"rev-parse", "--verify", base_.commit + "^"}).value();
    const auto tree = whole_tree();
    send_objects(tree, parent);
    const std::vector<std::string> words{"commit-tree", tree, "-p", parent};
    auto made = users.try_run(words, message);
    if (!made.ok()) {  // nobody has told git a name
        auto nobody = users;
        for (const std::string who : {"AUTHOR", "COMMITTER"}) {
            nobody = nobody.with("GIT_" + who + "_NAME", "banger").with("GIT_" + who + "_EMAIL", "banger@localhost");
        }
        made = nobody.run(words, message);
    }
    std::vector<std::string> update{"update-ref",   "--create-reflog", "-m", "banger vm workspace export",
                                    full_ref(name), made.value()};
    if (!force) {
        update.emplace_back(tree_->hash == "sha1" ? 40 : 64, '0');  // there may be none by now either
    }
    users.run(update);
    return made.value();
}

void check_new_branch(const WorkTree& tree, const std::string& name, bool force)
{
    check_name(tree, name);
    const auto found = tree.git().run({"for-each-ref", "--format=%(refname) %(worktreepath)", full_ref(name)}).value();
    if (!found.starts_with(full_ref(name) + " ")) {
        return;
    }
    if (!force) {
        throw Error{ErrorCode::AlreadyExists,
                    "there is a branch " + name + " in " + tree.root + "; --force replaces it"};
    }
    if (const auto where = found.substr(full_ref(name).size() + 1); !where.empty()) {
        throw Error{ErrorCode::WrongState, "the branch " + name + " is checked out in " + where +
                                               "; check out another one first, or choose another name"};
    }
}

}  // namespace banger::cli
