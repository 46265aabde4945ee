// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/confinement.hpp"

#include "common/error.hpp"

namespace banger::agent {

std::vector<std::string> words_to_confine(const std::filesystem::path& program, const VmmNeeds& needs)
{
    if (program.empty()) {
        throw Error{ErrorCode::HostLacks, "banger-confine is not beside bangerd; install banger again"};
    }
    std::vector<std::string> words{program.string()};
    const auto add = [&words](const char* option, const std::vector<std::string>& values) {
        for (const auto& value : values) {
            words.insert(words.end(), {option, value});
        }
    };
    add("--read", needs.read);
    add("--write", needs.write);
    add("--append", needs.append);
    add("--device", needs.devices);
    if (needs.sockets == VmmNeeds::Sockets::Own) {
        words.emplace_back("--sockets");
    }
    if (needs.network != VmmNeeds::Network::Given) {
        words.insert(words.end(), {"--network", needs.network == VmmNeeds::Network::None ? "none" : "host"});
    }
    if (!needs.connect.empty()) {
        words.insert(words.end(), {"--connect", needs.connect});
    }
    words.emplace_back("--");
    return words;
}

std::vector<std::string> confined(const Confine& confine, const VmmNeeds& needs, std::vector<std::string> argv)
{
    if (confine) {
        const auto words = confine(needs);
        argv.insert(argv.begin(), words.begin(), words.end());
    }
    return argv;
}

}  // namespace banger::agent
