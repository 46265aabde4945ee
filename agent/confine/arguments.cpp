// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/confine/arguments.hpp"

#include <string_view>
#include <utility>

#include "common/error.hpp"

namespace banger::confine {
namespace {

/// A name in the folder, and nothing that leads out of it.
std::string file_name(std::string_view option, std::string_view value)
{
    if (value.empty() || value == "." || value == ".." || value.find('/') != std::string_view::npos) {
        throw Error{
            ErrorCode::InvalidArgument,
            std::string{option} + " wants the name of a file in the VM's folder, not '" + std::string{value} + "'"};
    }
    return std::string{value};
}

/// False: no option with a value.
bool take(Arguments& arguments, std::string_view option, std::string_view value)
{
    if (option == "--read") {
        arguments.read.push_back(file_name(option, value));
    } else if (option == "--write") {
        arguments.write.push_back(file_name(option, value));
    } else if (option == "--append") {
        arguments.append.push_back(file_name(option, value));
    } else if (option == "--connect") {
        arguments.connect = file_name(option, value);
    } else if (option == "--network" && (value == "none" || value == "host")) {
        arguments.network = value == "none" ? Network::None : Network::Host;
    } else if (option == "--device" && value.starts_with("/dev/")) {
        arguments.devices.emplace_back(value);
    } else {
        return false;
    }
    return true;
}

}  // namespace

Arguments parse_arguments(std::span<char*> words, std::filesystem::path folder)
{
    Arguments arguments;
    arguments.folder = std::move(folder);
    std::size_t at = 0;
    for (; at < words.size() && std::string_view{words[at]} != "--"; ++at) {
        const std::string_view word{words[at]};
        if (word == "--check") {
            arguments.check = true;
        } else if (word == "--sockets") {
            arguments.sockets = Sockets::Unix;
        } else if (at + 1 < words.size() && take(arguments, word, words[at + 1])) {
            ++at;
        } else {
            throw Error{ErrorCode::InvalidArgument, "'" + std::string{word} + "' is no option, or lacks its value"};
        }
    }
    for (++at; at < words.size(); ++at) {
        arguments.program.push_back(words[at]);
    }
    const bool complete = !arguments.program.empty() && arguments.program[0][0] == '/';
    if (!arguments.check && !complete) {
        throw Error{ErrorCode::InvalidArgument,
                    "-- and a program's absolute path are missing; bangerd starts this program"};
    }
    arguments.program.push_back(nullptr);
    if (arguments.check) {
        arguments.folder.clear();
    }
    return arguments;
}

}  // namespace banger::confine
