// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/wire/messages.hpp"

#include "guest/wire/cbor.hpp"
#include "guest/wire/names.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace banger::wire {
namespace {

using nlohmann::json;

constexpr Names<RefusedCode, 8> refused_names{{{{RefusedCode::NotFound, "not-found"},
                                                {RefusedCode::NotRunnable, "not-runnable"},
                                                {RefusedCode::BadDirectory, "bad-directory"},
                                                {RefusedCode::BadUser, "bad-user"},
                                                {RefusedCode::Unreachable, "unreachable"},
                                                {RefusedCode::Limit, "limit"},
                                                {RefusedCode::BadRequest, "bad-request"},
                                                {RefusedCode::Failed, "failed"}}}};

constexpr std::uint16_t max_cells = 4096;
constexpr int max_signal = 64;

/// A window larger than the other side takes is told as large as it takes.
json terminal_map(const Terminal& terminal)
{
    return {{"rows", std::min(terminal.rows, max_cells)}, {"columns", std::min(terminal.columns, max_cells)}};
}

Terminal terminal_of(const Fields& fields)
{
    return {fields.number<std::uint16_t>("rows", 0, max_cells), fields.number<std::uint16_t>("columns", 0, max_cells)};
}

json map_of(const Exec& exec)
{
    json map{{"kind", "exec"},
             {"argv", byte_strings(exec.argv)},
             {"env", byte_strings(exec.environment)},
             {"user", byte_string(exec.user)},
             {"detached", exec.detached},
             {"stderr", exec.stderr_stream}};
    if (exec.directory) {
        map["cwd"] = byte_string(*exec.directory);
    }
    if (exec.terminal) {
        map["tty"] = terminal_map(*exec.terminal);
    }
    if (exec.stop_signal != 0) {
        map["stop-signal"] = exec.stop_signal;
    }
    return map;
}

json map_of(const Connect& connect) { return {{"kind", "connect"}, {"host", connect.host}, {"port", connect.port}}; }

json map_of(const CopyIn& copy)
{
    json map{{"kind", "copy-in"}, {"directory", byte_string(copy.directory)}};
    if (copy.rename) {
        map["rename"] = byte_string(*copy.rename);
    }
    return map;
}

json map_of(const CopyOut& copy)
{
    return {{"kind", "copy-out"}, {"path", byte_string(copy.path)}, {"contents", copy.contents}};
}

std::string absolute(const Fields& fields, std::string_view name)
{
    auto path = fields.bytes(name);
    if (path.empty() || path.front() != '/') {
        bad_field(name, "is not an absolute path");
    }
    return path;
}

/// One name, which leads nowhere else.
std::string single_component(const Fields& fields, std::string_view name)
{
    auto component = fields.bytes(name);
    if (component.empty() || component == "." || component == ".." || component.find('/') != std::string::npos) {
        bad_field(name, "is not a file name");
    }
    return component;
}

Exec exec_of(const Fields& fields)
{
    Exec exec;
    exec.argv = fields.byte_list("argv");
    if (exec.argv.empty() || exec.argv.front().empty()) {
        bad_field("argv", "is empty");
    }
    exec.environment = fields.byte_list("env");
    exec.user = fields.bytes("user");
    exec.detached = fields.flag("detached");
    exec.stderr_stream = fields.number<StreamId>("stderr");
    if (fields.has("cwd")) {
        exec.directory = absolute(fields, "cwd");
    }
    if (fields.has("tty")) {
        exec.terminal = terminal_of(fields.map("tty"));
    }
    if (fields.has("stop-signal")) {
        exec.stop_signal = fields.number<int>("stop-signal", 1, max_signal);
    }
    return exec;
}

CopyIn copy_in_of(const Fields& fields)
{
    CopyIn copy{absolute(fields, "directory"), std::nullopt};
    if (fields.has("rename")) {
        copy.rename = single_component(fields, "rename");
    }
    return copy;
}

json map_of(const Signal& signal) { return {{"kind", "signal"}, {"number", signal.number}}; }

json map_of(const WindowSize& window)
{
    json map = terminal_map(window.size);
    map["kind"] = "window-size";
    return map;
}

json map_of(const Exited& exited)
{
    json map{{"kind", "exited"}};
    if (exited.code) {
        map["code"] = *exited.code;
    }
    if (exited.signal) {
        map["signal"] = *exited.signal;
    }
    return map;
}

json map_of(const CopyDone& done)
{
    return {{"kind", "copy-done"}, {"entries", done.entries}, {"bytes", done.bytes}, {"error", sentence(done.error)}};
}

Exited exited_of(const Fields& fields)
{
    Exited exited;
    if (fields.has("code") == fields.has("signal")) {
        bad_field("code", "and signal are both there, or neither is");
    }
    if (fields.has("code")) {
        exited.code = fields.number<int>("code", 0, 255);
    } else {
        exited.signal = fields.number<int>("signal", 1, max_signal);
    }
    return exited;
}

template <typename Variant>
json any_map(const Variant& value)
{
    return std::visit([](const auto& alternative) { return map_of(alternative); }, value);
}

}  // namespace

Bytes encode(const Hello& hello)
{
    return to_bytes({{"boot-id", hello.boot_id},
                     {"version", hello.version},
                     {"kernel", hello.kernel},
                     {"role", hello.role},
                     {"ready", hello.ready},
                     {"capabilities", hello.capabilities}});
}

Hello decode_hello(ByteView payload)
{
    const json map = decode_map(payload);
    const Fields fields{map};
    return {fields.text("boot-id"), fields.text("version"), fields.text("kernel"),
            fields.text("role"),    fields.flag("ready"),   fields.text_list("capabilities")};
}

Bytes encode(const OpenRequest& request) { return to_bytes(any_map(request)); }

OpenRequest decode_open(ByteView payload)
{
    const json map = decode_map(payload);
    const Fields fields{map};
    const auto kind = fields.text("kind");
    if (kind == "exec") {
        return exec_of(fields);
    }
    if (kind == "connect") {
        return Connect{fields.text("host"), fields.number<std::uint16_t>("port", 1)};
    }
    if (kind == "copy-in") {
        return copy_in_of(fields);
    }
    if (kind == "copy-out") {
        return CopyOut{absolute(fields, "path"), fields.flag("contents")};
    }
    bad_field("kind", "names nothing that this version opens");
}

Bytes encode(const Opened& opened) { return to_bytes({{"pid", opened.pid}}); }

Opened decode_opened(ByteView payload)
{
    const json map = decode_map(payload);
    return {Fields{map}.number<std::int64_t>("pid", 0)};
}

Bytes encode(const Refused& refused)
{
    return to_bytes({{"code", refused_names.name(refused.code)}, {"text", sentence(refused.text)}});
}

Refused decode_refused(ByteView payload)
{
    const json map = decode_map(payload);
    const Fields fields{map};
    // A code of a later version still is a refusal.
    return {refused_names.find(fields.text("code")).value_or(RefusedCode::Failed), fields.sentence("text")};
}

Bytes encode(const StreamMessage& message) { return to_bytes(any_map(message)); }

StreamMessage decode_message(ByteView payload)
{
    const json map = decode_map(payload);
    const Fields fields{map};
    const auto kind = fields.text("kind");
    if (kind == "signal") {
        return Signal{fields.number<int>("number", 1, max_signal)};
    }
    if (kind == "window-size") {
        return WindowSize{terminal_of(fields)};
    }
    if (kind == "exited") {
        return exited_of(fields);
    }
    if (kind == "copy-done") {
        return CopyDone{fields.number<std::uint64_t>("entries"), fields.number<std::uint64_t>("bytes"),
                        fields.sentence("error")};
    }
    bad_field("kind", "names no message of this version");
}

}  // namespace banger::wire
