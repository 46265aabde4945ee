// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/tui/intent.hpp"
#include "cli/tui/key.hpp"
#include "cli/tui/rows.hpp"

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace banger::cli::tui {

/// One line of a form. Named as the CLI's option, so that what is said of a bad value fits both.
struct Field {
    std::string name;
    std::string hint;                    ///< what is meant where nothing is filled in, or how a value looks
    std::vector<std::string> choices{};  ///< then one of these or nothing; empty: free text
    TypedText value{};
};

/// A form that is being filled in.
class Form {
public:
    enum class Outcome { Open, Cancelled, Submitted };

    /// `asked`: what it is for; its values are put in.
    Form(std::string title, Intent asked, std::vector<Field> fields);

    /// Tab, Up and Down go to another field, Left, Right and blanks through choices; Enter submits, unless an answer is waited for.
    Outcome press(const Key& key);
    /// With what has been filled in, and the form now waits for an answer.
    Intent submit();
    /// The answer was a no; its sentence stands in the form until the next key.
    void refuse(std::string sentence);

    const std::string& title() const noexcept { return title_; }
    const std::vector<Field>& fields() const noexcept { return fields_; }
    std::size_t chosen() const noexcept { return chosen_; }
    const std::string& problem() const noexcept { return problem_; }
    bool waits() const noexcept { return waits_; }
    Verb verb() const noexcept { return asked_.verb; }

private:
    void step(bool forward);
    void turn(Field& field, bool forward);

    std::string title_;
    Intent asked_;
    std::vector<Field> fields_;
    std::size_t chosen_{0};
    std::string problem_;
    bool waits_{false};
};

/// For a new VM. `images`: the names of those that are there.
Form make_create_form(std::vector<std::string> images);
/// For what a VM has; one that runs takes a part of it.
Form make_change_form(const VmRow& vm);
/// For the file that a VM goes into, with all that is in it.
Form make_export_form(const VmRow& vm);
/// For a port of this host that leads into a VM. `guest_port`: what is filled in; "": nothing.
Form make_forward_form(const std::string& id, const std::string& name, const std::string& guest_port);

}  // namespace banger::cli::tui
