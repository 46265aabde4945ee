// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace banger::agent {

/// What a VMM, or a program that reads what a guest has made, may use; files are names in the VM's folder, as in agent/confine/README.md.
struct VmmNeeds {
    std::vector<std::string> read{};
    std::vector<std::string> write{};   ///< disks
    std::vector<std::string> append{};  ///< logs
    std::vector<std::string> devices{};
    enum class Sockets { None, Own } sockets{Sockets::None};  ///< Own: it makes its sockets itself, and calls one
    enum class Network {
        Given,
        None,
        Host
    } network{Network::Given};  ///< of what it is started in, when it makes sockets
    std::string connect{};  ///< a socket that is called for it; it has the connection as descriptor confined_connection
};

inline constexpr auto confined_connection = "3";

/// What banger-confine ends with where it can't start the program (agent/confine/main.cpp).
inline constexpr int not_confined = 127;

/// The words before a VMM's own, so that it sees nothing of the host's but what it needs. An empty function: it is started as it is.
using Confine = std::function<std::vector<std::string>(const VmmNeeds&)>;

/// By banger-confine, which is `program`. Throws HostLacks where that is empty.
std::vector<std::string> words_to_confine(const std::filesystem::path& program, const VmmNeeds& needs);

/// `argv` behind the words that confine it. It is to be run in the folder with its files, and names them as `needs` does.
std::vector<std::string> confined(const Confine& confine, const VmmNeeds& needs, std::vector<std::string> argv);

}  // namespace banger::agent
