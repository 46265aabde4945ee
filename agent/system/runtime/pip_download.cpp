// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/runtime/pip_download.hpp"

#include <string>
#include <string_view>
#include <vector>

#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr std::size_t sentence_limit = 200;

/// The words that pip is called with here.
std::vector<std::string> find_pip(const std::stop_token& stop)
{
    for (std::vector<std::string> words : {std::vector<std::string>{"python3", "-m", "pip"}, {"pip3"}}) {
        try {
            words.front() = find_program(words.front()).string();
        } catch (const Error&) {
            continue;
        }
        auto asked = words;
        asked.emplace_back("--version");
        if (run_program({.argv = asked, .stop = stop}).ok()) {
            return words;
        }
    }
    throw Error{ErrorCode::HostLacks, "neither python3 -m pip nor pip3 is there; apt install python3-pip"};
}

std::filesystem::path wheel_in(const std::filesystem::path& folder)
{
    for (const auto& entry : std::filesystem::directory_iterator{folder}) {
        if (entry.path().extension() == ".whl" && entry.is_regular_file() && !entry.is_symlink()) {
            return entry.path();
        }
    }
    throw Error{ErrorCode::Unavailable, "pip downloaded no wheel"};
}

}  // namespace

std::filesystem::path pip_download(const PipSource& source, const std::filesystem::path& folder,
                                   const RuntimeProgress& progress)
{
    auto argv = find_pip(progress.stop);
    argv.insert(argv.end(), {"download", "--no-deps", "--only-binary=:all:", "--python-version", source.python,
                             "--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--dest",
                             folder.string(), "--", source.requirement});
    std::string complaint = "it said nothing";
    const auto listen = [&complaint](std::string_view line) {
        if (line.starts_with("ERROR:")) {
            complaint = to_utf8(line.substr(0, sentence_limit));
        }
    };
    const auto result = run_program({.argv = argv, .directory = folder, .on_line = listen, .stop = progress.stop});
    if (result.tail.find("No space left on device") != std::string::npos) {
        throw Error{ErrorCode::NoSpace, "the disk is full; make room in " + folder.string()};
    }
    if (!result.ok()) {
        throw Error{ErrorCode::Unavailable, "pip failed: " + complaint};
    }
    return wheel_in(folder);
}

}  // namespace banger::agent
