// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <deque>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace banger::agent {

// What mmdebstrap runs in the middle of its work, inside the namespace of the build: as scripts in a folder of the build's own.

/// Installs packages by the host's apt into a tree that is there already, as mmdebstrap itself does for one that it makes. The names are package
/// names, checked. Gives the hook's path.
std::filesystem::path write_install_hook(const std::filesystem::path& folder, const std::vector<std::string>& packages);

/// Runs a copy of `script` as root of the tree (banger.toml(5), customize_script, has its environment). Throws NotFound, Failed.
std::filesystem::path write_customize_hook(const std::filesystem::path& folder, const std::filesystem::path& script);

/// The variables by which a script learns what is built.
std::vector<std::string> customize_environment(const std::string& image, const std::string& suite, bool docker);

/// Follows the output of a build, to tell what the customise script said from what mmdebstrap did.
class CustomizeWatch {
public:
    /// One line of the build's output.
    void see(std::string_view line);
    bool runs() const noexcept { return runs_; }
    /// Of a script that ended badly: its exit code and the end of what it said.
    std::optional<std::string> failure() const;

private:
    bool runs_{false};
    std::string code_;
    std::deque<std::string> said_;
};

}  // namespace banger::agent
