// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace banger::cli {

/// How a git command ended.
struct GitEnd {
    int exit_code{0};
    std::string output;
    std::string errors;  ///< what it said on standard error

    bool ok() const noexcept { return exit_code == 0; }
    /// The output without the newline that git ends a single value with; names may hold others.
    std::string value() const;
    /// What it said, in one line and without "fatal: ".
    std::string complaint() const;
};

/// The git program with what is said before its command. Hooks, fsmonitor and automatic gc never run; what the environment says about another
/// repository (a banger that is called from a hook) is left out.
class Git {
public:
    /// In a repository of the user's, with the user's settings.
    explicit Git(std::string folder) : folder_{std::move(folder)} {}
    /// With nobody's settings: for what came from a guest. No driver, filter or alias of the user's is known there.
    static Git apart(std::string folder, const std::string& git_dir);

    /// The same with one more setting, or one more variable in its environment.
    Git set(const std::string& key, const std::string& value) const;
    Git with(const std::string& variable, const std::string& value) const;

    /// Runs it to its end, with `input` as its standard input. Throws HostLacks when there is no git.
    GitEnd try_run(const std::vector<std::string>& words, std::string_view input = {}) const;
    /// The same; throws Failed with git's own words when git does not like it.
    GitEnd run(const std::vector<std::string>& words, std::string_view input = {}) const;
    /// The same with descriptors, for what may be large. Where nobody reads the output any more, banger ends as git did, by SIGPIPE.
    void run_between(const std::vector<std::string>& words, int input_fd, int output_fd) const;
    /// A setting of the user's or the repository's.
    std::optional<std::string> setting(const std::string& key, const std::string& type = "") const;

private:
    std::vector<std::string> environment() const;
    std::vector<std::string> line_of(const std::vector<std::string>& words) const;
    /// `output_fd` -1: it is kept in the result.
    GitEnd start(const std::vector<std::string>& words, int input_fd, int output_fd) const;

    std::string folder_;
    bool apart_{false};
    std::vector<std::pair<std::string, std::string>> settings_;
    std::vector<std::pair<std::string, std::string>> variables_;
};

/// The pieces of what git prints with -z.
std::vector<std::string> split_at_nul(std::string_view text);
/// In double quotes with escapes, as git reads paths where a line is one path.
std::string c_quoted(std::string_view path);
/// The opposite; nullopt for what is not that.
std::optional<std::string> c_unquoted(std::string_view text);

}  // namespace banger::cli
