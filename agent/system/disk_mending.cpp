// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/disk_mending.hpp"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "agent/system/image/disk_taking.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

using OnLine = std::function<void(std::string_view)>;

struct Check {
    std::filesystem::path disk;
    Confine confine;
    std::filesystem::path log;
    std::stop_token stop;
};

ProgramResult run_e2fsck(const Check& check, const char* how, OnLine on_line)
{
    const auto name = check.disk.filename().string();
    auto checked = run_program(
        {.argv = confined(check.confine, {.write = {name}}, {find_program("e2fsck").string(), "-f", how, name}),
         .directory = check.disk.parent_path(),
         .log = check.log,
         .on_line = std::move(on_line),
         .stop = check.stop});
    if (checked.exit_code == not_confined) {
        throw Error{ErrorCode::HostLacks, "e2fsck can't be started: " + checked.tail};
    }
    return checked;
}

/// By its path, as an ordinary user of Debian has no /usr/sbin to look in.
[[noreturn]] void tell_damage(const std::filesystem::path& disk, const std::string& found)
{
    throw Error{ErrorCode::CorruptData, "the disk's file system has errors; " + find_program("e2fsck").string() +
                                            " -f " + disk.string() + " mends them: " + found};
}

std::optional<DiskFacts> facts_of(const std::filesystem::path& disk)
{
    try {
        return look_at_disk(disk);
    } catch (const Error&) {
        return std::nullopt;
    }
}

/// What e2fsck -n says up to its first question, without its banner and its passes.
class FirstFinding {
public:
    void take(std::string_view line)
    {
        if (is_whole_ || line.empty() || line.starts_with("e2fsck ") || line.starts_with("Pass ")) {
            return;
        }
        constexpr std::size_t most = 200;  // names of a guest's are in it
        text_ = shown(text_.empty() ? line : text_ + " " + std::string{line}, most);
        is_whole_ = line.ends_with("? no");
    }
    const std::string& text() const noexcept { return text_; }

private:
    std::string text_;
    bool is_whole_{false};
};

}  // namespace

void refuse_damage(const std::filesystem::path& disk, const std::filesystem::path& shown, const Confine& confine,
                   const std::stop_token& stop)
{
    const auto facts = facts_of(disk);
    if (facts && facts->notes_errors) {
        tell_damage(shown, "its guest's kernel has found some");
    }
    if (!facts || !facts->is_clean) {
        return;
    }
    FirstFinding finding;
    const auto checked = run_e2fsck({disk, confine, {}, stop}, "-n", [&finding](auto line) { finding.take(line); });
    if (!checked.ok()) {
        tell_damage(shown, finding.text());
    }
}

void mend_disk(const std::filesystem::path& disk, const std::filesystem::path& shown, const Confine& confine,
               const std::filesystem::path& log, const std::stop_token& stop)
{
    const auto checked = run_e2fsck({disk, confine, log, stop}, "-p", {});
    constexpr int mended = 1;  // e2fsck(8): more is for people
    if (!checked.ok() && checked.exit_code != mended) {
        tell_damage(shown, checked.tail);
    }
}

}  // namespace banger::agent
