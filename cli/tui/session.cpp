// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/session.hpp"

#include "cli/tui/stage.hpp"

#include <csignal>

namespace banger::cli::tui {

Session::Session(Screen::Colours colours, Screen::Mouse mouse, Charset its_charset)
    : signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH}, screen{colours, mouse}, charset{its_charset}
{
}

int run_session(Session& session, std::unique_ptr<Agent> agent)
{
    while (true) {
        std::unique_ptr<Stage> stage;
        const bool has_agent = agent != nullptr;
        try {
            stage = std::make_unique<Stage>(session, std::move(agent));
        } catch (const Error& error) {  // the bus went before anything was asked of it
            if (!has_agent) {
                throw;  // it would fail for ever, and no key be read
            }
            session.model.lost(error.what());
            continue;
        }
        switch (stage->run()) {
            case Stage::End::Quit:
                return session.exit_code;
            case Stage::End::Lost:
                session.model.lost("");
                break;
            case Stage::End::Found:
                agent = stage->take_found();
                session.model.found();
                session.model.operations.replace({});
                break;
        }
    }
}

}  // namespace banger::cli::tui
