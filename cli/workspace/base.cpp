// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/workspace/base.hpp"

#include <cstdint>
#include <ctime>
#include <exception>
#include <sstream>

#include "cli/view/output.hpp"
#include "common/error.hpp"

namespace banger::cli {
namespace {

constexpr std::string_view branch_mark = "Branch: ";
constexpr std::string_view filtered_mark = "Filtered: ";

std::string ref_of(const std::string& vm_id) { return "refs/banger/" + vm_id; }

void parse_filtered(std::string_view line, Base& base)
{
    const auto space = line.find(' ');
    const auto path = space == std::string_view::npos ? std::nullopt : c_unquoted(line.substr(space + 1));
    if (path) {
        base.filtered.emplace(*path, line.substr(0, space));
    }
}

}  // namespace

std::string base_message(const Base& base)
{
    std::string text = "Work tree as it was copied into a VM\n";
    if (!base.branch.empty() || !base.filtered.empty()) {
        text += "\n";
    }
    if (!base.branch.empty()) {
        text += std::string{branch_mark} + base.branch + "\n";
    }
    for (const auto& [path, id] : base.filtered) {
        text += std::string{filtered_mark} + id + " " + c_quoted(path) + "\n";
    }
    return text;
}

Base parse_base(const std::string& commit, std::string_view message)
{
    Base base;
    base.commit = commit;
    while (!message.empty()) {
        const auto end = message.find('\n');
        const auto line = message.substr(0, end);
        message = end == std::string_view::npos ? std::string_view{} : message.substr(end + 1);
        if (line.starts_with(branch_mark)) {
            base.branch = line.substr(branch_mark.size());
        } else if (line.starts_with(filtered_mark)) {
            parse_filtered(line.substr(filtered_mark.size()), base);
        }
    }
    return base;
}

void keep_base(const WorkTree& tree, const std::string& vm_id, const std::string& commit)
{
    tree.git().run({"update-ref", ref_of(vm_id), commit});
}

Base find_base(const WorkTree& tree, const std::string& vm_id, const std::string& vm_name)
{
    const auto git = tree.git();
    const auto commit = git.try_run({"rev-parse", "-q", "--verify", ref_of(vm_id) + "^{commit}"});
    if (!commit.ok()) {
        throw Error{ErrorCode::NotFound, tree.root + " was not copied into " + vm_name +
                                             "; name the work tree that was, or copy this one: banger vm workspace "
                                             "prepare " +
                                             vm_name + " " + tree.root};
    }
    return parse_base(commit.value(), git.run({"cat-file", "commit", commit.value()}).output);
}

void drop_old_bases(const WorkTree& tree, const std::set<std::string>& vm_ids)
{
    constexpr std::int64_t month = std::int64_t{30} * 24 * 60 * 60;
    const auto git = tree.git();
    std::istringstream rows{
        git.run({"for-each-ref", "--format=%(refname) %(committerdate:unix)", "refs/banger/"}).output};
    std::string ref;
    for (std::int64_t made = 0; rows >> ref >> made;) {
        // Not younger ones: another bangerd of the same user's may have that VM.
        if (!vm_ids.contains(ref.substr(ref.rfind('/') + 1)) && made < std::time(nullptr) - month) {
            git.run({"update-ref", "-d", ref});
        }
    }
}

void drop_base(const WorkTree& tree, const std::string& vm_id) noexcept
{
    try {
        tree.git().try_run({"update-ref", "-d", ref_of(vm_id)});
    } catch (const std::exception& problem) {
        complain(problem.what());
    }
}

}  // namespace banger::cli
