// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/workspace/snapshot.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include "cli/workspace/guest_git.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view submodule_mode = "160000";

/// A row of `ls-files -t -s -z`: "H 100644 <id> 0\t<path>"; the tag is S for what a sparse checkout leaves out.
struct IndexRow {
    std::string tag;
    std::string mode;
    std::string id;
    std::string path;
};

IndexRow parse_row(const std::string& row)
{
    const auto tab = row.find('\t');
    const auto first = row.find(' ');
    const auto second = row.find(' ', first + 1);
    const auto third = row.find(' ', second + 1);
    if (tab == std::string::npos || third == std::string::npos || third > tab) {
        throw Error{ErrorCode::Failed, "git ls-files answers in a way that banger doesn't know"};
    }
    return {row.substr(0, first), row.substr(first + 1, second - first - 1), row.substr(second + 1, third - second - 1),
            row.substr(tab + 1)};
}

class SnapshotTaker {
public:
    SnapshotTaker(const std::string& path, const SnapshotOptions& options) : options_{&options}, git_{path}
    {
        result_.tree = find_work_tree(path);
        result_.folder = std::make_unique<WorkFolder>(work_folders());
        index_ = *result_.folder / "index";
        source_ = result_.tree.root;
        git_ = result_.tree.git().with("GIT_INDEX_FILE", index_);
    }

    Snapshot take()
    {
        check_branch();
        start_ = result_.tree.head;
        if (options_->from) {
            check_out();
        } else {
            read_work_tree();
        }
        sort_rows();
        look_for_filters();
        write_base();
        add_guest_git();
        return std::move(result_);
    }

private:
    void check_branch();
    void check_out();
    void read_work_tree();
    void sort_rows();
    void check_files(const std::vector<std::string>& names);
    void look_for_filters();
    void write_base();
    void add_guest_git();
    std::string commit(const std::string& tree, const std::string& parent, const std::string& message);
    std::string tree_of(const std::string& revision);
    std::string guest_branch();

    const SnapshotOptions* options_;
    Git git_;  ///< with an index of its own
    std::string index_;
    std::string source_;  ///< where the files are
    std::string start_;   ///< the commit that they are of, or near to; "" for none
    std::vector<IndexRow> rows_;
    std::vector<std::string> excluded_;  ///< in the index, but not sent
    std::string sent_tree_;
    Snapshot result_;
};

void SnapshotTaker::check_branch()
{
    if (!options_->branch) {
        return;
    }
    const auto& name = *options_->branch;
    if (name.starts_with('-') || !git_.try_run({"check-ref-format", "refs/heads/" + name}).ok()) {
        throw Error{ErrorCode::InvalidArgument, "a branch can't be called \"" + name + "\""};
    }
    if (!options_->may_exist && git_.try_run({"rev-parse", "-q", "--verify", "refs/heads/" + name}).ok()) {
        throw Error{ErrorCode::AlreadyExists, "there is a branch " + name + " in " + result_.tree.root +
                                                  "; its files go into a VM with --from " + name};
    }
    result_.base.branch = name;
}

/// The files of a commit, as `git checkout` would write them, in a folder of our own.
void SnapshotTaker::check_out()
{
    const auto found = git_.try_run({"rev-parse", "-q", "--verify", "--end-of-options", *options_->from + "^{commit}"});
    if (!found.ok()) {
        throw Error{ErrorCode::NotFound, "there is no commit " + *options_->from + " in " + result_.tree.root};
    }
    start_ = found.value();
    source_ = *result_.folder / "files";
    fs::create_directory(source_);
    git_ = Git{source_}
               .with("GIT_DIR", result_.tree.git_dir)
               .with("GIT_WORK_TREE", source_)
               .with("GIT_INDEX_FILE", index_);
    git_.run({"read-tree", "--no-sparse-checkout", start_});
    git_.run({"checkout-index", "-q", "-a"});
}

/// The user's index knows which files haven't changed, so the copy of it reads the others alone.
void SnapshotTaker::read_work_tree()
{
    std::error_code none;
    fs::copy_file(result_.tree.path_of("index"), index_, none);
    if (none && none != std::errc::no_such_file_or_directory) {
        throw Error{ErrorCode::Failed, "can't read the index of " + result_.tree.root + ": " + none.message(), none};
    }
    const auto added = git_.try_run({"add", options_->untracked ? "-A" : "-u"});
    if (!added.ok()) {
        throw Error{ErrorCode::Failed, "can't read " + result_.tree.root + ": " + added.complaint()};
    }
    result_.index = index_;
}

void SnapshotTaker::sort_rows()
{
    FileList files{source_, {}, "repo/"};
    for (const auto& row : split_at_nul(git_.run({"ls-files", "-t", "-s", "-z"}).output)) {
        auto parsed = parse_row(row);
        const bool is_submodule = parsed.mode == submodule_mode;
        if (is_submodule) {
            result_.left_out.push_back(parsed.path);
        }
        if (is_submodule || parsed.tag == "S") {
            excluded_.push_back(parsed.path);
        } else {
            files.names.push_back(parsed.path);
            rows_.push_back(std::move(parsed));
        }
    }
    if (files.names.empty()) {
        throw Error{ErrorCode::InvalidArgument,
                    "git tracks no file in " + result_.tree.root +
                        "; git add some, or send what it doesn't track: --include-untracked"};
    }
    check_files(files.names);
    result_.lists.push_back(std::move(files));
}

/// What the copy would stumble over in its middle.
void SnapshotTaker::check_files(const std::vector<std::string>& names)
{
    const UniqueFd top{::open(source_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
    for (const auto& name : names) {
        struct stat status {};
        if (::fstatat(top.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) < 0) {
            continue;
        }
        if (S_ISREG(status.st_mode)) {
            if (::faccessat(top.get(), name.c_str(), R_OK, AT_EACCESS) < 0 && errno == EACCES) {
                throw errno_error("can't read " + source_ + "/" + name, errno);
            }
            result_.bytes += static_cast<std::uint64_t>(status.st_size);
        }
    }
}

/// A filter such as LFS makes of a file something else for git. What comes back from a guest goes through none, so the bytes are remembered.
void SnapshotTaker::look_for_filters()
{
    if (!git_.try_run({"config", "--name-only", "--get-regexp", R"(^filter\..*\.(clean|process)$)"}).ok()) {
        return;
    }
    std::string paths;
    for (const auto& row : rows_) {
        paths += row.path + '\0';
    }
    const auto answers = split_at_nul(git_.run({"check-attr", "-z", "--stdin", "filter"}, paths).output);
    std::vector<std::string> found;
    std::string lines;
    for (std::size_t at = 0; at + 2 < answers.size(); at += 3) {
        if (answers[at + 2] != "unspecified" && answers[at + 2] != "unset") {
            found.push_back(answers[at]);
            lines += c_quoted(answers[at]) + "\n";
        }
    }
    if (found.empty()) {
        return;
    }
    const auto ids = git_.run({"hash-object", "--no-filters", "--stdin-paths"}, lines).output;
    const std::size_t length = ids.find('\n');
    for (std::size_t at = 0; at < found.size() && (at + 1) * (length + 1) <= ids.size(); ++at) {
        result_.base.filtered.emplace(found[at], ids.substr(at * (length + 1), length));
    }
}

std::string SnapshotTaker::tree_of(const std::string& revision)
{
    return revision.empty() ? std::string{} : git_.run({"rev-parse", "--verify", revision + "^{tree}"}).value();
}

std::string SnapshotTaker::commit(const std::string& tree, const std::string& parent, const std::string& message)
{
    std::vector<std::string> words{"commit-tree", tree};
    if (!parent.empty()) {
        words.insert(words.end(), {"-p", parent});
    }
    auto git = git_;
    for (const std::string who : {"AUTHOR", "COMMITTER"}) {
        git = git.with("GIT_" + who + "_NAME", "banger").with("GIT_" + who + "_EMAIL", "banger@localhost");
    }
    return git.run(words, message).value();
}

void SnapshotTaker::write_base()
{
    const auto whole = git_.run({"write-tree", "--missing-ok"}).value();
    auto parent = start_;
    if (whole != tree_of(start_)) {
        parent = commit(whole, start_, "Work tree as it was copied into a VM\n");
    }
    sent_tree_ = whole;
    if (!excluded_.empty()) {
        std::string paths;
        for (const auto& path : excluded_) {
            paths += path + '\0';
        }
        const std::string smaller = *result_.folder / "index-sent";
        fs::copy_file(index_, smaller);
        const auto git = git_.with("GIT_INDEX_FILE", smaller);
        git.run({"update-index", "--force-remove", "-z", "--stdin"}, paths);
        sent_tree_ = git.run({"write-tree", "--missing-ok"}).value();
    }
    result_.base.commit = commit(sent_tree_, parent, base_message(result_.base));
}

std::string SnapshotTaker::guest_branch()
{
    if (options_->branch) {
        return *options_->branch;
    }
    auto name = result_.tree.branch;
    if (options_->from) {
        constexpr std::string_view heads = "refs/heads/";
        name = git_.try_run({"rev-parse", "--symbolic-full-name", "--end-of-options", *options_->from}).value();
        const auto at = name.find(heads);
        name = at == std::string::npos ? "" : name.substr(at + heads.size());
    }
    return name.empty() ? "main" : name;
}

void SnapshotTaker::add_guest_git()
{
    const bool is_a_commit = !start_.empty() && sent_tree_ == tree_of(start_);
    GuestGit guest{git_, result_.tree, *result_.folder / "git", "repo/.git/"};
    result_.lists.push_back(guest.make(is_a_commit ? start_ : result_.base.commit, guest_branch()));
    for (const auto& name : result_.lists.back().names) {
        result_.bytes += fs::file_size(result_.lists.back().folder + "/" + name);
    }
}

}  // namespace

Snapshot take_snapshot(const std::string& path, const SnapshotOptions& options)
{
    return SnapshotTaker{path, options}.take();
}

std::vector<std::string> changed_since(const Snapshot& snapshot)
{
    if (snapshot.index.empty()) {
        return {};
    }
    const auto git = snapshot.tree.git().with("GIT_INDEX_FILE", snapshot.index);
    return split_at_nul(git.run({"diff-files", "-z", "--name-only", "--ignore-submodules=all"}).output);
}

}  // namespace banger::cli
