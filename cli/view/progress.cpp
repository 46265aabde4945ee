// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/view/progress.hpp"

#include "cli/view/escape.hpp"
#include "cli/view/output.hpp"

#include <cstdlib>
#include <map>
#include <string_view>

#include <sys/ioctl.h>
#include <unistd.h>

namespace banger::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int percent = 100;

void write_raw(std::string_view text)
{
    // Progress that can't be shown is no reason to fail.
    [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
}

std::string with_fraction(const std::string& stage, double fraction)
{
    return fraction < 0 ? stage : stage + " " + std::to_string(static_cast<int>(fraction * percent)) + "%";
}

std::string brief(Clock::duration time)
{
    using namespace std::chrono;
    const auto seconds = duration_cast<std::chrono::seconds>(time).count();
    constexpr auto minute = 60;
    return seconds < minute ? std::to_string(seconds) + " s"
                            : std::to_string(seconds / minute) + " min " + std::to_string(seconds % minute) + " s";
}

/// What terminals show on one line while work goes on.
class LiveProgress final : public Progress {
public:
    LiveProgress() = default;
    LiveProgress(const LiveProgress&) = delete;
    LiveProgress& operator=(const LiveProgress&) = delete;
    ~LiveProgress() override { pause(); }

    void at_stage(const std::string& target, const std::string& stage, double fraction) override
    {
        at_work_[target] = with_fraction(stage, fraction);
        draw();
    }
    void ended(const std::string& target, bool) override
    {
        at_work_.erase(target);
        ++ended_;
        if (at_work_.empty()) {
            pause();
        } else {
            draw();
        }
    }
    void tick() override { draw(); }
    std::chrono::milliseconds tick_interval() const override { return std::chrono::seconds{1}; }
    void pause() override
    {
        if (drawn_) {
            write_raw("\r\x1b[K");
            drawn_ = false;
        }
    }

private:
    void draw()
    {
        if (at_work_.empty()) {
            return;
        }
        const auto& [target, stage] = *at_work_.begin();
        std::string line = target + ": " + stage;
        if (at_work_.size() > 1) {
            line = std::to_string(at_work_.size()) + " at work, " + std::to_string(ended_) + " done; " + line;
        }
        line = escaped(line + "  " + brief(Clock::now() - begin_));
        winsize size{};
        if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 && line.size() >= size.ws_col) {
            line.resize(size.ws_col - 1U);  // a line that wraps can't be drawn again
        }
        write_raw("\r" + line + "\x1b[K");
        drawn_ = true;
    }

    Clock::time_point begin_{Clock::now()};
    std::map<std::string, std::string> at_work_;
    std::size_t ended_{0};
    bool drawn_{false};
};

/// For pipes and logs.
class LineProgress final : public Progress {
public:
    void at_stage(const std::string& target, const std::string& stage, double) override
    {
        if (auto& last = last_[target]; last != stage) {
            last = stage;
            remark(target + ": " + stage);
        }
    }
    void ended(const std::string&, bool) override {}

private:
    std::map<std::string, std::string> last_;
};

class JsonProgress final : public Progress {
public:
    void at_stage(const std::string& target, const std::string& stage, double fraction) override
    {
        JsonValue line{{"target", target}, {"stage", stage}};
        if (fraction >= 0) {
            line["fraction"] = fraction;
        }
        tell(line);
    }
    void ended(const std::string& target, bool well) override
    {
        tell({{"target", target}, {"ended", well ? "well" : "with an error"}});
    }

private:
    void tell(JsonValue line) const
    {
        line["seconds"] = std::chrono::duration<double>(Clock::now() - begin_).count();
        write_raw(line.dump(-1, ' ', true, JsonValue::error_handler_t::replace) + "\n");
    }

    Clock::time_point begin_{Clock::now()};
};

class SilentProgress final : public Progress {
public:
    void at_stage(const std::string&, const std::string&, double) override {}
    void ended(const std::string&, bool) override {}
};

bool can_redraw()
{
    const char* term = std::getenv("TERM");
    return is_terminal(STDERR_FILENO) && term != nullptr && std::string_view{term} != "dumb" && *term != '\0';
}

}  // namespace

std::unique_ptr<Progress> make_progress(ProgressForm form)
{
    switch (form) {
        case ProgressForm::Json:
            return std::make_unique<JsonProgress>();
        case ProgressForm::Silent:
            return std::make_unique<SilentProgress>();
        case ProgressForm::Automatic:
            break;
    }
    if (can_redraw()) {
        return std::make_unique<LiveProgress>();
    }
    return std::make_unique<LineProgress>();
}

}  // namespace banger::cli
