// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/image/build_hooks.hpp"

#include <fstream>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr std::string_view script_begins = "banger: the customise script begins";
constexpr std::string_view script_ended = "banger: the customise script ended with ";

/// What mmdebstrap 1.3 runs for a tree of its own (run_install), which knows no other way to add to one that is there.
constexpr std::string_view install_hook = R"(#!/bin/sh -e
APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" exec apt-get -o Dir::Bin::dpkg=env -o DPkg::Options::=--unset=TMPDIR \
    -o DPkg::Options::=dpkg -o DPkg::Chroot-Directory="$1" --yes install)";

/// Nothing of the caller's environment gets in but proxies, which are the way out.
constexpr std::string_view customize_hook = R"(#!/bin/sh
inside="$1/banger-customize"
rm -f "$inside"
cp "$(dirname "$0")/customize-script" "$inside" && chmod 0755 "$inside" || exit 1
echo 'banger: the customise script begins'
chroot "$1" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive BANGER_IMAGE="$BANGER_IMAGE" BANGER_SUITE="$BANGER_SUITE" BANGER_DOCKER="$BANGER_DOCKER" \
    ${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} ${no_proxy:+no_proxy="$no_proxy"} \
    /banger-customize
code=$?
rm -f "$inside"
echo "banger: the customise script ended with $code"
exit $code
)";

std::filesystem::path write_script(const std::filesystem::path& file, std::string_view text)
{
    std::ofstream stream{file};
    stream << text;
    stream.close();
    if (!stream) {
        throw errno_error("can't write " + file.string(), errno);
    }
    std::filesystem::permissions(file, std::filesystem::perms{0755});
    return file;
}

}  // namespace

std::filesystem::path write_install_hook(const std::filesystem::path& folder, const std::vector<std::string>& packages)
{
    std::string text{install_hook};
    for (const auto& package : packages) {
        text += " " + package;
    }
    return write_script(folder / "install-hook", text + "\n");
}

std::filesystem::path write_customize_hook(const std::filesystem::path& folder, const std::filesystem::path& script)
{
    std::error_code problem;
    std::filesystem::copy_file(script, folder / "customize-script", problem);
    if (problem) {
        throw errno_error("can't read the customise script " + script.string(), problem.value());
    }
    return write_script(folder / "customize-hook", customize_hook);
}

std::vector<std::string> customize_environment(const std::string& image, const std::string& suite, bool docker)
{
    return {"BANGER_IMAGE=" + image, "BANGER_SUITE=" + suite, std::string{"BANGER_DOCKER="} + (docker ? "1" : "0")};
}

void CustomizeWatch::see(std::string_view line)
{
    constexpr std::size_t most_lines = 10;
    constexpr std::size_t longest = 400;
    if (line == script_begins) {
        runs_ = true;
    } else if (runs_ && line.starts_with(script_ended)) {
        runs_ = false;
        code_ = line.substr(script_ended.size());
    } else if (runs_) {
        said_.push_back(to_utf8(line.substr(0, longest)));
        if (said_.size() > most_lines) {
            said_.pop_front();
        }
    }
}

std::optional<std::string> CustomizeWatch::failure() const
{
    if (code_.empty() || code_ == "0") {
        return std::nullopt;
    }
    std::string text = "exit code " + code_ + (said_.empty() ? "; it said nothing" : ", and it said:");
    for (const auto& line : said_) {
        text += "\n" + line;
    }
    return text;
}

}  // namespace banger::agent
