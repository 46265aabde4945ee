// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/vm_ssh.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <memory>

#include "cli/commands/create_options.hpp"
#include "cli/connect/agent.hpp"
#include "cli/remote/ssh_host.hpp"
#include "cli/ssh/stanza.hpp"
#include "cli/view/output.hpp"

namespace banger::cli {
namespace {

struct ConnectCommand {
    std::string name;
    std::string port;
};

struct KnownHostsQuery {
    std::string name;
    std::string host;
};

/// ssh-config has VMs as NAME.vm; a VM's own name has no dot.
std::string vm_name_of(const std::string& host)
{
    constexpr std::string_view domain = ".vm";
    return host.ends_with(domain) ? host.substr(0, host.size() - domain.size()) : host;
}

int ssh(const std::string& name, const std::vector<std::string>& tail)
{
    std::vector<std::string> words{"ssh"};
    {
        const auto agent = Agent::connect(WhenAbsent::Start);
        const auto vm = agent->find_vm(name);
        for (const auto& row : translated([&] { return vm->SshConfig(); })) {
            words.emplace_back("-o");
            words.push_back(ssh_option(row.get<0>(), row.get<1>()));
        }
    }
    words.push_back(name);
    words.insert(words.end(), tail.begin(), tail.end());
    become_ssh(std::move(words));
}

/// As ssh_config(5) has it under ProxyUseFdpass: a connected descriptor, sent over standard output.
void pass_on(int stream)
{
    char byte = 0;
    iovec data{&byte, 1};
    std::array<char, CMSG_SPACE(sizeof(int))> space{};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = space.data();
    message.msg_controllen = space.size();
    auto* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &stream, sizeof stream);
    if (::sendmsg(STDOUT_FILENO, &message, MSG_NOSIGNAL) < 0) {
        throw errno_error("can't pass the connection on; this command is ssh's ProxyCommand, with ProxyUseFdpass=yes",
                          errno);
    }
}

int connect(const ConnectCommand& command)
{
    const auto port = parse_count(command.port, "PORT");
    constexpr std::uint32_t most = 65535;
    if (port < 1 || port > most) {
        throw Error{ErrorCode::InvalidArgument, "a port is 1 to 65535, not " + command.port};
    }
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto vm = agent->find_vm(vm_name_of(command.name));
    const auto stream = bus::take_fd(translated([&] { return vm->Connect("", static_cast<std::uint16_t>(port)); }));
    pass_on(stream.get());
    return 0;
}

/// As bangerd has them of the guest now, for whatever name ssh asks about: nothing is kept that a later VM could meet.
int known_hosts(const KnownHostsQuery& query)
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto vm = agent->find_vm(vm_name_of(query.name));
    std::string lines;
    for (const auto& row : translated([&] { return vm->SshConfig(); })) {
        if (row.get<0>() != "UserKnownHostsFile") {
            continue;
        }
        std::ifstream file{row.get<1>()};
        for (std::string line; std::getline(file, line);) {
            if (const auto key = line.find(' '); key != std::string::npos) {
                lines += query.host + line.substr(key) + "\n";
            }
        }
    }
    print(lines);
    return 0;
}

}  // namespace

void add_vm_ssh(Command vm, Context& context)
{
    const auto name = std::make_shared<std::string>();
    const auto app = add_command(
        vm, context, "ssh", "Log in to a VM with OpenSSH, through banger's own channel",
        [name, &context] { return ssh(*name, context.tail); }, Tail::Taken);
    app.option("NAME", *name, "the VM's name or id").required();
    app.footer(
        "Words after -- are ssh's: options of its own, then a command. Example:\n"
        "  banger vm ssh calm-otter -- -L 8080:localhost:80");
}

void add_internal_connect(Command internal, Context& context)
{
    const auto command = std::make_shared<ConnectCommand>();
    const auto app =
        add_command(internal, context, "connect", "ssh's ProxyCommand", [command] { return connect(*command); });
    app.option("NAME", command->name).required();
    app.option("PORT", command->port).required();
}

void add_internal_known_hosts(Command internal, Context& context)
{
    const auto query = std::make_shared<KnownHostsQuery>();
    const auto app = add_command(internal, context, "known-hosts", "ssh's KnownHostsCommand",
                                 [query] { return known_hosts(*query); });
    app.option("NAME", query->name).required();
    app.option("HOST", query->host).required();
}

}  // namespace banger::cli
