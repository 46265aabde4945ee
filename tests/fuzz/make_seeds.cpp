// SPDX-License-Identifier: GPL-2.0-or-later
// Writes the seeds that are made of frames and messages: make_seeds tests/fuzz/corpus. They are kept in git; run it again when the wire
// format changes.
#include <array>
#include <filesystem>
#include <fstream>
#include <string>

#include "guest/wire/handshake.hpp"
#include "guest/wire/messages.hpp"
#include "tests/fuzz/mux_script.hpp"

namespace banger::fuzz {
namespace {

using wire::Bytes;
using wire::FrameType;

class Folder {
public:
    explicit Folder(const std::filesystem::path& path) : path_{path} { std::filesystem::create_directories(path); }
    void put(const std::string& name, const Bytes& bytes) const
    {
        std::ofstream{path_ / name, std::ios::binary}.write(reinterpret_cast<const char*>(bytes.data()),
                                                            static_cast<std::streamsize>(bytes.size()));
    }

private:
    std::filesystem::path path_;
};

Bytes joined(std::initializer_list<Bytes> parts)
{
    Bytes all;
    for (const auto& part : parts) {
        all.insert(all.end(), part.begin(), part.end());
    }
    return all;
}

// Steps as add_step() reads them.
Bytes frame(std::uint8_t stream, FrameType type, std::uint8_t flags, const Bytes& payload)
{
    return joined(
        {{0, stream, static_cast<std::uint8_t>(type), flags, static_cast<std::uint8_t>(payload.size())}, payload});
}
Bytes big(std::uint8_t stream, std::uint8_t kind, std::uint16_t size)
{
    return {1, stream, kind, static_cast<std::uint8_t>(size >> 8U), static_cast<std::uint8_t>(size)};
}
Bytes credit(std::uint8_t stream, std::uint16_t eighth)
{
    return {2, stream, static_cast<std::uint8_t>(eighth >> 8U), static_cast<std::uint8_t>(eighth)};
}
Bytes sync(std::uint8_t seed) { return {3, seed}; }
Bytes cut(std::uint8_t stream, FrameType type, const Bytes& payload, std::uint8_t lost)
{
    auto bytes = frame(stream, type, 0, payload);
    bytes.front() = 5;
    bytes.push_back(lost);
    return bytes;
}
Bytes bad_end(std::uint8_t stream, FrameType type)
{
    auto bytes = frame(stream, type, 0, {1, 2, 3});
    bytes.front() = 6;
    bytes.push_back(0);
    return bytes;
}
Bytes times(int count, const Bytes& step)
{
    Bytes all;
    for (; count > 0; --count) {
        all.insert(all.end(), step.begin(), step.end());
    }
    return all;
}

const Bytes run{'r', 'u', 'n'};                     // accepted
const Bytes run_two{'r', 'u', 'n', '2', '2', '2'};  // accepted, with a second stream
const Bytes late{'r'};                              // not answered
const Bytes refuse{'r', 'u', 'n', '!'};             // refused

void mux_guest_seeds(const Folder& out)
{
    using enum FrameType;
    const auto open = frame(1, Open, 0, run);
    const Bytes read_all(5, 'x');  // its size says that it is consumed
    out.put("open-data-close",
            joined({{1}, open, frame(1, Data, 0, read_all), frame(1, Eof, 0, {}), frame(1, Close, 0, {})}));
    out.put(
        "refused-and-late",
        joined(
            {{9}, frame(2, Open, 0, refuse), frame(3, Open, 0, late), frame(3, Data, 0, {1}), frame(2, Close, 0, {})}));
    out.put("second-stream",
            joined({{5}, frame(1, Open, 0, run_two), frame(4, Data, 0, read_all), frame(4, Close, 0, {})}));
    out.put("window-filled", joined({{1}, open, times(8, big(1, 0, 32768)), frame(1, Data, 0, {1})}));
    out.put("window-returned", joined({{1}, open, times(12, joined({big(1, 0, 32760), frame(1, Data, 0, read_all)}))}));
    out.put("credit-and-writes",
            joined({{3}, open, frame(2, Open, 0, run), credit(1, 100), credit(2, 65535), credit(1, 1)}));
    out.put("credit-too-much", joined({{1}, open, credit(1, 1)}));
    out.put("message-in-parts", joined({{1}, open, frame(1, Message, 1, {1, 2}), frame(1, Message, 0, {3})}));
    out.put("message-too-long", joined({{1}, open, times(9, big(1, 1, 32768))}));
    out.put("message-not-finished", joined({{1}, open, frame(1, Message, 1, {1}), frame(1, Data, 0, {2})}));
    out.put("host-died-in-frame", joined({{1}, open, cut(1, Data, Bytes(200, 'x'), 150), sync(2), open}));
    out.put("host-died-in-header", joined({{21}, open, cut(1, Data, {}, 9), sync(3), frame(1, Open, 0, run_two)}));
    out.put("host-died-in-sync", joined({{1}, open, {4, 5, 'B', 'n', 'g', 'r', 'S'}, sync(4), open}));
    out.put("bad-end", joined({{1}, open, bad_end(1, Data), sync(5), open}));
    out.put("control",
            joined({{1}, frame(0, Control, 0, wire::encode(wire::Control{wire::Request{1, wire::Ping{}}}))}));
    out.put("twice-open", joined({{1}, open, open}));
    const auto epoch = epoch_of(9);
    MuxScript raw{epoch};
    raw.append(Bytes(40, 0));
    raw.append(wire::encode(wire::Sync{1, 1, epoch}));
    raw.frame(1, Open, 0, run);
    raw.frame(1, Data, 0, read_all);
    out.put("as-it-is", joined({{8}, raw.bytes()}));
    out.put("other-version",
            joined({{8}, wire::encode(wire::Sync{7, 9, epoch}), wire::encode(wire::Sync{1, 9, epoch})}));
}

void mux_host_seeds(const Folder& out)
{
    using enum FrameType;
    const Bytes read_all(5, 'x');
    const auto opened = frame(2, Opened, 0, {1});
    const auto first_three = joined({opened, frame(3, Opened, 0, {1}), frame(4, Opened, 0, {1})});
    out.put("opened-data-closed", joined({{1},
                                          opened,
                                          frame(2, Data, 0, read_all),
                                          frame(1, Data, 0, read_all),
                                          frame(2, Message, 0, {1}),
                                          frame(2, Eof, 0, {}),
                                          frame(2, Close, 0, {})}));
    out.put("refused", joined({{9}, frame(2, Refused, 0, {1}), frame(3, Refused, 0, {1}), frame(1, Data, 0, {1})}));
    out.put("answered-twice", joined({{1}, opened, opened}));
    out.put("refused-after-opened", joined({{1}, opened, frame(2, Refused, 0, {})}));
    out.put("closed-unanswered",
            joined({{17}, frame(2, Close, 0, {}), frame(3, Reset, 0, {}), frame(1, Close, 0, {})}));
    out.put("window-filled", joined({{1}, opened, times(8, big(2, 0, 32768)), frame(2, Data, 0, {1})}));
    out.put("window-returned",
            joined({{1}, opened, times(12, joined({big(2, 0, 32760), frame(2, Data, 0, read_all)}))}));
    out.put("writes",
            joined({{3}, first_three, credit(2, 4000), credit(3, 4000), credit(4, 8), frame(3, Close, 0, {})}));
    out.put("credit-too-much", joined({{3}, first_three, credit(2, 65535)}));
    out.put("host-closes",
            joined({{1}, opened, frame(2, Data, 0, Bytes(10, 'x')), frame(2, Data, 0, {1}), frame(2, Close, 0, {})}));
    out.put("host-resets", joined({{1}, opened, frame(2, Data, 0, Bytes(11, 'x')), frame(2, Message, 0, {1})}));
    out.put("host-ends",
            joined({{3}, opened, frame(2, Data, 0, Bytes(9, 'x')), credit(2, 8), frame(2, Data, 0, Bytes(14, 'x'))}));
    out.put("message-too-long", joined({{1}, opened, times(9, big(0, 1, 32768))}));
    out.put("control", joined({{1}, frame(0, Control, 0, wire::encode(wire::Control{wire::Ready{{{"kernel", 5}}}}))}));
    out.put("guest-restarted", joined({{1}, opened, sync(2)}));
    out.put("guest-only", joined({{1}, frame(1, Open, 0, {1})}));
    out.put("version-9", {5, 9, 0});
    const auto epoch = epoch_of(1);
    MuxScript raw{epoch};
    raw.append(Bytes(40, 0));
    raw.append(wire::encode(wire::SyncAck{epoch_of(2), 1, {1}}));
    raw.append(wire::encode(wire::SyncAck{epoch, 1, {'h', 'i'}}));
    raw.frame(2, Opened, 0, Bytes{1});
    raw.frame(2, Data, 0, read_all);
    out.put("as-it-is", joined({{8}, raw.bytes()}));
    auto damaged = wire::encode(wire::SyncAck{epoch, 1, Bytes(30, 'h')});
    damaged.back() ^= 1U;
    out.put("damaged-ack", joined({{8}, damaged, wire::encode(wire::SyncAck{epoch, 1, {}})}));
}

void message_seeds(const Folder& out)
{
    using namespace wire;
    out.put("hello", encode(Hello{"b5a0", "0.1.0", "6.1.0", "service", true, {"exec", "copy"}}));
    out.put("exec", encode(OpenRequest{Exec{{"/bin/ls", "-l"}, {"A=b"}, "/root", "0:0", Terminal{24, 80}, false, 3}}));
    out.put("connect", encode(OpenRequest{Connect{"::1", 22}}));
    out.put("copy-in", encode(OpenRequest{CopyIn{"/root", "name"}}));
    out.put("copy-out", encode(OpenRequest{CopyOut{"/etc", true}}));
    out.put("opened", encode(Opened{4711}));
    out.put("refused", encode(Refused{RefusedCode::BadUser, "no \xff user"}));
    out.put("signal", encode(StreamMessage{Signal{15}}));
    out.put("window-size", encode(StreamMessage{WindowSize{{50, 132}}}));
    out.put("exited", encode(StreamMessage{Exited{255, {}}}));
    out.put("killed", encode(StreamMessage{Exited{{}, 9}}));
    out.put("copy-done", encode(StreamMessage{CopyDone{3, 1ULL << 40U, "/a: no space"}}));
    const Network network{"52:54:00:00:00:01", "10.0.2.15/24", "10.0.2.2", {"10.0.2.3"}, {"example.org"}};
    const std::array<RequestBody, 11> requests{
        Ping{},
        Stat{"/etc"},
        SshHostKeys{},
        Stats{},
        SpawnTime{},
        Shutdown{},
        Clock{1},
        SyncDisks{},
        Configure{network, {"ssh-ed25519 AAAA a@b"}, 1'700'000'000, std::string("seed\0seed", 9), {}},
        Listeners{},
        Hosts{{{"10.213.0.2", "otter.vm"}, {"fd00::1", "heron.vm"}}}};
    for (const auto& body : requests) {
        out.put("request-" + std::to_string(body.index()), encode(Control{Request{1ULL << 33U, body}}));
    }
    const std::array<ResponseBody, 8> responses{Done{},
                                                StatResult{StatResult::Type::Symlink, StatResult::Type::File, 0644, 12},
                                                SshHostKeysResult{{"ssh-ed25519 AAAA", "\xff"}},
                                                StatsResult{1, 2, 3, 4, 5, 6, 0.29, 7, 8},
                                                SpawnTimeResult{1'000},
                                                ConfigureResult{{"no \xff such"}},
                                                Failure{"can't"},
                                                ListenersResult{{{"tcp", "::1", 22, "sshd"}}}};
    for (const auto& body : responses) {
        out.put("response-" + std::to_string(body.index()), encode(Control{Response{2, body}}));
    }
    out.put("ready", encode(Control{Ready{{{"kernel", 100}, {"init", 200}}}}));
    out.put("bye", encode(Control{Bye{ShutdownKind::Reboot}}));
    out.put("boot-failed", encode(Control{BootFailed{"no disk"}}));
    out.put("deep", Bytes(12, 0x81));
    out.put("endless", joined({{0xbf, 0x61, 'a', 0x9f}, Bytes(40, 0), {0xff, 0xff}}));
    out.put("huge-string", {0xa1, 0x61, 'a', 0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
    out.put("pieces-of-pieces", joined({{0xa1, 0x61, 'a'}, Bytes(32'000, 0x7f)}));
}

/// Steps of guest_session_fuzz.cpp: 0 a sound frame, 4 a client's, 6 as add_step() has it, 7 an end.
void guest_session_seeds(const Folder& out)
{
    constexpr std::uint8_t opened = 1;
    constexpr std::uint8_t message = 3;
    constexpr std::uint8_t data = 4;
    constexpr std::uint8_t eof = 5;
    constexpr std::uint8_t close = 6;
    const Bytes command{0, opened, 2, 7};
    const Bytes some{0, data, 2, 1, 0};
    const Bytes exited{0, message, 2, 7};
    const Bytes ends{0, eof, 2, 0, eof, 1, 0, close, 2};
    const Bytes reads{4, 0, 0};
    out.put("command", joined({{0}, command, some, exited, reads, ends, reads}));
    out.put("early-calls", joined({{2}, command, some, ends, reads}));
    out.put("ready-guest", joined({{1}, {0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 8, 0, 0, 0, 14}}));
    out.put("bad-hello", {4, 0, opened, 2, 7});
    out.put("refused", {0, 0, 2, 2, 0, 0, 2, 3, 1, 0, 2, 4, 2, 0, 2, 5, 3});
    out.put("closed-unanswered", {0, 0, close, 2});
    out.put("data-then-refused", joined({{0}, times(12, {0, data, 2, 0x7f, 0}), {0, 2, 2, 0}, {7, 1}}));
    out.put("data-refused-at-once", joined({{0}, times(12, {3, data, 2, 0x7f, 0}), {3, 2, 2, 0}, {7, 1}}));
    out.put("client-hangs-up", joined({{0}, command, {4, 0, 1}, exited, {4, 0, 0}}));
    out.put("client-closes-output", joined({{0}, command, some, {4, 0, 2}, some, exited}));
    out.put(
        "client-packets",
        joined(
            {{0}, command, {4, 0, 4, 13}, {'{', '"', 's', 'i', 'g', 'n', 'a', 'l', '"', ':', '1', '5', '}'}, exited}));
    out.put("session-dropped", joined({{0}, command, times(12, {0, data, 2, 0x7f, 0}), {7, 1}}));
    out.put("guest-gone", joined({{0}, command, some, {7, 0}, reads}));
    out.put("copies", {0, 0, opened, 3, 1, 0, opened, 4, 1, 0, data, 3, 1, 0, 0, message, 3, 8, 0, message, 4, 202});
    out.put("connection", {0, 0, opened, 6, 1, 0, data, 6, 1, 0, 0, eof, 6, 4, 4, 3, 0, close, 6});
    out.put("odd-frames",
            joined({{0}, command, {6}, frame(2, FrameType::Credit, 0, {1, 0, 0, 0}), {6}, big(0, 1, 100)}));
}

}  // namespace
}  // namespace banger::fuzz

int main(int argc, char** argv)
{
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s CORPUS-FOLDER\n", argv[0]);
        return 2;
    }
    using namespace banger::fuzz;
    const std::filesystem::path corpus{argv[1]};
    mux_guest_seeds(Folder{corpus / "mux_guest"});
    mux_host_seeds(Folder{corpus / "mux_host"});
    message_seeds(Folder{corpus / "messages"});
    guest_session_seeds(Folder{corpus / "guest_session"});
    return 0;
}
