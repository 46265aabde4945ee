// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/ssh_config.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <optional>

#include "cli/connect/agent.hpp"
#include "cli/connect/environment.hpp"
#include "cli/ssh/include_line.hpp"
#include "cli/ssh/stanza.hpp"
#include "cli/ssh/user_file.hpp"
#include "cli/view/output.hpp"
#include "common/paths.hpp"

namespace banger::cli {
namespace {

namespace fs = std::filesystem;

struct SshConfigCommand {
    bool install{false};
    bool uninstall{false};
};

/// Of banger's own file: what there was not before, and so goes again with it.
constexpr std::string_view made_file = "# It made ~/.ssh/config.\n";
constexpr std::string_view made_folder = "# It made ~/.ssh.\n";

struct SshPlaces {
    fs::path folder;  ///< ~/.ssh
    fs::path config;  ///< of the user's
    fs::path own;     ///< banger's, which that includes
};

SshPlaces find_places()
{
    const auto environment = [](const char* name) {
        const char* value = std::getenv(name);
        return value != nullptr ? std::optional<std::string>{value} : std::nullopt;
    };
    const auto home = environment("HOME");
    if (!home || !home->starts_with('/')) {
        throw Error{ErrorCode::HostLacks, "HOME is not set, so nobody knows where ~/.ssh is"};
    }
    const auto folder = fs::path{*home} / ".ssh";
    return {folder, folder / "config", find_paths(environment).config.parent_path() / "ssh_config"};
}

std::string unquoted(const std::string& word)
{
    return word.size() > 1 && word.front() == '"' && word.back() == '"' ? word.substr(1, word.size() - 2) : word;
}

/// The user's own where he names one, else the one that bangerd makes for the first VM.
fs::path find_key(Agent& agent)
{
    const auto [values, problems] = translated([&] { return agent.manager().GetConfig(settings_environment()); });
    for (const auto& row : values) {
        if (const auto path = unquoted(row.template get<1>());
            row.template get<0>() == "ssh_key_path" && !path.empty()) {
            return path;
        }
    }
    return fs::path{translated([&] { return agent.manager().StateDirectory(); })} / "ssh/id_ed25519";
}

std::string make_stanza()
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    return ssh_stanza(fs::read_symlink("/proc/self/exe"), find_key(*agent));
}

/// Gives whether it wasn't there.
bool make_folder(const fs::path& folder)
{
    constexpr mode_t own = 0700;
    std::error_code none;
    fs::create_directories(folder.parent_path(), none);
    if (::mkdir(folder.c_str(), own) == 0) {
        return true;
    }
    if (errno != EEXIST) {
        throw errno_error("can't make the folder " + folder.string(), errno);
    }
    return false;
}

int install(const SshPlaces& places)
{
    const auto line = include_line(places.own);
    const auto stanza = make_stanza();
    const auto own = read_user_file(places.own);
    const bool new_folder = make_folder(places.folder) || own.text.find(made_folder) != std::string::npos;
    const auto config = read_user_file(places.config);
    const bool new_file = !config.exists || own.text.find(made_file) != std::string::npos;
    const auto text = "# Of `banger ssh-config --install`, which makes it anew; --uninstall takes it away.\n" +
                      std::string{new_file ? made_file : ""} + std::string{new_folder ? made_folder : ""} + stanza;
    const auto edited = with_include(config.text, line);
    const bool changes = !own.exists || own.text != text || !config.exists || edited != config.text;
    if (own.text != text) {
        make_folder(places.own.parent_path());
        replace_user_file(own, text);  // first: a line must not include what isn't there
    }
    if (edited != config.text) {
        replace_user_file(config, edited);
    }
    remark(changes ? "ssh, scp, sftp, rsync and git reach a VM as NAME.vm now; banger ssh-config --uninstall ends that"
                   : "nothing to do: " + places.config.string() + " includes " + places.own.string() + " already");
    return 0;
}

int uninstall(const SshPlaces& places)
{
    const auto own = read_user_file(places.own);
    const auto config = read_user_file(places.config);
    const auto edited = without_include(config.text, include_line(places.own));
    const bool is_in = edited != config.text;
    const bool ours = edited.empty() && own.text.find(made_file) != std::string::npos && !config.is_link;
    if (is_in) {
        replace_user_file(config, edited);
    }
    if (is_in && ours) {
        ::unlink(places.config.c_str());
        if (own.text.find(made_folder) != std::string::npos) {
            ::rmdir(places.folder.c_str());  // unless something else is in it by now
        }
    }
    if (own.exists && ::unlink(own.path.c_str()) < 0 && errno != ENOENT) {
        throw errno_error("can't remove " + own.path.string(), errno);
    }
    remark(is_in || own.exists ? places.config.string() + " is as it was without banger"
                               : "nothing to do: " + places.config.string() + " has no line of banger's");
    return 0;
}

int run_ssh_config(const SshConfigCommand& command)
{
    if (command.install) {
        return install(find_places());
    }
    if (command.uninstall) {
        return uninstall(find_places());
    }
    print(make_stanza());
    return 0;
}

}  // namespace

void add_ssh_config(Command root, Context& context)
{
    const auto command = std::make_shared<SshConfigCommand>();
    const auto app = add_command(root, context, "ssh-config", "Let ssh and its kin reach VMs as NAME.vm",
                                 [command] { return run_ssh_config(*command); });
    const auto with = app.flag("--install", command->install, "put a line into ~/.ssh/config that includes this");
    app.flag("--uninstall", command->uninstall, "take that line out again, and nothing else").excludes(with);
    app.footer("Without an option it prints what --install would have included.");
}

}  // namespace banger::cli
