// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/exec_session.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "common/error.hpp"
#include "common/pipe.hpp"

namespace banger::guest {
namespace {

using wire::RefusedCode;

/// Above 2, so that the child's dup2 never meets its own source.
UniqueFd above_stdio(UniqueFd fd)
{
    if (fd && fd.get() <= 2) {
        return UniqueFd{::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3)};
    }
    return fd;
}

Pipe make_pipe_above_stdio()
{
    auto pipe = make_pipe("the command");
    return {above_stdio(std::move(pipe.read)), above_stdio(std::move(pipe.write))};
}

winsize window(const wire::Terminal& size) { return {size.rows, size.columns, 0, 0}; }

std::vector<std::string> default_environment(const Account& account, bool terminal)
{
    std::vector<std::string> result{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                                    "HOME=" + account.home,
                                    "USER=" + account.name,
                                    "LOGNAME=" + account.name,
                                    "SHELL=" + account.shell,
                                    "LANG=C.UTF-8"};
    if (terminal) {
        result.emplace_back("TERM=xterm-256color");
    }
    return result;
}

wire::Refused refusal(const SpawnResult& result, const SpawnPlan& plan)
{
    const std::string why = std::strerror(result.error);
    switch (result.step) {
        case SpawnResult::Step::Directory:
            return {RefusedCode::BadDirectory, "The directory " + plan.directory + " can't be entered: " + why};
        case SpawnResult::Step::Account:
            return {RefusedCode::BadUser, "The command can't run as " + plan.account.name + ": " + why};
        case SpawnResult::Step::Exec:
            if (result.error == ENOENT) {
                return {RefusedCode::NotFound, plan.argv.front() + ": not found in the guest"};
            }
            return {RefusedCode::NotRunnable, plan.argv.front() + " can't be run: " + why};
        case SpawnResult::Step::Interpreter:
            return {RefusedCode::NotRunnable, plan.argv.front() + " can't be run: the guest has not its interpreter"};
        case SpawnResult::Step::Session:
            break;
    }
    return {RefusedCode::Failed, "No process for the command: " + why};
}

}  // namespace

ExecSession::ExecSession(Loop& loop, wire::Mux& mux, wire::StreamId stream, const wire::Exec& exec)
    : loop_{loop},
      link_{mux, stream},
      error_link_{mux, exec.stderr_stream},
      detached_{exec.detached},
      stop_signal_{exec.stop_signal},
      sink_{loop, link_},
      source_{loop, link_},
      error_source_{loop, error_link_}
{
    const bool separate = exec.stderr_stream != 0 && !exec.terminal;
    if (!separate) {
        error_link_.cut();
    } else if (!mux.add_stream(exec.stderr_stream)) {
        error_link_.cut();
        link_.refuse({RefusedCode::BadRequest, "The stream for stderr is taken"});
        finished_ = true;
        return;
    }
    try {
        start(exec);
    } catch (const Error& error) {
        give_up(error);
    }
}

void ExecSession::refuse(const wire::Refused& refused)
{
    finished_ = true;
    error_link_.drop();
    link_.refuse(refused);
}

void ExecSession::give_up(const Error& error)
{
    kill_unheard();
    refuse({RefusedCode::Failed, error.what()});
}

/// A command of which nobody has heard that it runs. It may have no group yet.
void ExecSession::kill_unheard() noexcept
{
    signal_group(SIGKILL);
    if (pid_ > 0 && !status_) {
        ::kill(pid_, SIGKILL);
    }
}

ExecSession::~ExecSession()
{
    if (pid_ > 0) {
        loop_.forget_child(pid_);
    }
}

ExecSession::ChildEnds ExecSession::make_terminal(const wire::Terminal& size, const Account& account)
{
    UniqueFd master = above_stdio(UniqueFd{::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)});
    if (!master || ::unlockpt(master.get()) != 0) {
        throw errno_error("No terminal for the command", errno);
    }
    // By the master, not by a path: it works whatever is mounted on /dev/pts.
    UniqueFd slave{above_stdio(UniqueFd{::ioctl(master.get(), TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)})};
    const auto cells = window(size);
    if (!slave || ::ioctl(slave.get(), TIOCSWINSZ, &cells) != 0) {
        throw errno_error("No terminal for the command", errno);
    }
    if (::geteuid() == 0 && ::fchown(slave.get(), account.uid, static_cast<gid_t>(-1)) != 0) {
        throw errno_error("The terminal can't be given to " + account.name, errno);
    }
    input_ = std::move(master);
    output_.reset(::fcntl(input_.get(), F_DUPFD_CLOEXEC, 3));
    set_nonblocking(input_.get());
    UniqueFd output{::fcntl(slave.get(), F_DUPFD_CLOEXEC, 3)};
    UniqueFd error{::fcntl(slave.get(), F_DUPFD_CLOEXEC, 3)};
    return {std::move(slave), std::move(output), std::move(error)};
}

ExecSession::ChildEnds ExecSession::make_pipes(bool separate_error)
{
    ChildEnds child;
    if (detached_) {
        child.input = above_stdio(UniqueFd{::open("/dev/null", O_RDONLY | O_CLOEXEC)});
    } else {
        auto pipe = make_pipe_above_stdio();
        child.input = std::move(pipe.read);
        input_ = std::move(pipe.write);
        set_nonblocking(input_.get());
    }
    auto output = make_pipe_above_stdio();
    child.output = std::move(output.write);
    output_ = std::move(output.read);
    set_nonblocking(output_.get());
    if (separate_error) {
        auto error = make_pipe_above_stdio();
        child.error = std::move(error.write);
        error_ = std::move(error.read);
        set_nonblocking(error_.get());
    } else {
        child.error.reset(::fcntl(child.output.get(), F_DUPFD_CLOEXEC, 3));
    }
    return child;
}

void ExecSession::start(const wire::Exec& exec)
{
    SpawnPlan plan;
    try {
        plan.account = find_account(exec.user);
    } catch (const Error& error) {
        refuse({RefusedCode::BadUser, error.what()});
        return;
    }
    plan.ends_with_parent = !detached_;
    terminal_ = exec.terminal.has_value();
    plan.terminal = terminal_;
    plan.argv = exec.argv;
    plan.environment = merge_environment(default_environment(plan.account, terminal_), exec.environment);
    plan.directory_asked = exec.directory.has_value();
    plan.directory = exec.directory.value_or(plan.account.home);
    const auto child = terminal_ ? make_terminal(*exec.terminal, plan.account) : make_pipes(error_link_.up());
    plan.fds = {child.input.get(), child.output.get(), child.error.get()};
    spawning_ = begin_spawn(plan);
    pid_ = spawning_.pid;
    loop_.on_child(pid_, [this](int status) { ended(status); });
    outcome_watch_ = loop_.watch(spawning_.outcome.get(), EPOLLIN, [this, plan](std::uint32_t) { come_to_run(plan); });
}

void ExecSession::come_to_run(const SpawnPlan& plan)
{
    const auto result = finish_spawn(spawning_);
    outcome_watch_.reset();
    spawning_.outcome.reset();
    if (result.pid < 0) {
        refuse(refusal(result, plan));
        return;
    }
    try {
        started();
    } catch (const Error& error) {
        give_up(error);
        return;
    }
    if (status_) {
        ended(*status_);
    }
}

void ExecSession::started()
{
    if (input_) {
        sink_.start(input_.get(), [this] {
            if (terminal_) {
                const char end_of_file = 4;  // VEOF of a terminal that nobody changed
                (void)!::write(input_.get(), &end_of_file, 1);
            } else {
                input_.reset();
            }
        });
    } else {
        sink_.stop();
    }
    source_.start(output_.get(), [this] {
        link_.end();
        announce_if_done();
    });
    if (error_) {
        error_source_.start(error_.get(), [this] {
            error_link_.end();
            announce_if_done();
        });
    }
    link_.accept({pid_});  // last: until then it can still be refused
}

void ExecSession::on_data(wire::StreamId stream, wire::ByteView data)
{
    if (stream == link_.stream()) {
        sink_.data(data);
    }
}

void ExecSession::on_eof(wire::StreamId stream)
{
    if (stream == link_.stream()) {
        sink_.eof();
    }
}

void ExecSession::on_writable(wire::StreamId stream)
{
    if (stream == link_.stream()) {
        source_.writable();
    } else {
        error_source_.writable();
    }
}

void ExecSession::on_message(const wire::StreamMessage& message)
{
    if (const auto* signal = std::get_if<wire::Signal>(&message)) {
        signal_group(signal->number);
    } else if (const auto* resized = std::get_if<wire::WindowSize>(&message); resized != nullptr && terminal_) {
        const auto cells = window(resized->size);
        ::ioctl(input_.get(), TIOCSWINSZ, &cells);
    }
}

void ExecSession::signal_group(int number) noexcept
{
    if (pid_ > 0 && !status_) {
        ::kill(-pid_, number);
    }
}

void ExecSession::ended(int status)
{
    status_ = status;
    if (spawning_.outcome) {
        return;  // come_to_run() is still to come
    }
    if (!link_.up()) {
        discard_output();
    }
    announce_if_done();
    if (!finished_) {
        timer_ = loop_.after(linger, [this] {
            source_.finish_when_empty();
            error_source_.finish_when_empty();
        });
    }
}

void ExecSession::announce_if_done()
{
    if (finished_ || !status_ || !source_.done() || !error_source_.done()) {
        return;
    }
    finished_ = true;
    timer_.reset();
    sink_.stop();
    wire::Exited exited;
    if (WIFSIGNALED(*status_)) {
        exited.signal = WTERMSIG(*status_);
    } else {
        exited.code = WEXITSTATUS(*status_);
    }
    error_link_.close();
    link_.message(exited);
    link_.close();
}

void ExecSession::on_gone(wire::StreamId stream, Gone how)
{
    if (stream == error_link_.stream()) {
        error_link_.cut();
        error_source_.discard();
        return;
    }
    if (stream != link_.stream() || finished_) {
        return;
    }
    link_.cut();
    error_link_.close();
    if (spawning_.outcome) {
        finished_ = true;
        kill_unheard();
    } else if (detached_ || status_) {
        discard_output();
        announce_if_done();
    } else if (how == Gone::Closed) {
        hang_up();
    } else {
        timer_ = loop_.after(grace, [this] { hang_up(); });
    }
}

/// Nobody listens any more. Output is read on, so that a command which tidies up first does not meet a broken pipe.
void ExecSession::hang_up()
{
    signal_group(SIGHUP);
    discard_output();
    sink_.stop();
    if (!terminal_) {
        input_.reset();
    }
    announce_if_done();
}

void ExecSession::discard_output()
{
    source_.discard();
    error_source_.discard();
}

void ExecSession::on_shutdown()
{
    const int usual = terminal_ ? SIGHUP : SIGTERM;  // an interactive shell ignores SIGTERM
    signal_group(stop_signal_ != 0 ? stop_signal_ : usual);
    signal_group(SIGCONT);
}

}  // namespace banger::guest
