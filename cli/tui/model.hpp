// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/tui/canvas.hpp"
#include "cli/tui/console_text.hpp"
#include "cli/tui/form.hpp"
#include "cli/tui/ports.hpp"
#include "cli/tui/vm_rows.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace banger::cli::tui {

enum class Pane { Vms, Images, Operations, Host };
inline constexpr std::array pane_names{std::string_view{"VMs"}, std::string_view{"Images"},
                                       std::string_view{"Operations"}, std::string_view{"Host"}};

/// How bangerd is to be had.
enum class Link { Up, Lost };

/// A question that waits for y or n.
struct Question {
    std::string text;
    Intent yes;
};

/// What the last line says until the next key.
struct Notice {
    std::string text;
    Ink ink{Ink::Plain};
};

/// The VM that is looked at.
struct Detail {
    std::string id;                   ///< "": none
    Facts facts{};                    ///< what `vm show` tells, where that has come
    std::string log_name{"console"};  ///< or vmm
    ConsoleText log{};
    std::string log_problem{};  ///< why there is no log
};

/// bangerd itself.
struct About {
    std::string version;
    std::string state_directory;
    std::vector<std::string> warnings;
};

/// All that the screen shows and keys work on. Knows neither bus nor terminal: the feed fills it, keys change it, draw() reads it.
struct Model {
    Pane pane{Pane::Vms};
    Link link{Link::Up};
    std::string link_problem{};  ///< why bangerd isn't there, where that is known
    Size size{};

    Sheet<VmRow> vms{before(VmOrder::Name)};
    VmOrder vm_order{VmOrder::Name};
    bool knows_vms{false};  ///< they have been listed once
    Sheet<ImageRow> images{[](const ImageRow& a, const ImageRow& b) { return a.name < b.name; }};
    Sheet<OperationRow> operations{&newer};
    Sheet<HostRow> host{[](const HostRow& a, const HostRow& b) { return a.number < b.number; }};
    bool host_is_looked_at{false};  ///< Doctor is at work
    About about{};

    Detail detail{};
    bool detail_is_whole{false};  ///< the detail takes the list's place, too

    // What keys go to, the first that is there.
    bool shows_help{false};
    std::optional<Question> question{};
    std::optional<Form> form{};
    std::optional<PortsView> ports{};
    std::optional<TypedText> typed_filter{};
    Notice notice{};

    /// The last begun comes first.
    static bool newer(const OperationRow& a, const OperationRow& b);
    void say(std::string text, Ink ink = Ink::Plain) { notice = {std::move(text), ink}; }
    void lost(std::string problem);
    void found();
};

/// Calls `use` with the sheet of the pane that is in front.
template <typename Use>
decltype(auto) with_sheet(Model& model, Use&& use)
{
    switch (model.pane) {
        case Pane::Images:
            return use(model.images);
        case Pane::Operations:
            return use(model.operations);
        case Pane::Host:
            return use(model.host);
        case Pane::Vms:
            break;
    }
    return use(model.vms);
}

}  // namespace banger::cli::tui
