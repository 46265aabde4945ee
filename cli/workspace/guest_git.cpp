// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/workspace/guest_git.hpp"

#include <fstream>
#include <system_error>

#include "common/error.hpp"

namespace banger::cli {

namespace {

namespace fs = std::filesystem;

}  // namespace

std::vector<std::pair<std::string, std::string>> conversion_settings(const Git& git)
{
    std::vector<std::pair<std::string, std::string>> found;
    for (const std::string key : {"core.autocrlf", "core.eol", "core.fileMode", "core.symlinks"}) {
        if (const auto value = git.setting(key)) {
            found.emplace_back(key, *value);
        }
    }
    return found;
}

GuestGit::GuestGit(const Git& git, const WorkTree& tree, const fs::path& folder, std::string prefix)
    : git_{&git}, tree_{&tree}, list_{folder.string(), {}, std::move(prefix)}
{
    fs::create_directory(folder);
}

void GuestGit::write(const std::string& name, const std::string& text)
{
    const auto path = fs::path{list_.folder} / name;
    fs::create_directories(path.parent_path());
    std::ofstream file{path, std::ios::binary};
    file << text;
    file.close();
    if (!file) {
        throw Error{ErrorCode::Failed, "can't write " + path.string()};
    }
    list_.names.push_back(name);
}

/// No search for deltas: time is dearer here than bytes.
void GuestGit::write_objects(const std::string& commit)
{
    const auto folder = fs::path{list_.folder} / "objects" / "pack";
    fs::create_directories(folder);
    const auto objects = git_->run({"rev-list", "--objects", "--no-walk", commit}).output;
    git_->set("pack.compression", "1")
        .set("pack.writeBitmaps", "false")
        .run({"pack-objects", "-q", "--window=0", (folder / "pack").string()}, objects);
    for (const auto& entry : fs::directory_iterator{folder}) {
        const auto kind = entry.path().extension();
        if (kind == ".pack" || kind == ".idx") {
            list_.names.push_back("objects/pack/" + entry.path().filename().string());
        }
    }
}

/// A commit in the guest wants a name; nothing else of the user's settings goes there.
void GuestGit::write_settings()
{
    const bool is_sha1 = tree_->hash == "sha1";
    write("config", "[core]\n\trepositoryformatversion = " + std::string{is_sha1 ? "0" : "1"} +
                        "\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n" +
                        (is_sha1 ? "" : "[extensions]\n\tobjectformat = " + tree_->hash + "\n"));
    const auto file = list_.folder + "/config";
    auto settings = conversion_settings(*git_);
    for (const std::string key : {"user.name", "user.email"}) {
        if (const auto value = git_->setting(key)) {
            settings.emplace_back(key, *value);
        }
    }
    for (const auto& [key, value] : settings) {
        if (key != "core.fileMode" && key != "core.symlinks") {  // those are of the host's file system
            git_->run({"config", "--file", file, key, value});
        }
    }
}

FileList GuestGit::make(const std::string& commit, const std::string& branch)
{
    write("HEAD", "ref: refs/heads/" + branch + "\n");
    write("refs/heads/" + branch, commit + "\n");
    write("shallow", commit + "\n");
    write_settings();
    const auto exclude = tree_->path_of("info/exclude");
    std::error_code none;
    fs::create_directory(fs::path{list_.folder} / "info");
    if (fs::copy_file(exclude, fs::path{list_.folder} / "info/exclude", none)) {
        list_.names.emplace_back("info/exclude");
    }
    write_objects(commit);
    git_->with("GIT_INDEX_FILE", list_.folder + "/index").run({"read-tree", "--no-sparse-checkout", commit});
    list_.names.emplace_back("index");
    return std::move(list_);
}

}  // namespace banger::cli
