// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace banger::agent {

/// The one useful thing that a notice offers.
enum class NoticeAction { OpenShell, ShowLog, Start, NewSandbox, OpenTui };
/// Names it on the bus. Shape: [a-z-]+
std::string_view to_string(NoticeAction action) noexcept;
/// What its button says.
std::string_view label_of(NoticeAction action) noexcept;

/// What a person waits for or must know, as it is shown. Plain text, each a line.
struct Notice {
    std::string key;  ///< one that comes later with the same takes its place
    std::string title;
    std::string body{};
    std::string about;                     ///< what it is about, in a sum of several: a VM's or an image's name
    std::optional<NoticeAction> action{};  ///< none: there is nothing to do here and now
    std::string subject{};                 ///< what the action is done to: a VM's id, or an image's name
};

/// All notices about a VM have this key.
std::string key_of_vm(const std::string& vm_id);

/// Text that others have a hand in (a reason with the end of a guest's log) as a line of a notice: printable, and cut.
std::string notice_line(std::string_view text);

/// For daemons that read markup. Shape: no <, > or & but those of the entities &lt;, &gt; and &amp;
std::string escape_markup(std::string_view text);

}  // namespace banger::agent
