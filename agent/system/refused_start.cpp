// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/refused_start.hpp"

#include <systemd/sd-bus.h>

#include <string>

#include "common/c_ptr.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr auto bus_name = "dev.banger.Agent1";
constexpr std::uint64_t call_limit_us = 5'000'000;

struct Answer {
    std::string name;
    std::string sentence;
};

int answer_call(sd_bus_message* message, void* data, sd_bus_error*) noexcept
{
    if (sd_bus_message_is_method_call(message, nullptr, nullptr) <= 0) {
        return 0;
    }
    const auto& answer = *static_cast<Answer*>(data);
    const sd_bus_error error{answer.name.c_str(), answer.sentence.c_str(), 0};
    return sd_bus_reply_method_error(message, &error) < 0 ? 0 : 1;
}

}  // namespace

// Where the bus has systemd start us, it hears nothing of a unit that fails: dbus-daemon 1.14 then lets its callers wait for the
// name, and who calls in the next two minutes waits with them. The bus hands over what has waited before it answers ReleaseName.
void answer_waiting_calls(const Error& reason) noexcept
try {
    Answer answer{std::string{error_info(reason.code()).dbus_name}, to_utf8(reason.what())};
    sd_bus* opened = nullptr;
    if (sd_bus_open_user(&opened) < 0) {
        return;
    }
    const c_ptr<sd_bus, sd_bus_flush_close_unref> bus{opened};
    if (sd_bus_set_method_call_timeout(bus.get(), call_limit_us) < 0 ||
        sd_bus_add_filter(bus.get(), nullptr, answer_call, &answer) < 0 ||
        sd_bus_request_name(bus.get(), bus_name, 0) < 0 || sd_bus_release_name(bus.get(), bus_name) < 0) {
        return;
    }
    while (sd_bus_process(bus.get(), nullptr) > 0) {
    }
} catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): no memory for a sentence; the callers time out
}

}  // namespace banger::agent
