// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/copy/transfer.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "cli/view/output.hpp"
#include "common/pipe.hpp"

namespace banger::cli {
namespace {

using Bytes = std::vector<std::uint8_t>;

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

/// The two descriptors of a copy.
struct Channel {
    UniqueFd stream;
    UniqueFd control;
};

template <typename Ends>
Channel channel_of(Ends&& ends)
{
    auto& [stream, control] = ends;
    return {bus::take_fd(std::move(stream)), bus::take_fd(std::move(control))};
}

/// Waits for the guest's last word; throws it when it is an error.
void await_end(const Channel& channel)
{
    std::array<char, 65536> packet{};
    ssize_t got = 0;
    do {
        got = ::recv(channel.control.get(), packet.data(), packet.size(), 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        throw Error{ErrorCode::Unavailable, "bangerd ended during the copy"};
    }
    const auto answer = nlohmann::json::parse(packet.data(), packet.data() + got, nullptr, false);
    if (!answer.is_object()) {
        throw Error{ErrorCode::CorruptData, "the end of the copy can't be read; it may not be whole"};
    }
    if (answer.contains("error")) {
        const auto code = error_code_of(answer.value("error", ""));
        throw Error{code.value_or(ErrorCode::Failed), answer.value("message", "the copy failed in the guest")};
    }
}

TargetKind kind_of(const std::string& word)
{
    return word == "file"        ? TargetKind::File
           : word == "directory" ? TargetKind::Folder
           : word == "absent"    ? TargetKind::Absent
                                 : TargetKind::Other;
}

ssize_t read_some(int fd, std::vector<char>& block)
{
    ssize_t got = 0;
    do {
        got = ::read(fd, block.data(), block.size());
    } while (got < 0 && errno == EINTR);
    return got;
}

bool ends_a_copy(int signal) { return signal == SIGINT || signal == SIGTERM || signal == SIGHUP || signal == SIGQUIT; }

/// Until the pipe's other end is closed, or one of the signals comes.
std::optional<int> wait_for_end(const UniqueFd& pipe, SignalInbox& signals)
{
    for (;;) {
        std::array<pollfd, 2> polls{{{pipe.get(), POLLIN, 0}, {signals.fd(), POLLIN, 0}}};
        if (::poll(polls.data(), polls.size(), -1) < 0 && errno != EINTR) {
            throw errno_error("can't wait for the copy", errno);
        }
        while (const auto signal = signals.take()) {
            if (ends_a_copy(*signal)) {
                return signal;
            }
        }
        if (polls[0].revents != 0) {
            return std::nullopt;
        }
    }
}

/// pack_lists() on a thread of its own: a guest that takes nothing would hold it for ever, and a signal that is held back ends no write.
std::optional<int> pack_under_watch(int stream, const std::vector<FileList>& lists, const Passed& passed,
                                    SignalInbox& signals)
{
    auto pipe = make_pipe("what is copied");
    const auto ended = std::move(pipe.read);
    auto packing = std::async(std::launch::async, [&lists, &passed, stream, alive = std::move(pipe.write)]() mutable {
        const auto held = std::move(alive);  // closed as this returns
        pack_lists(stream, lists, passed);
    });
    const auto signal = wait_for_end(ended, signals);
    if (signal) {
        ::shutdown(stream, SHUT_RDWR);
        packing.wait();
        return signal;
    }
    packing.get();
    return std::nullopt;
}

}  // namespace

PathKind kind_on_host(const std::string& path)
{
    struct stat status {};
    if (::lstat(path.c_str(), &status) < 0) {
        if (errno == ENOENT || errno == ENOTDIR) {
            return {};
        }
        throw errno_error(path, errno);
    }
    PathKind kind{.exists = true, .is_link = S_ISLNK(status.st_mode)};
    if (::stat(path.c_str(), &status) == 0) {
        kind.followed = S_ISREG(status.st_mode)   ? TargetKind::File
                        : S_ISDIR(status.st_mode) ? TargetKind::Folder
                                                  : TargetKind::Other;
    }
    return kind;
}

PathKind kind_in_guest(VmProxy& vm, const std::string& path)
{
    std::string answer;
    try {
        answer = translated([&] { return vm.Query("stat", bytes_of(path)); });
    } catch (const Error& error) {
        if (error.code() == ErrorCode::NotFound) {
            return {};
        }
        throw;
    }
    const auto json = nlohmann::json::parse(answer, nullptr, false);
    const auto word = [&json](const char* key) {
        return json.is_object() ? json.value(key, std::string{"absent"}) : std::string{"absent"};
    };
    return {
        .followed = kind_of(word("target")), .exists = word("type") != "absent", .is_link = word("type") == "symlink"};
}

void copy_in(VmProxy& vm, const std::string& source_text, const std::string& target_text, const CopyOptions& options,
             const Passed& passed)
{
    const auto source = parse_copy_path(source_text);
    const auto kind = kind_on_host(source_text);
    if (!kind.exists) {
        throw Error{ErrorCode::NotFound, "there is no " + source_text + " on this host"};
    }
    const bool follows = options.links == SourceLinks::Follow || source.wants_contents || source.wants_folder;
    const bool is_folder = kind.followed == TargetKind::Folder && (follows || !kind.is_link);
    const auto target = parse_copy_path(target_text);
    const auto placement = place(source, is_folder, target, kind_in_guest(vm, target.path).followed, options.many);
    const auto channel = translated([&] { return channel_of(vm.CopyIn(bytes_of(placement.folder))); });
    try {
        pack(channel.stream.get(), source.path, {source.name, placement.name}, options.owners,
             follows ? SourceLinks::Follow : SourceLinks::Keep, passed);
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Unavailable) {
            await_end(channel);  // it knows better why
        }
        throw;
    }
    ::shutdown(channel.stream.get(), SHUT_WR);
    await_end(channel);
}

void copy_out(VmProxy& vm, const std::string& source_text, const std::string& target_text, const CopyOptions& options,
              const Passed& passed)
{
    const auto source = parse_copy_path(source_text);
    const auto kind = kind_in_guest(vm, source.path);
    if (!kind.exists) {
        throw Error{ErrorCode::NotFound, "there is no " + source.path + " in the VM"};
    }
    const bool follows = kind.is_link && (source.wants_contents || source.wants_folder);
    const bool is_folder = kind.followed == TargetKind::Folder && (follows || !kind.is_link);
    const auto target = parse_copy_path(target_text);
    const auto target_kind = kind_on_host(target.path);
    // A symlink to a file that stands where the copy goes is replaced, unlike by cp(1): an earlier copy may have brought it, and a guest
    // chose where it leads.
    const auto placement = place(source, is_folder, target, target_kind.followed, options.many);
    if (kind_on_host(placement.folder).followed != TargetKind::Folder) {
        throw Error{ErrorCode::NotFound, "there is no folder " + placement.folder + " on this host"};
    }
    // Behind `/.` the guest names members from the folder itself on.
    const auto asked = follows ? source.path + "/." : source.path;
    const auto channel = translated([&] { return channel_of(vm.CopyOut(bytes_of(asked))); });
    unpack(channel.stream.get(), placement.folder, {follows ? "" : source.name, placement.name}, options.owners,
           passed);
    await_end(channel);
}

std::optional<int> copy_lists_in(VmProxy& vm, const std::string& folder, const std::vector<FileList>& lists,
                                 const Passed& passed, SignalInbox* signals)
{
    const auto channel = translated([&] { return channel_of(vm.CopyIn(bytes_of(folder))); });
    try {
        if (signals == nullptr) {
            pack_lists(channel.stream.get(), lists, passed);
        } else if (const auto signal = pack_under_watch(channel.stream.get(), lists, passed, *signals)) {
            return signal;
        }
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Unavailable) {
            await_end(channel);
        }
        throw;
    }
    ::shutdown(channel.stream.get(), SHUT_WR);
    await_end(channel);
    return std::nullopt;
}

void copy_out_to_inspect(VmProxy& vm, const std::string& folder, const std::string& target, const std::string& name,
                         const Inspection& inspection, const Passed& passed)
{
    const auto source = parse_copy_path(folder);
    const auto channel = translated([&] { return channel_of(vm.CopyOut(bytes_of(source.path))); });
    unpack_to_inspect(channel.stream.get(), target, {source.name, name}, inspection, passed);
    await_end(channel);
}

void stream_in(VmProxy& vm, const std::string& folder)
{
    const auto channel = translated([&] { return channel_of(vm.CopyIn(bytes_of(folder))); });
    std::vector<char> block(archive_block_size);
    for (ssize_t got = 0; (got = read_some(STDIN_FILENO, block)) != 0;) {
        if (got < 0) {
            throw errno_error("can't read standard input", errno);
        }
        std::size_t sent = 0;
        while (sent < static_cast<std::size_t>(got)) {
            const auto some =
                ::send(channel.stream.get(), block.data() + sent, static_cast<std::size_t>(got) - sent, MSG_NOSIGNAL);
            if (some < 0 && errno != EINTR) {
                await_end(channel);
                throw errno_error("the guest takes no more of the copy", errno, ErrorCode::Unavailable);
            }
            sent += some > 0 ? static_cast<std::size_t>(some) : 0;
        }
    }
    ::shutdown(channel.stream.get(), SHUT_WR);
    await_end(channel);
}

void stream_out(VmProxy& vm, const std::string& path)
{
    if (is_shown()) {
        throw Error{ErrorCode::InvalidArgument,
                    "a tar archive is nothing for a terminal; send it into a file or a pipe"};
    }
    const auto channel = translated([&] { return channel_of(vm.CopyOut(bytes_of(path))); });
    std::vector<char> block(archive_block_size);
    for (ssize_t got = 0; (got = read_some(channel.stream.get(), block)) != 0;) {
        if (got < 0) {
            throw errno_error("can't read from the guest", errno, ErrorCode::Unavailable);
        }
        print({block.data(), static_cast<std::size_t>(got)});
    }
    await_end(channel);
}

}  // namespace banger::cli
