// SPDX-License-Identifier: GPL-2.0-or-later
// bangerd's whole side of the channel, with a guest that lies and clients who come and go at any moment. Each call has an end, each
// command's client is told one outcome, and no descriptor is left over.
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include <array>
#include <nlohmann/json.hpp>
#include <vector>

#include "agent/system/guest_session.hpp"
#include "agent/system/unix_socket.hpp"
#include "common/text.hpp"
#include "tests/fuzz/mux_script.hpp"

namespace banger::fuzz {
namespace {

using agent::Task;

/// The streams that the calls of Client get, as numbers are given in order.
constexpr wire::StreamId first_command = 2;  // 1 is its stderr

/// A call and what its client got.
struct Call {
    bool ended{false};
    std::vector<UniqueFd> outputs;
    UniqueFd input;
    UniqueFd control;
    std::size_t outcomes{0};
};
using CallPtr = std::shared_ptr<Call>;

Task<void> keep(Task<agent::GuestCommandEnds> task, CallPtr call)
{
    auto ends = co_await task;
    call->input = std::move(ends.input);
    call->control = std::move(ends.control);
    call->outputs.push_back(std::move(ends.output));
    call->outputs.push_back(std::move(ends.error));
}

Task<void> keep(Task<agent::GuestCopyEnds> task, CallPtr call)
{
    auto ends = co_await task;
    call->control = std::move(ends.control);
    call->outputs.push_back(std::move(ends.stream));
}

Task<void> keep(Task<UniqueFd> task, CallPtr call) { call->outputs.push_back(co_await task); }
Task<void> keep(Task<nlohmann::json> task, CallPtr /*call*/) { co_await task; }
Task<void> keep(Task<void> task, CallPtr /*call*/) { co_await task; }

class World {
public:
    World()
    {
        agent::GuestLinkEvents events{
            .ready = [] {},
            .goodbye = [](agent::GuestGoodbye) {},
            .failed = [](const std::string& why) { demand(to_utf8(why) == why, "a reason is UTF-8"); }};
        session_ = std::make_unique<agent::GuestSession>(
            loop_, agent::GuestDoor{[this] { return connect(); }},
            agent::GuestSettings{.network = {}, .authorized_keys = {"key"}}, std::move(events));
    }

    void begin_calls()
    {
        const agent::Bytes word{'/', 'x'};
        agent::GuestCommand command{
            .argv = {word}, .env = {}, .cwd = {}, .user = "root", .terminal = false, .detached = false};
        begin(session_->exec(command));
        turn();
        begin(session_->copy_out(word));
        begin(session_->copy_in(word));
        command.terminal = true;
        begin(session_->exec(command));
        begin(session_->connect("", 22));
        begin(session_->query("stats", {}));
        begin(session_->shut_down(std::chrono::seconds{1}));
        turn();
    }

    /// Answers the Sync that bangerd sent.
    MuxScript greet(const wire::Bytes& hello)
    {
        wire::Hunter hunter;
        demand(hunter.feed(heard()), "bangerd begins with a Sync");
        const auto epoch = hunter.sync().epoch;
        MuxScript script{epoch};
        say(wire::encode(wire::SyncAck{epoch, wire::version_max, hello}));
        return script;
    }

    /// The guest sends; the loop turns. What it is sent is read, and forgotten.
    void say(ByteView bytes)
    {
        while (!bytes.empty() && guest_) {
            const auto sent = ::send(guest_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            bytes = sent > 0 ? bytes.subspan(static_cast<std::size_t>(sent)) : bytes;
            turn();
            if (sent <= 0 && heard().empty()) {
                break;  // it is gone, or waits for its clients
            }
        }
        turn();
        heard();
    }

    void turn()
    {
        constexpr int most = 10'000;
        for (int i = 0; sd_event_run(loop_.get(), 0) > 0; ++i) {
            demand(i < most, "the loop comes to rest");
        }
    }

    const CallPtr& call(std::size_t index) const { return calls_[index % calls_.size()]; }
    bool has_calls() const noexcept { return !calls_.empty(); }

    void client_reads(Call& call)
    {
        std::array<char, 4096> buffer{};
        for (auto& output : call.outputs) {
            ssize_t got = 1;
            while (output && (got = ::recv(output.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0) {
                turn();
            }
            if (got == 0) {
                output.reset();
            }
        }
        ssize_t got = 0;
        while (call.control && (got = ::recv(call.control.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0) {
            const auto packet = nlohmann::json::parse(buffer.data(), buffer.data() + got, nullptr, false);
            demand(packet.contains("exit") || packet.contains("signal") || packet.contains("error"),
                   "an outcome is JSON");
            demand(++call.outcomes == 1, "a client is told one outcome");
        }
        if (call.control && got == 0) {
            call.control.reset();
            demand(call.outcomes == 1, "a client who waits is told the outcome");
        }
        turn();
    }

    void end_session()
    {
        session_.reset();
        turn();
        for (const auto& call : calls_) {
            demand(call->ended, "a call ends with the session at the latest");
            constexpr int most = 3;  // outputs, then the outcome, then its end
            for (int i = 0; i < most; ++i) {
                client_reads(*call);
            }
            demand(!call->control, "a client is told the outcome after all output");
        }
    }

    void drop_session() { session_.reset(); }
    void drop_guest() { guest_.reset(); }

private:
    UniqueFd connect()
    {
        if (connected_) {
            throw Error{ErrorCode::Unavailable, "not again"};
        }
        connected_ = true;
        auto pair = agent::make_socket_pair(SOCK_STREAM);
        guest_ = std::move(pair.theirs);
        return std::move(pair.ours);
    }

    wire::Bytes heard()
    {
        wire::Bytes all;
        std::array<std::uint8_t, 65536> buffer;  // NOLINT: filled by recv
        ssize_t got = 0;
        while (guest_ && (got = ::recv(guest_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT)) > 0) {
            all.insert(all.end(), buffer.begin(), buffer.begin() + got);
            turn();
        }
        return all;
    }

    template <typename T>
    void begin(Task<T> task)
    {
        const auto call = std::make_shared<Call>();
        calls_.push_back(call);
        agent::spawn(keep(std::move(task), call), [call](std::exception_ptr) {
            demand(!call->ended, "a call ends once");
            call->ended = true;
        });
    }

    EventLoop loop_;
    bool connected_{false};
    UniqueFd guest_;
    std::vector<CallPtr> calls_;
    std::unique_ptr<agent::GuestSession> session_;
};

wire::Bytes hello_of(std::uint8_t choice)
{
    return wire::encode(wire::Hello{"boot", "1", "6.1", "service", (choice & 1U) != 0, {}});
}

/// What a guest may say when it means well; here it comes at any time.
wire::Bytes sound_payload(wire::FrameType type, std::uint8_t choice)
{
    using namespace wire;
    if (type == FrameType::Opened) {
        return encode(Opened{choice});
    }
    if (type == FrameType::Refused) {
        return encode(Refused{static_cast<RefusedCode>(choice % 8), "no"});
    }
    if (type == FrameType::Message) {
        return (choice & 1U) != 0 ? encode(StreamMessage{Exited{choice / 2, {}}})
                                  : encode(StreamMessage{CopyDone{1, 2, choice > 100 ? "a \xff path" : ""}});
    }
    switch (choice % 5) {
        case 0:
            return encode(Control{Ready{{{"kernel", 1}}}});
        case 1:
            return encode(Control{Bye{ShutdownKind::Reboot}});
        case 2:
            return encode(Control{BootFailed{"no \xff disk"}});
        case 3:
            return encode(Control{Response{choice / 5U, Failure{"can\xfft"}}});
        default:
            return encode(Control{Response{choice / 5U, StatsResult{}}});
    }
}

void sound_step(MuxScript& script, Choices& choices)
{
    constexpr std::array types{wire::FrameType::Control, wire::FrameType::Opened, wire::FrameType::Refused,
                               wire::FrameType::Message, wire::FrameType::Data,   wire::FrameType::Eof,
                               wire::FrameType::Close,   wire::FrameType::Reset};
    const auto type = types[choices.byte() % types.size()];
    const auto stream = choices.byte() % MuxScript::streams;
    if (type == wire::FrameType::Data) {
        script.frame(stream, type, 0, wire::Bytes(choices.number() % wire::max_payload, 'x'));
    } else if (type == wire::FrameType::Eof || type == wire::FrameType::Close || type == wire::FrameType::Reset) {
        script.frame(stream, type, 0, {});
    } else {
        script.frame(type == wire::FrameType::Control ? 0 : stream, type, 0, sound_payload(type, choices.byte()));
    }
}

void client_step(World& world, Choices& choices)
{
    auto& call = *world.call(choices.byte());
    switch (choices.byte() % 5) {
        case 0:
            world.client_reads(call);
            break;
        case 1:
            call.control.reset();
            break;
        case 2:
            call.outputs.clear();
            break;
        case 3:
            call.input.reset();
            break;
        default: {
            const auto packet = choices.text();
            if (call.control && !packet.empty()) {  // an empty one is a hang-up
                ::send(call.control.get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            }
            if (call.input) {
                ::send(call.input.get(), packet.data(), packet.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
            }
        }
    }
    world.turn();
}

void check(Choices choices)
{
    constexpr std::uint8_t early_calls = 2;
    constexpr std::uint8_t bad_hello = 4;
    World world;
    const auto mode = choices.byte();
    if ((mode & early_calls) != 0) {
        world.begin_calls();
    }
    auto script = world.greet((mode & bad_hello) != 0 ? wire::Bytes{1, 2, 3} : hello_of(mode));
    if ((mode & early_calls) == 0) {
        world.begin_calls();
    }
    bool sound = (mode & bad_hello) == 0;
    std::size_t said = 0;
    while (choices.any()) {
        const auto kind = choices.byte() % 8;
        if (kind < 4) {
            sound_step(script, choices);
        } else if (kind < 6) {
            client_step(world, choices);
        } else if (kind == 6) {
            add_step(script, choices, wire::FrameType::Control);
            sound = false;  // it may end within a frame
        }
        if (kind != 3) {  // else it goes out together with the next step's
            world.say(ByteView{script.bytes()}.subspan(said));
            said = script.bytes().size();
        }
        if (kind == 7) {
            choices.byte() % 2 == 0 ? world.drop_guest() : world.drop_session();
            sound = false;
        }
    }
    if (sound) {
        script.frame(first_command, wire::FrameType::Close, 0, {});
        world.say(ByteView{script.bytes()}.subspan(said));
        demand(world.call(0)->ended, "a call ends with its stream");
    }
    world.end_session();
}

}  // namespace
}  // namespace banger::fuzz

/// Shape: a mode, then steps of the guest and of the clients.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const banger::UniqueFd before{::dup(STDERR_FILENO)};
    const int lowest = before.get();
    {
        banger::fuzz::check(banger::fuzz::Choices{{data, size}});
    }
    const banger::UniqueFd after{::dup(STDERR_FILENO)};
    banger::fuzz::demand(after.get() == lowest + 1, "no descriptor is left over");
    return 0;
}
