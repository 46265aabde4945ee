// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/image_config.hpp"

#include <signal.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string_view>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

using nlohmann::json;

// A command goes to the guest as one message, which has 256 KiB and 4096 values (guest/README.md).
constexpr std::size_t words_limit = 1000;
constexpr std::size_t bytes_limit = std::size_t{128} << 10U;

[[noreturn]] void refuse_config(const std::string& what)
{
    throw Error{ErrorCode::CorruptData, "the image's configuration can't be used: " + what};
}

/// Counts what a command is made of.
class Measure {
public:
    const std::string& text(const std::string& member, const json& value)
    {
        if (!value.is_string()) {
            refuse_config(member + " is no text");
        }
        const auto& text = value.get_ref<const std::string&>();
        if (text.find('\0') != std::string::npos) {
            refuse_config(member + " has a NUL in it");
        }
        bytes_ += text.size();
        if (++words_ > words_limit || bytes_ > bytes_limit) {
            refuse_config("it has more than 1,000 words or 128 KiB");
        }
        return text;
    }

private:
    std::size_t words_{0};
    std::size_t bytes_{0};
};

/// null, as many tools write it, is none.
const json* oci_member(const json& object, const char* name)
{
    const auto at = object.find(name);
    return at == object.end() || at->is_null() ? nullptr : &*at;
}

std::vector<std::string> texts(Measure& measure, const json& object, const char* name)
{
    std::vector<std::string> list;
    const auto* value = oci_member(object, name);
    if (value == nullptr) {
        return list;
    }
    if (!value->is_array()) {
        refuse_config(std::string{name} + " is no list");
    }
    for (const auto& word : *value) {
        list.push_back(measure.text(name, word));
    }
    return list;
}

/// An empty one is none, and counts as none.
std::string one_text(Measure& measure, const json& object, const char* name)
{
    const auto* value = oci_member(object, name);
    if (value == nullptr || (value->is_string() && value->get_ref<const std::string&>().empty())) {
        return {};
    }
    return measure.text(name, *value);
}

/// {"80/tcp": {}}: a set, as Go writes it.
std::vector<std::string> keys_of(Measure& measure, const json& object, const char* name)
{
    std::vector<std::string> keys;
    const auto* value = oci_member(object, name);
    if (value == nullptr) {
        return keys;
    }
    if (!value->is_object()) {
        refuse_config(std::string{name} + " is no object");
    }
    for (const auto& item : value->items()) {
        keys.push_back(measure.text(name, json(item.key())));
    }
    return keys;
}

struct SignalName {
    std::string_view name;
    int number;
};
constexpr std::array signal_names{
    SignalName{"HUP", SIGHUP},   SignalName{"INT", SIGINT},   SignalName{"QUIT", SIGQUIT},
    SignalName{"KILL", SIGKILL}, SignalName{"USR1", SIGUSR1}, SignalName{"USR2", SIGUSR2},
    SignalName{"PIPE", SIGPIPE}, SignalName{"ALRM", SIGALRM}, SignalName{"TERM", SIGTERM},
    SignalName{"CONT", SIGCONT}, SignalName{"STOP", SIGSTOP}, SignalName{"WINCH", SIGWINCH},
    SignalName{"ABRT", SIGABRT}, SignalName{"PWR", SIGPWR},
};
constexpr int greatest_signal = 64;
constexpr int first_real_time = 34;  // SIGRTMIN of Linux guests with glibc, whatever it is here; musl has 35

int number_of(std::string_view text)
{
    int number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool whole = problem == std::errc{} && end == text.data() + text.size();
    return whole && number >= 0 && number <= greatest_signal ? number : 0;
}

}  // namespace

json to_json(const ImageConfig& config)
{
    return {{"entrypoint", config.entrypoint},       {"command", config.command},
            {"environment", config.environment},     {"user", config.user},
            {"working_dir", config.working_dir},     {"stop_signal", config.stop_signal},
            {"exposed_ports", config.exposed_ports}, {"systemd", config.systemd}};
}

ImageConfig image_config_of(const json& document)
{
    if (!document.is_object()) {
        refuse_config("it is no object");
    }
    const auto* systemd = oci_member(document, "systemd");
    if (systemd != nullptr && !systemd->is_boolean()) {
        refuse_config("systemd is neither true nor false");
    }
    Measure measure;
    ImageConfig config;
    config.entrypoint = texts(measure, document, "entrypoint");
    config.command = texts(measure, document, "command");
    config.environment = texts(measure, document, "environment");
    config.user = one_text(measure, document, "user");
    config.working_dir = one_text(measure, document, "working_dir");
    config.stop_signal = one_text(measure, document, "stop_signal");
    config.exposed_ports = texts(measure, document, "exposed_ports");
    config.systemd = systemd != nullptr && systemd->get<bool>();
    return config;
}

ImageConfig image_config_of_oci(const json& document)
{
    if (!document.is_object()) {
        refuse_config("it is no object");
    }
    const auto* run = oci_member(document, "config");
    if (run == nullptr) {
        return {};
    }
    if (!run->is_object()) {
        refuse_config("config is no object");
    }
    Measure measure;
    ImageConfig config;
    config.entrypoint = texts(measure, *run, "Entrypoint");
    config.command = texts(measure, *run, "Cmd");
    config.environment = texts(measure, *run, "Env");
    // A variable without a value is what some builders leave behind; a guest refuses it.
    std::erase_if(config.environment, [](const std::string& entry) {
        return entry.find('=') == std::string::npos || entry.front() == '=';
    });
    config.user = one_text(measure, *run, "User");
    config.working_dir = one_text(measure, *run, "WorkingDir");
    if (!config.working_dir.empty() && config.working_dir.front() != '/') {
        config.working_dir.insert(0, 1, '/');  // as of the root, where all of an image begins
    }
    config.stop_signal = one_text(measure, *run, "StopSignal");
    config.exposed_ports = keys_of(measure, *run, "ExposedPorts");
    return image_config_of(to_json(config));  // what can't be read back is to be refused now, and not when all is made
}

int stop_signal_of(const ImageConfig& config)
{
    std::string_view name{config.stop_signal};
    if (const int number = number_of(name); number != 0) {
        return number;
    }
    name.remove_prefix(name.starts_with("SIG") ? 3 : 0);
    const auto known = std::find_if(signal_names.begin(), signal_names.end(),
                                    [name](const SignalName& signal) { return signal.name == name; });
    if (known != signal_names.end()) {
        return known->number;
    }
    if (name.starts_with("RTMIN+")) {
        const int more = number_of(name.substr(6));
        return more > 0 && more <= greatest_signal - first_real_time ? first_real_time + more : 0;
    }
    return name == "RTMIN" ? first_real_time : 0;
}

}  // namespace banger::agent
