// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/workspace/git.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "cli/spawn.hpp"
#include "cli/view/output.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"

namespace banger::cli {
namespace {

/// Of GIT_*, what says who somebody is and where their settings are. The rest may speak of another repository.
constexpr std::array kept_variables{
    std::string_view{"GIT_AUTHOR_NAME="},     std::string_view{"GIT_AUTHOR_EMAIL="},
    std::string_view{"GIT_COMMITTER_NAME="},  std::string_view{"GIT_COMMITTER_EMAIL="},
    std::string_view{"GIT_CONFIG_GLOBAL="},   std::string_view{"GIT_CONFIG_SYSTEM="},
    std::string_view{"GIT_CONFIG_NOSYSTEM="}, std::string_view{"GIT_CEILING_DIRECTORIES="},
    std::string_view{"GIT_EXEC_PATH="},
};

constexpr std::array fixed_settings{
    std::string_view{"core.hooksPath=/dev/null"}, std::string_view{"core.fsmonitor=false"},
    std::string_view{"core.splitIndex=false"},    std::string_view{"gc.auto=0"},
    std::string_view{"maintenance.auto=false"},   std::string_view{"advice.addEmbeddedRepo=false"},
    std::string_view{"core.safecrlf=false"},      std::string_view{"submodule.recurse=false"},
    std::string_view{"index.sparse=false"},
};

/// A file without a name: git's streams go through such ones, so that nobody has to read one while the other is full.
UniqueFd memory_file(std::string_view contents)
{
    UniqueFd file{::memfd_create("git", MFD_CLOEXEC)};
    if (!file) {
        throw errno_error("no memory for what git reads and writes", errno);
    }
    while (!contents.empty()) {
        const auto written = ::write(file.get(), contents.data(), contents.size());
        if (written < 0 && errno != EINTR) {
            throw errno_error("no memory for what git reads", errno);
        }
        contents.remove_prefix(written > 0 ? static_cast<std::size_t>(written) : 0);
    }
    ::lseek(file.get(), 0, SEEK_SET);
    return file;
}

std::string contents_of(const UniqueFd& file)
{
    const auto size = ::lseek(file.get(), 0, SEEK_END);
    std::string text(static_cast<std::size_t>(std::max<off_t>(size, 0)), '\0');
    std::size_t done = 0;
    while (done < text.size()) {
        const auto got = ::pread(file.get(), text.data() + done, text.size() - done, static_cast<off_t>(done));
        if (got <= 0) {
            throw errno_error("can't read what git wrote", errno);
        }
        done += static_cast<std::size_t>(got);
    }
    return text;
}

constexpr int signal_base = 128;  // of an exit code, as a shell has it

int wait_for(pid_t pid)
{
    int status = 0;
    while (::waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            throw errno_error("can't wait for git", errno);
        }
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : signal_base + WTERMSIG(status);
}

void check_end(const GitEnd& end, const std::vector<std::string>& words)
{
    if (!end.ok()) {
        throw Error{ErrorCode::Failed, "git " + words.front() + ": " + end.complaint()};
    }
}

}  // namespace

std::string GitEnd::value() const { return output.ends_with('\n') ? output.substr(0, output.size() - 1) : output; }

std::string GitEnd::complaint() const
{
    std::string line = errors;
    for (const std::string_view start : {"fatal: ", "error: "}) {
        if (line.starts_with(start)) {
            line.erase(0, start.size());
        }
    }
    while (line.ends_with('\n')) {
        line.pop_back();
    }
    std::replace(line.begin(), line.end(), '\n', ' ');
    constexpr std::size_t most = 1000;
    return line.empty() ? "it ended with " + std::to_string(exit_code) : line.substr(0, most);
}

Git Git::apart(std::string folder, const std::string& git_dir)
{
    Git git{std::move(folder)};
    git.apart_ = true;
    git.variables_ = {{"GIT_CONFIG_NOSYSTEM", "1"},
                      {"GIT_CONFIG_SYSTEM", "/dev/null"},
                      {"GIT_CONFIG_GLOBAL", "/dev/null"},
                      {"GIT_DIR", git_dir}};
    return git;
}

Git Git::set(const std::string& key, const std::string& value) const
{
    auto more = *this;
    more.settings_.emplace_back(key, value);
    return more;
}

Git Git::with(const std::string& variable, const std::string& value) const
{
    auto more = *this;
    // Of two of one name git would see the first.
    std::erase_if(more.variables_, [&variable](const auto& one) { return one.first == variable; });
    more.variables_.emplace_back(variable, value);
    return more;
}

std::vector<std::string> Git::environment() const
{
    std::vector<std::string> all{"GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0"};
    for (char** entry = environ; *entry != nullptr; ++entry) {
        const std::string_view text{*entry};
        const bool is_kept = !apart_ && std::any_of(kept_variables.begin(), kept_variables.end(),
                                                    [text](std::string_view name) { return text.starts_with(name); });
        if (!text.starts_with("GIT_") || is_kept) {
            all.emplace_back(text);
        }
    }
    for (const auto& [name, value] : variables_) {
        all.push_back(std::string{name}.append("=").append(value));
    }
    return all;
}

std::vector<std::string> Git::line_of(const std::vector<std::string>& words) const
{
    std::vector<std::string> line{"git", "-C", folder_};
    for (const auto setting : fixed_settings) {
        line.emplace_back("-c");
        line.emplace_back(setting);
    }
    for (const auto& [key, value] : settings_) {
        line.emplace_back("-c");
        line.push_back(std::string{key}.append("=").append(value));
    }
    line.insert(line.end(), words.begin(), words.end());
    return line;
}

GitEnd Git::start(const std::vector<std::string>& words, int input_fd, int output_fd) const
{
    auto line = line_of(words);
    auto variables = environment();
    const auto output = memory_file({});
    const auto errors = memory_file({});
    const SpawnAttributes attributes;
    const SpawnStreams streams{input_fd, output_fd < 0 ? output.get() : output_fd, errors.get()};
    pid_t pid = 0;
    const int problem = ::posix_spawnp(&pid, "git", streams.get(), attributes.get(), pointers_to(line).data(),
                                       pointers_to(variables).data());
    if (problem == ENOENT) {
        throw Error{ErrorCode::HostLacks, "git is not installed; as root: apt install git"};
    }
    if (problem != 0) {
        throw errno_error("can't run git", problem);
    }
    const int code = wait_for(pid);
    return {code, contents_of(output), contents_of(errors)};
}

GitEnd Git::try_run(const std::vector<std::string>& words, std::string_view input) const
{
    return start(words, memory_file(input).get(), -1);
}

GitEnd Git::run(const std::vector<std::string>& words, std::string_view input) const
{
    auto end = try_run(words, input);
    check_end(end, words);
    return end;
}

void Git::run_between(const std::vector<std::string>& words, int input_fd, int output_fd) const
{
    const auto end = start(words, input_fd, output_fd);
    if (end.exit_code == signal_base + SIGPIPE) {
        die_of(SIGPIPE);
    }
    check_end(end, words);
}

std::optional<std::string> Git::setting(const std::string& key, const std::string& type) const
{
    std::vector<std::string> words{"config", "-z", "--get", key};
    if (!type.empty()) {
        words.insert(words.begin() + 1, "--type=" + type);
    }
    const auto end = try_run(words);
    return end.ok() ? std::optional{end.output.substr(0, end.output.find('\0'))} : std::nullopt;
}

std::vector<std::string> split_at_nul(std::string_view text)
{
    std::vector<std::string> pieces;
    while (!text.empty()) {
        const auto end = text.find('\0');
        pieces.emplace_back(text.substr(0, end));
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    return pieces;
}

std::string c_quoted(std::string_view path)
{
    std::string quoted = "\"";
    for (const char character : path) {
        const auto byte = static_cast<unsigned char>(character);
        constexpr unsigned first_printable = 0x20;
        constexpr unsigned first_not_ascii = 0x7f;
        if (character == '"' || character == '\\') {
            quoted += {'\\', character};
        } else if (byte < first_printable || byte >= first_not_ascii) {
            quoted += {'\\', static_cast<char>('0' + (byte >> 6U)), static_cast<char>('0' + ((byte >> 3U) & 7U)),
                       static_cast<char>('0' + (byte & 7U))};
        } else {
            quoted += character;
        }
    }
    return quoted + '"';
}

std::optional<std::string> c_unquoted(std::string_view text)
{
    if (text.size() < 2 || text.front() != '"' || text.back() != '"') {
        return std::nullopt;
    }
    text = text.substr(1, text.size() - 2);
    const auto is_octal = [](char digit) { return digit >= '0' && digit <= '7'; };
    std::string path;
    while (!text.empty()) {
        if (text.front() != '\\') {
            path += text.front();
            text.remove_prefix(1);
        } else if (text.size() >= 2 && (text[1] == '"' || text[1] == '\\')) {
            path += text[1];
            text.remove_prefix(2);
        } else if (text.size() >= 4 && std::all_of(text.begin() + 1, text.begin() + 4, is_octal)) {
            path += static_cast<char>((text[1] - '0') * 64 + (text[2] - '0') * 8 + (text[3] - '0'));
            text.remove_prefix(4);
        } else {
            return std::nullopt;
        }
    }
    return path;
}

}  // namespace banger::cli
