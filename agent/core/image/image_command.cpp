// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/image/image_command.hpp"

#include <utility>

#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

Bytes bytes_of_word(const std::string& text) { return {text.begin(), text.end()}; }

void put_words(std::vector<Bytes>& place, const std::vector<std::string>& words)
{
    for (const auto& word : words) {
        place.push_back(bytes_of_word(word));
    }
}

}  // namespace

void apply_image(GuestCommand& command, const std::optional<ImageConfig>& config, const ImageUse& use,
                 const std::string& image)
{
    const bool runs_itself = config && !config->systemd;
    if (use.own_command && runs_itself && !(config->entrypoint.empty() && config->command.empty())) {
        command.argv.clear();
        put_words(command.argv, config->entrypoint);
        put_words(command.argv, config->command);
    } else if (use.entrypoint && runs_itself && !config->entrypoint.empty()) {
        std::vector<Bytes> argv;
        put_words(argv, config->entrypoint);
        argv.insert(argv.end(), command.argv.begin(), command.argv.end());
        command.argv = std::move(argv);
    }
    if (command.argv.empty() && use.own_command) {
        throw Error{ErrorCode::NotFound, "the image " + shown(image) + " has no command of its own; name one"};
    }
    if (command.argv.empty() || command.argv.front().empty()) {
        throw Error{ErrorCode::InvalidArgument, "there is no command to run"};
    }
    if (!use.settings || !config) {
        return;
    }
    std::vector<Bytes> environment;
    put_words(environment, config->environment);
    environment.insert(environment.end(), command.env.begin(), command.env.end());  // the later one wins in the guest
    command.env = std::move(environment);
    command.user = command.user.empty() ? config->user : command.user;
    command.cwd = command.cwd.empty() ? bytes_of_word(config->working_dir) : command.cwd;
    command.stop_signal = stop_signal_of(*config);
}

}  // namespace banger::agent
