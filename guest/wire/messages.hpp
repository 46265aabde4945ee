// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "guest/wire/frame.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// The structured payloads of the wire format. encode() gives CBOR; each decode_…() throws CorruptData for anything
/// that is not whole and well formed, and ignores fields that it does not know.
namespace banger::wire {

// ---- The guest's half of the handshake.

struct Hello {
    std::string boot_id;  ///< of the kernel; another one means that the guest was booted anew
    std::string version;  ///< of banger-guest
    std::string kernel;   ///< uname -r
    std::string role;     ///< "service", "init" or "initrd" (which can't run commands)
    bool ready{false};    ///< a configure was applied in this boot
    std::vector<std::string> capabilities;
};

// ---- Open: what a stream is for.

struct Terminal {
    std::uint16_t rows{24};
    std::uint16_t columns{80};
};

/// Runs a command. The stream is its stdin and stdout (or the terminal); answered by Opened only once it really runs.
struct Exec {
    static constexpr std::size_t most_words =
        4000;                              ///< with the variables: more would pass the limit of values a message
    std::vector<std::string> argv;         ///< not empty; any bytes but NUL
    std::vector<std::string> environment;  ///< "NAME=value", over the guest's defaults
    std::optional<std::string> directory;  ///< absolute; else the user's home
    std::string user;                      ///< name, or uid[:gid]; empty: root
    std::optional<Terminal> terminal;      ///< given: with a terminal
    bool detached{false};                  ///< outlives the connection; no stdin
    StreamId stderr_stream{0};             ///< a secondary stream; 0: stderr is merged into stdout
    int stop_signal{0};                    ///< what a shutdown of the guest begins with; 0: the usual one
};

/// A TCP connection from inside the guest.
struct Connect {
    std::string host{"127.0.0.1"};  ///< an address, IPv4 or IPv6; "localhost" is both of the guest's own
    std::uint16_t port{};
};

/// The host sends a pax tar stream, then end of data; the guest extracts, sends a CopyDone and closes.
struct CopyIn {
    std::string directory;              ///< absolute; it exists
    std::optional<std::string> rename;  ///< replaces the first component of each entry's name
};

/// The guest sends a pax tar stream of `path`, named by its last component, then end of data, a CopyDone, and closes.
struct CopyOut {
    std::string path;      ///< absolute
    bool contents{false};  ///< of a directory: its entries, named from "./", instead of itself
};

using OpenRequest = std::variant<Exec, Connect, CopyIn, CopyOut>;

struct Opened {
    std::int64_t pid{0};  ///< of an Exec
};

enum class RefusedCode { NotFound, NotRunnable, BadDirectory, BadUser, Unreachable, Limit, BadRequest, Failed };

struct Refused {
    RefusedCode code{RefusedCode::Failed};
    std::string text;  ///< a sentence
};

// ---- Messages of a stream.

struct Signal {  ///< host to guest, Exec: to the command's process group
    int number{};
};
struct WindowSize {  ///< host to guest, Exec with a terminal
    Terminal size;
};
struct Exited {  ///< guest to host, Exec: after all output. Exactly one of the two.
    std::optional<int> code;
    std::optional<int> signal;
};
struct CopyDone {  ///< guest to host, the last message of a copy
    std::uint64_t entries{0};
    std::uint64_t bytes{0};  ///< of file contents
    std::string error;       ///< a sentence with the path; empty: all went well
};

using StreamMessage = std::variant<Signal, WindowSize, Exited, CopyDone>;

// ---- Control: requests of the host. Each is answered by one Response of the same id.

struct Ping {};
struct Stat {
    std::string path;
};
struct SshHostKeys {};  ///< makes an ed25519 one where there is none
struct Stats {};
/// Times the guest's own spawn and wait of /bin/true, for a benchmark.
struct SpawnTime {
    std::uint32_t count{11};
};
enum class ShutdownKind { PowerOff, Reboot, Halt };
struct Shutdown {
    ShutdownKind kind{ShutdownKind::PowerOff};
};
struct Clock {
    std::int64_t unix_ns{};
};
struct SyncDisks {};
/// Which ports something listens at.
struct Listeners {};

struct Network {
    std::string mac;                  ///< of the interface; empty: the first one that isn't lo
    std::string address;              ///< "10.0.0.2/30"
    std::string gateway;              ///< empty: no default route
    std::vector<std::string> dns;     ///< addresses
    std::vector<std::string> search;  ///< domains
};
/// A machine that the guest is to find by its name.
struct HostEntry {
    std::string address;  ///< IPv4 or IPv6
    std::string name;     ///< [a-z0-9.-], at most 253
    bool operator==(const HostEntry&) const = default;
};
/// All that it is to find so, in place of those of before.
struct Hosts {
    static constexpr std::size_t most = 500;
    std::vector<HostEntry> entries;
};
/// What the guest needs to know before it is ready. May come again: it replaces what an earlier one set.
struct Configure {
    std::optional<Network> network;            ///< none: only lo
    std::vector<std::string> authorized_keys;  ///< lines for root's authorized_keys
    std::optional<std::int64_t> unix_ns;
    std::string entropy;           ///< seed bytes, at most 512
    std::vector<HostEntry> hosts;  ///< as of Hosts
};

using RequestBody =
    std::variant<Ping, Stat, SshHostKeys, Stats, SpawnTime, Shutdown, Clock, SyncDisks, Configure, Listeners, Hosts>;

struct Request {
    std::uint64_t id{};
    RequestBody body;
};

// ---- Control: answers and events of the guest.

struct Done {};  ///< answers ping, shutdown (begun), clock, sync, hosts
struct StatResult {
    enum class Type { Absent, File, Directory, Symlink, Other };
    Type type{Type::Absent};    ///< of the path itself
    Type target{Type::Absent};  ///< after following links
    std::uint32_t mode{0};      ///< of the target, permission bits
    std::uint64_t size{0};
};
struct SshHostKeysResult {
    std::vector<std::string> keys;  ///< lines of *.pub files
};
struct StatsResult {
    std::uint64_t memory_total{}, memory_available{};  ///< bytes
    std::uint64_t root_total{}, root_available{};      ///< bytes
    std::uint64_t work_total{}, work_available{};      ///< bytes, of /root
    double load{};                                     ///< of one minute
    std::uint64_t uptime_ms{};
    std::uint32_t processes{};
    // Counters since the guest's boot, of its network cards and disks. A guest of an earlier version has none of them.
    std::uint64_t network_received{}, network_sent{};  ///< bytes
    std::uint64_t block_read{}, block_written{};       ///< bytes
};
struct Listener {
    std::string protocol;  ///< "tcp" or "udp"
    std::string address;   ///< of the guest's; "0.0.0.0" and "::" are all
    std::uint16_t port{};
    std::string program;  ///< as ps -o comm calls it; empty: not known
};
struct ListenersResult {
    static constexpr std::size_t most = 800;  ///< more would pass the limit of values a message
    std::vector<Listener> listeners;          ///< at most that many, by port
};
struct SpawnTimeResult {
    std::uint64_t median_ns{};
};
struct ConfigureResult {
    std::vector<std::string> warnings;  ///< what could not be applied, a sentence each
};
struct Failure {
    std::string text;
};

using ResponseBody = std::variant<Done, StatResult, SshHostKeysResult, StatsResult, SpawnTimeResult, ConfigureResult,
                                  Failure, ListenersResult>;

struct Response {
    std::uint64_t id{};
    ResponseBody body;
};

/// After each Configure: commands can run now.
struct Ready {
    std::map<std::string, std::uint64_t> boot_ms;  ///< stage: milliseconds since the kernel began
};
/// The guest is going down, whoever asked.
struct Bye {
    ShutdownKind kind{ShutdownKind::PowerOff};
};
/// The guest can't go on; it powers off next.
struct BootFailed {
    std::string text;
};

using Control = std::variant<Request, Response, Ready, Bye, BootFailed>;

Bytes encode(const Hello& hello);
Bytes encode(const OpenRequest& request);
Bytes encode(const Opened& opened);
Bytes encode(const Refused& refused);
Bytes encode(const StreamMessage& message);
Bytes encode(const Control& control);

Hello decode_hello(ByteView payload);
OpenRequest decode_open(ByteView payload);
Opened decode_opened(ByteView payload);
Refused decode_refused(ByteView payload);
StreamMessage decode_message(ByteView payload);
Control decode_control(ByteView payload);
/// The id of a request that decode_control() does not understand; nullopt when it is not even that.
std::optional<std::uint64_t> request_id(ByteView payload) noexcept;

}  // namespace banger::wire
