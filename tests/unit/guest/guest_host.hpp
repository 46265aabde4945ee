// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/unique_fd.hpp"
#include "guest/core/channel.hpp"
#include "guest/core/loop.hpp"
#include "guest/core/server.hpp"
#include "guest/wire/messages.hpp"
#include "guest/wire/mux.hpp"

namespace banger::guest::test {

using namespace std::chrono_literals;

/// A folder that goes with the test.
class TempFolder {
public:
    TempFolder()
    {
        std::string name = (std::filesystem::temp_directory_path() / "banger-guest-test.XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) {
            throw std::runtime_error{"no temporary folder"};
        }
        path_ = name;
    }
    TempFolder(const TempFolder&) = delete;
    TempFolder& operator=(const TempFolder&) = delete;
    ~TempFolder()
    {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::filesystem::path operator/(std::string_view name) const { return path_ / name; }
    std::string str() const { return path_.string(); }

private:
    std::filesystem::path path_;
};

class FakeRole : public Role {
public:
    wire::Hello hello() override { return {"boot", "0", "kernel", "service", false, {}}; }
    bool runs_commands() const override { return runs; }
    bool starting() const override
    {
        ++asked_whether_starting;
        return still_starting;
    }
    wire::ConfigureResult configure(const wire::Configure& configure) override
    {
        configured = configure;
        return {{"a warning"}};
    }
    void shut_down(wire::ShutdownKind kind) override { down = kind; }
    wire::Ready ready() override { return {{{"ready", 1}}}; }

    bool runs{true};
    bool still_starting{false};
    mutable int asked_whether_starting{0};
    std::optional<wire::Configure> configured;
    std::optional<wire::ShutdownKind> down;
};

/// What the host saw of one stream.
struct Seen {
    std::string data;
    bool eof{false};
    std::optional<wire::Opened> opened;
    std::optional<wire::Refused> refused;
    std::vector<wire::StreamMessage> messages;
    std::optional<wire::CloseReason> closed;
    std::size_t data_at_end{0};  ///< bytes that had come when the last message came
    bool stalled{false};         ///< take data, but return no credit
    std::string unsent;

    std::optional<int> code() const { return exited().code; }
    std::optional<int> signal() const { return exited().signal; }
    wire::Exited exited() const
    {
        const auto* found = messages.empty() ? nullptr : std::get_if<wire::Exited>(&messages.back());
        return found != nullptr ? *found : wire::Exited{};
    }
    const wire::CopyDone* copied() const
    {
        return messages.empty() ? nullptr : std::get_if<wire::CopyDone>(&messages.back());
    }
};

/// The host's end of one connection, in the same loop as the guest's.
class FakeHost : private wire::MuxHandler {
public:
    FakeHost(Loop& loop, UniqueFd socket) : loop_{loop}, socket_{std::move(socket)}, mux_{*this, wire::Epoch::random()}
    {
        watch_ = loop_.watch(socket_.get(), EPOLLIN, [this](std::uint32_t) { receive(); });
        loop_.defer([this] { flush(); });
    }

    wire::StreamId open(const wire::OpenRequest& request, wire::StreamId secondary = 0)
    {
        return raw_open(wire::encode(request), secondary);
    }
    wire::StreamId raw_open(wire::ByteView payload, wire::StreamId secondary = 0)
    {
        const auto id = mux_.open(payload, secondary);
        streams[id];
        flush();
        return id;
    }
    /// With stderr of its own in `error`.
    wire::StreamId exec(wire::Exec exec, wire::StreamId* error = nullptr)
    {
        if (error != nullptr) {
            *error = mux_.add_stream();
            exec.stderr_stream = *error;
            streams[*error];
        }
        return open(exec, exec.stderr_stream);
    }
    wire::StreamId shell(const std::string& script, wire::StreamId* error = nullptr)
    {
        return exec({{"sh", "-c", script}, {}, "/", "", {}, false, 0}, error);
    }
    void send(wire::StreamId id, const std::string& text)
    {
        streams[id].unsent += text;
        on_writable(id);
        flush();
    }
    void end(wire::StreamId id)
    {
        mux_.end(id);
        flush();
    }
    void message(wire::StreamId id, const wire::StreamMessage& message) { raw_message(id, wire::encode(message)); }
    void raw_message(wire::StreamId id, wire::ByteView payload)
    {
        mux_.message(id, payload);
        flush();
    }
    void close(wire::StreamId id)
    {
        mux_.close(id);
        flush();
    }
    void request(std::uint64_t id, const wire::RequestBody& body)
    {
        control(wire::encode(wire::Control{wire::Request{id, body}}));
    }
    void control(wire::ByteView payload)
    {
        mux_.control(payload);
        flush();
    }
    /// As a host that is killed.
    void vanish()
    {
        watch_.reset();
        socket_.reset();
    }
    bool synced() const { return mux_.synced(); }
    const wire::ResponseBody* response(std::uint64_t id) const
    {
        for (const auto& control : controls) {
            const auto* response = std::get_if<wire::Response>(&control);
            if (response != nullptr && response->id == id) {
                return &response->body;
            }
        }
        return nullptr;
    }

    std::map<wire::StreamId, Seen> streams;
    std::vector<wire::Control> controls;
    std::string lost;

private:
    void receive()
    {
        std::array<std::uint8_t, 65536> buffer;  // NOLINT: filled by read
        const auto count = ::recv(socket_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
        if (count == 0 || (count < 0 && errno != EAGAIN)) {
            watch_.reset();
            lost = "closed";
            return;
        }
        mux_.feed(wire::ByteView{buffer}.first(static_cast<std::size_t>(std::max<ssize_t>(count, 0))));
        flush();
    }
    void flush()
    {
        while (socket_ && mux_.wants_write()) {
            const auto out = mux_.output();
            const auto count = ::send(socket_.get(), out.data(), out.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            if (count <= 0) {
                break;
            }
            mux_.sent(static_cast<std::size_t>(count));
        }
        watch_.set_events(mux_.wants_write() ? EPOLLIN | EPOLLOUT : EPOLLIN);
    }

    void on_synced(wire::ByteView) override {}
    void on_lost(std::string_view why) override { lost = why; }
    void on_control(wire::ByteView payload) override { controls.push_back(wire::decode_control(payload)); }
    void on_open(wire::StreamId, wire::ByteView) override {}
    void on_opened(wire::StreamId id, wire::ByteView payload) override
    {
        streams[id].opened = wire::decode_opened(payload);
    }
    void on_refused(wire::StreamId id, wire::ByteView payload) override
    {
        streams[id].refused = wire::decode_refused(payload);
    }
    void on_data(wire::StreamId id, wire::ByteView data) override
    {
        streams[id].data.append(data.begin(), data.end());
        if (!streams[id].stalled) {
            mux_.consume(id, data.size());
        }
    }
    void on_eof(wire::StreamId id) override { streams[id].eof = true; }
    void on_writable(wire::StreamId id) override
    {
        auto& text = streams[id].unsent;
        const wire::ByteView view{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
        text.erase(0, mux_.write(id, view));
    }
    void on_message(wire::StreamId id, wire::ByteView payload) override
    {
        streams[id].messages.push_back(wire::decode_message(payload));
        streams[id].data_at_end = streams[id].data.size();
    }
    void on_closed(wire::StreamId id, wire::CloseReason reason) override { streams[id].closed = reason; }

    Loop& loop_;
    UniqueFd socket_;
    wire::Mux mux_;
    Loop::Watch watch_;
};

/// A Server behind a socket, and hosts that connect to it.
class GuestAndHost {
public:
    GuestAndHost()
    {
        ::signal(SIGPIPE, SIG_IGN);  // as main() does
        loop.after_each_round([this] {
            if (condition_ && condition_()) {
                loop.quit();
            }
        });
        UniqueFd listener{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
        address_.sun_family = AF_UNIX;
        (folder / "channel").string().copy(address_.sun_path, sizeof address_.sun_path - 1);
        if (::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0 ||
            ::listen(listener.get(), 4) != 0) {
            throw std::runtime_error{"no channel"};
        }
        server = std::make_unique<Server>(loop, role, make_socket_channel(loop, std::move(listener)));
        connect();
    }

    /// A new host; the older one's socket is closed if it still was open.
    void connect()
    {
        host.reset();
        UniqueFd socket{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
        if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0) {
            throw std::runtime_error{"no connection"};
        }
        host = std::make_unique<FakeHost>(loop, std::move(socket));
        if (!wait([this] { return host->synced(); })) {
            throw std::runtime_error{"no handshake"};
        }
    }

    /// Runs both until `condition` holds; false after `limit`.
    [[nodiscard]] bool wait(std::function<bool()> condition, std::chrono::milliseconds limit = 20s)
    {
        bool late = false;
        const auto timer = loop.after(limit, [&] {
            late = true;
            loop.quit();
        });
        condition_ = std::move(condition);
        loop.run();
        condition_ = nullptr;
        return !late;
    }
    /// Until the guest has closed or refused the stream.
    [[nodiscard]] bool wait_end(wire::StreamId id)
    {
        return wait([this, id] { return host->streams[id].closed || host->streams[id].refused; });
    }
    Seen& seen(wire::StreamId id) { return host->streams[id]; }

    TempFolder folder;
    Loop loop;
    FakeRole role;
    std::unique_ptr<Server> server;
    std::unique_ptr<FakeHost> host;

private:
    sockaddr_un address_{};
    std::function<bool()> condition_;
};

}  // namespace banger::guest::test
