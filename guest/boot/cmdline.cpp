// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/cmdline.hpp"

#include <fstream>
#include <iterator>

namespace banger::guest {
namespace {

void set(BootOptions& options, std::string_view key, const std::string& value)
{
    if (key == "banger.root") {
        options.root = value;
    } else if (key == "banger.modules") {
        options.modules = value;
    } else if (key == "banger.work") {
        options.work = value;
    } else if (key == "banger.hostname") {
        options.hostname = value;
    } else if (key == "banger.channel") {
        options.channel = value;
    } else if (key == "banger.init") {
        options.init = value;
    } else if (key == "banger.poweroff") {
        options.reset_to_power_off = value == "reset";
    } else if (key == "banger.probe") {
        options.probe = value == "1";
    } else if (key == "banger.first-boot") {
        options.first_boot = value == "1";
    }
}

}  // namespace

BootOptions parse_cmdline(std::string_view text)
{
    BootOptions options;
    std::string word;
    bool quoted = false;
    const auto take = [&] {
        const auto equals = word.find('=');
        if (equals != std::string::npos) {
            set(options, std::string_view{word}.substr(0, equals), word.substr(equals + 1));
        }
        word.clear();
    };
    for (const char letter : text) {
        if (letter == '"') {
            quoted = !quoted;
        } else if (!quoted && (letter == ' ' || letter == '\t' || letter == '\n')) {
            take();
        } else {
            word.push_back(letter);
        }
    }
    take();
    return options;
}

BootOptions read_cmdline()
{
    std::ifstream file{"/proc/cmdline"};
    return parse_cmdline(std::string{std::istreambuf_iterator<char>{file}, {}});
}

}  // namespace banger::guest
