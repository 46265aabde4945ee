// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/relay/relay.hpp"

#include "cli/view/escape.hpp"
#include "common/error.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <nlohmann/json.hpp>

namespace banger::cli {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds impatience{2};
constexpr int patience = 3;  // SIGINTs in a row

/// The SOCK_SEQPACKET socket of a command.
class Control {
public:
    explicit Control(UniqueFd socket) : socket_{std::move(socket)} {}

    int fd() const noexcept { return socket_.get(); }
    bool has_ended() const noexcept { return ended_; }
    /// Of an ended one; throws what it was told.
    int exit_code() const;
    void read();
    void send(const json& packet) const
    {
        const auto text = packet.dump();
        // A command that is gone can't be told anything.
        [[maybe_unused]] const auto sent = ::send(socket_.get(), text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    }

private:
    UniqueFd socket_;
    bool ended_{false};
    json last_;
};

void Control::read()
{
    std::array<char, 65536> packet{};
    const auto got = ::recv(socket_.get(), packet.data(), packet.size(), MSG_DONTWAIT);
    // ECONNRESET: bangerd closed with packets of ours unread. That is told once, before its last one (net/unix/af_unix.c, unix_release_sock).
    if (got < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNRESET)) {
        return;
    }
    if (got > 0) {
        const std::string_view text{packet.data(), static_cast<std::size_t>(got)};
        last_ = json::parse(text, nullptr, false);
    }
    ended_ = true;
}

int Control::exit_code() const
{
    const auto number = [this](const char* key) -> std::optional<int> {
        const auto at = last_.is_object() ? last_.find(key) : last_.end();
        return last_.is_object() && at != last_.end() && at->is_number_integer() ? std::optional{at->get<int>()}
                                                                                 : std::nullopt;
    };
    if (const auto code = number("exit")) {
        return *code;
    }
    if (const auto signal = number("signal")) {
        return exit_code_of_signal(*signal);
    }
    if (last_.is_object() && last_.contains("error")) {
        const auto code = error_code_of(last_.value("error", ""));
        throw Error{code.value_or(ErrorCode::Failed), escaped(last_.value("message", "the command failed"))};
    }
    throw Error{ErrorCode::Unavailable, "bangerd ended while the command ran, and with it the connection to it"};
}

/// One relay at work.
class Relay {
public:
    Relay(CommandStreams command, const UserStreams& user, TerminalMode mode, SignalInbox& signals,
          std::chrono::milliseconds farewell)
        : input_{user.input, std::move(command.input)},
          output_{std::move(command.output), user.output},
          error_{std::move(command.error), user.error},
          control_{std::move(command.control)},
          signals_{&signals},
          farewell_{farewell}
    {
        if (mode == TerminalMode::Raw) {
            raw_.emplace(user.input);
        }
    }

    CommandEnd run()
    {
        while (!is_over()) {
            step();
            if (hung_up_) {
                return *hung_up_;
            }
        }
        raw_.reset();
        return {control_.exit_code(), std::nullopt};
    }

private:
    bool is_over() const
    {
        using enum OutputPump::State;
        return control_.has_ended() && output_.state() == Ended && error_.state() == Ended;
    }
    void step();
    void check_outputs();
    void take_signals();
    void on_interrupt();
    void on_farewell(int signal);
    int patience_ms() const;
    void send_size() const
    {
        const auto size = window_size();
        control_.send({{"rows", size.rows}, {"columns", size.columns}});
    }

    InputPump input_;
    OutputPump output_;
    OutputPump error_;
    Control control_;
    SignalInbox* signals_;
    std::chrono::milliseconds farewell_;
    std::optional<RawTerminal> raw_;
    std::optional<CommandEnd> hung_up_;
    int interrupts_{0};
    Clock::time_point last_interrupt_;
    std::optional<Clock::time_point> leaves_at_;
    int leaves_by_{0};
};

void Relay::step()
{
    PollList polls{{signals_->fd(), POLLIN, 0}};
    output_.add_to(polls);
    error_.add_to(polls);
    if (!control_.has_ended()) {
        polls.push_back({control_.fd(), POLLIN, 0});
        input_.add_to(polls);
    }
    if (::poll(polls.data(), polls.size(), patience_ms()) < 0) {
        if (errno == EINTR) {
            return;
        }
        throw errno_error("can't wait for the command", errno);
    }
    take_signals();
    output_.move(polls);
    error_.move(polls);
    check_outputs();
    if (!control_.has_ended()) {
        if (is_ready(polls, control_.fd())) {
            control_.read();
        }
        input_.move(polls);
    }
}

void Relay::check_outputs()
{
    if (error_.state() == OutputPump::State::Broken) {
        error_.discard();  // as other programs do with a standard error that nobody reads
    }
    if (output_.state() == OutputPump::State::Broken) {
        const int problem = output_.problem();
        if (problem != EPIPE && problem != EIO) {
            raw_.reset();
            throw errno_error("can't write to standard output", problem);
        }
        hung_up_ = CommandEnd{exit_code_of_signal(SIGPIPE), SIGPIPE};
    }
}

void Relay::on_interrupt()
{
    const auto now = Clock::now();
    interrupts_ = interrupts_ > 0 && now - last_interrupt_ < impatience ? interrupts_ + 1 : 1;
    last_interrupt_ = now;
    if (interrupts_ >= patience) {
        hung_up_ = CommandEnd{exit_code_of_signal(SIGINT), std::nullopt};
    }
}

/// There Ctrl-C is a key for the guest, so these are all that can leave one that hangs.
void Relay::on_farewell(int signal)
{
    if (leaves_at_) {
        hung_up_ = CommandEnd{exit_code_of_signal(signal), std::nullopt};
    } else {
        leaves_at_ = Clock::now() + farewell_;
        leaves_by_ = signal;
    }
}

int Relay::patience_ms() const
{
    if (!leaves_at_) {
        return -1;
    }
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*leaves_at_ - Clock::now()).count();
    return static_cast<int>(std::max<std::int64_t>(0, left));
}

void Relay::take_signals()
{
    while (const auto signal = signals_->take()) {
        if (*signal == SIGWINCH || *signal == SIGCONT) {
            if (raw_) {
                raw_->enter();  // a shell puts its terminal back while a job is stopped
                send_size();
            }
        } else {
            control_.send({{"signal", *signal}});
            if (*signal == SIGINT) {
                on_interrupt();
            } else if (raw_ && (*signal == SIGTERM || *signal == SIGHUP)) {
                on_farewell(*signal);
            }
        }
    }
    if (leaves_at_ && Clock::now() >= *leaves_at_) {
        hung_up_ = CommandEnd{exit_code_of_signal(leaves_by_), std::nullopt};
    }
}

}  // namespace

CommandEnd relay(CommandStreams command, const UserStreams& user, TerminalMode mode, SignalInbox& signals,
                 std::chrono::milliseconds farewell)
{
    return Relay{std::move(command), user, mode, signals, farewell}.run();
}

}  // namespace banger::cli
