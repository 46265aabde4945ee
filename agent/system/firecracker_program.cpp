// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/firecracker_program.hpp"

#include <sys/stat.h>

#include "agent/system/firecracker_api.hpp"
#include "agent/system/subprocess.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr std::chrono::milliseconds answer_limit{10'000};
constexpr auto mend = "; banger runtime fetch brings one that fits";

struct Finding {
    std::string problem;
    bool lasts;  ///< as long as the file is the same; what else keeps it from answering may pass
};

/// Blocks.
Finding look_at(const std::filesystem::path& path, const std::stop_token& late)
{
    std::string first_line;
    const Program program{.argv = {path.string(), "--version"},
                          .on_line =
                              [&first_line](std::string_view line) {
                                  if (first_line.empty()) {
                                      first_line = line;
                                  }
                              },
                          .stop = late};
    try {
        const auto result = run_program(program);
        const auto version = parse_firecracker_version(first_line);
        if (!result.ok() || !version) {
            return {path.string() + " is no Firecracker: it says \"" + shown(first_line) + "\"" + mend, false};
        }
        if (*version < oldest_firecracker) {
            return {path.string() + " is Firecracker " + to_string(*version) + ", too old; " +
                        to_string(oldest_firecracker) + " or newer is needed" + mend,
                    true};
        }
        return {"", true};
    } catch (const Error& error) {
        const auto why =
            late.stop_requested() ? path.string() + " --version does not answer" : std::string{error.what()};
        return {why + mend, false};
    }
}

}  // namespace

FirecrackerProgram::FirecrackerProgram(EventLoop& loop, Lane& lane, std::function<std::filesystem::path()> find)
    : loop_{&loop}, lane_{&lane}, find_{std::move(find)}
{
}

std::optional<FirecrackerProgram::Identity> FirecrackerProgram::identity_of(const std::filesystem::path& path)
{
    struct stat status {};
    if (::stat(path.c_str(), &status) < 0) {
        return std::nullopt;
    }
    return Identity{path, status.st_dev, status.st_ino, static_cast<std::uintmax_t>(status.st_size),
                    status.st_ctim.tv_sec * std::int64_t{1'000'000'000} + status.st_ctim.tv_nsec};
}

Task<std::string> FirecrackerProgram::problem()
{
    const auto guard = co_await one_at_a_time_.lock();
    std::filesystem::path path;
    try {
        path = find_();
    } catch (const Error& error) {
        asked_.reset();
        problem_ = error.what();
        co_return problem_;
    }
    const auto identity = identity_of(path);
    if (!identity || asked_ != identity) {
        std::stop_source late;
        auto look = [path, token = late.get_token()] { return look_at(path, token); };
        const auto limit = loop_->after(answer_limit, [&late] { late.request_stop(); });
        const auto finding = co_await run_on(*loop_, *lane_, std::move(look));
        problem_ = finding.problem;
        asked_ = finding.lasts ? identity : std::nullopt;
    }
    co_return problem_;
}

std::string FirecrackerProgram::known_problem() const { return problem_; }

}  // namespace banger::agent
