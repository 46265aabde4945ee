// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/daemon_boot.hpp"

#include "cli/connect/boot.hpp"
#include "cli/view/output.hpp"
#include "common/rollback.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

namespace banger::cli {
namespace {

std::optional<std::string> boot_variable(const char* name)
{
    const char* value = std::getenv(name);
    return value != nullptr && *value != '\0' ? std::optional<std::string>{value} : std::nullopt;
}

Paths own_paths() { return find_paths(boot_variable); }

/// That lingering is on because of us: what was on before stays on.
std::filesystem::path linger_note(const Paths& paths) { return paths.state / "lingering-by-banger"; }

void write_note(const Paths& paths)
{
    using std::filesystem::perms;
    if (std::filesystem::create_directories(paths.state)) {
        std::filesystem::permissions(paths.state, perms::owner_all);
    }
    std::ofstream note{linger_note(paths)};
    note << "loginctl disable-linger, or banger daemon disable, ends it\n";
    note.close();
    if (!note) {
        throw Error{ErrorCode::Failed,
                    "can't write " + linger_note(paths).string() +
                        ", by which banger daemon disable would know what to end; nothing is changed"};
    }
}

int enable_start(bool at_boot)
{
    const auto paths = own_paths();
    UserUnits units;  // before anybody is asked for a password
    Rollback undo;
    if (at_boot) {
        const auto lingering = std::make_shared<Lingering>();
        if (!lingering->is_on()) {
            lingering->set(true);
            undo.add([lingering] { lingering->set(false); });
            undo.add([note = linger_note(paths)] { std::filesystem::remove(note); });
            write_note(paths);
        }
    }
    units.enable(autostart_unit);
    undo.commit();
    print(at_boot ? "marked VMs start with this machine\n" : "marked VMs start when you log in\n");
    if (!at_boot && starts_marked(paths) == StartsMarked::AtLogin) {
        remark("banger daemon enable --at-boot has them start with the machine");
    }
    remark("banger vm set --autostart NAME marks one");
    return 0;
}

int disable_start()
{
    const auto paths = own_paths();
    UserUnits{}.disable(autostart_unit);
    if (std::filesystem::exists(linger_note(paths))) {
        Lingering lingering;
        if (lingering.is_on()) {
            lingering.set(false);
        }
        std::filesystem::remove(linger_note(paths));
    }
    print("marked VMs are started by you alone\n");
    return 0;
}

}  // namespace

void remark_unless_started()
{
    if (starts_marked(own_paths()) == StartsMarked::Never) {
        remark("nothing starts marked VMs as yet: banger daemon enable --at-boot");
    }
}

std::string marked_start_in_words()
{
    switch (starts_marked(own_paths())) {
        case StartsMarked::AtBoot:
            return "at boot";
        case StartsMarked::AtLogin:
            return "at login";
        case StartsMarked::Never:
            break;
    }
    return "never";
}

void add_daemon_boot(Command daemon, Context& context)
{
    const auto at_boot = std::make_shared<bool>(false);
    const auto app = add_command(daemon, context, "enable", "Have marked VMs started when you log in, or at boot",
                                 [at_boot] { return enable_start(*at_boot); });
    app.flag("--at-boot", *at_boot, "with the machine, before anybody logs in: logind is asked, which may ask you");
    app.footer("banger vm set --autostart NAME marks a VM.");
    add_command(daemon, context, "disable", "End that; VMs that run go on", disable_start);
}

}  // namespace banger::cli
