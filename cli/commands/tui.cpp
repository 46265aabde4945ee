// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/tui.hpp"

#include "cli/connect/agent.hpp"
#include "cli/tui/session.hpp"
#include "cli/view/output.hpp"

#include <memory>

namespace banger::cli {
namespace {

int run_tui(bool without_mouse)
{
    tui::check_terminal();
    // As of any command, what is wrong with bangerd is said before there is a screen, and Ctrl-C ends the waiting.
    auto agent = Agent::connect(WhenAbsent::Start);
    const auto charset = tui::charset_of_locale();
    tui::Session session{tui::colours_of_environment(),
                         without_mouse ? tui::Screen::Mouse::Off : tui::Screen::Mouse::On, charset};
    return tui::run_session(session, std::move(agent));
}

int wake()
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    print(translated([&] { return agent->manager().Address(); }) + "\n");
    return 0;
}

}  // namespace

void add_tui(Command root, Context& context)
{
    const auto without_mouse = std::make_shared<bool>(false);
    const auto app = add_command(root, context, "tui", "VMs, images, operations and this host on one screen",
                                 [without_mouse] { return run_tui(*without_mouse); });
    app.flag("--no-mouse", *without_mouse, "leave the mouse to the terminal, to select text with");
    app.footer("? there lists the keys. NO_COLOR=1 leaves colours out.");
}

void add_internal_wake(Command internal, Context& context)
{
    add_command(internal, context, "wake", "Start bangerd where none runs, and print its bus", [] { return wake(); });
}

}  // namespace banger::cli
