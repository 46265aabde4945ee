// SPDX-License-Identifier: GPL-2.0-or-later
// CBOR payloads: each decoder over each input. What one takes is written out as bytes that it reads back as the same.
#include <nlohmann/json.hpp>

#include "agent/system/guest_answers.hpp"
#include "guest/wire/cbor.hpp"
#include "guest/wire/messages.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

template <typename Decode>
void check(ByteView payload, Decode decode)
{
    taken(
        [&] {
            const auto first = wire::encode(decode(payload));
            demand(first.size() <= wire::max_message, "what fitted a message still does");
            demand(wire::encode(decode(first)) == first, "a message written out is read back the same");
        },
        ErrorCode::CorruptData);
}

/// What an encoder must not be handed, as another thing would be read.
void check_open(const wire::OpenRequest& request)
{
    if (const auto* exec = std::get_if<wire::Exec>(&request)) {
        demand(!exec->argv.empty() && !exec->argv.front().empty(), "a command has a name");
        demand(!exec->directory || exec->directory->starts_with('/'), "a directory is absolute");
    } else if (const auto* copy = std::get_if<wire::CopyIn>(&request)) {
        demand(copy->directory.starts_with('/'), "a target is absolute");
        demand(!copy->rename || (copy->rename->find('/') == std::string::npos && copy->rename != ".."),
               "one component");
    } else if (const auto* source = std::get_if<wire::CopyOut>(&request)) {
        demand(source->path.starts_with('/'), "a source is absolute");
    } else {
        demand(std::get<wire::Connect>(request).port != 0, "a port is not 0");
    }
}

void check_message(const wire::StreamMessage& message)
{
    if (const auto* exited = std::get_if<wire::Exited>(&message)) {
        demand(exited->code.has_value() != exited->signal.has_value(), "a command ends in exactly one way");
    } else if (const auto* signal = std::get_if<wire::Signal>(&message)) {
        demand(signal->number >= 1 && signal->number <= 64, "a signal is 1 to 64");
    }
}

void check_control(const wire::Control& control, std::optional<std::uint64_t> id)
{
    const auto* request = std::get_if<wire::Request>(&control);
    demand(request == nullptr || id == request->id, "the id of a request is found in any case");
    if (const auto* response = std::get_if<wire::Response>(&control)) {
        taken(
            [&] {
                const auto answer = agent::guest_answer(response->body);
                // As Vm.Query sends it.
                demand(!answer.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace).empty(), "JSON");
            },
            ErrorCode::Failed);
    }
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    using namespace banger::fuzz;
    const fuzz::ByteView payload{data, size};
    if (!taken([&] { wire::decode_map(payload); }, ErrorCode::CorruptData)) {
        demand(!wire::request_id(payload), "only a map has an id");
        demand(!taken([&] { wire::decode_control(payload); }, ErrorCode::CorruptData), "only a map is a message");
        return 0;
    }
    check(payload, wire::decode_hello);
    check(payload, wire::decode_opened);
    check(payload, wire::decode_refused);
    check(payload, [](auto bytes) {
        auto request = wire::decode_open(bytes);
        check_open(request);
        return request;
    });
    check(payload, [](auto bytes) {
        auto message = wire::decode_message(bytes);
        check_message(message);
        return message;
    });
    check(payload, [](auto bytes) {
        auto control = wire::decode_control(bytes);
        check_control(control, wire::request_id(bytes));
        return control;
    });
    return 0;
}
