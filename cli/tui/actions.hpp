// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/commands/vm_ports.hpp"
#include "cli/tui/intent.hpp"
#include "cli/tui/model.hpp"
#include "cli/tui/remote.hpp"

#include <functional>
#include <string>

namespace banger::cli::tui {

/// Does what a user wants, by the calls that the CLI's commands make, without waiting for them. How it went is said in the model's last row, or in the form.
class Actions {
public:
    Actions(Remote& remote, Model& model, std::function<void()> changed);

    /// All but Quit, Shell, Ssh, Export and Examine, which are others' work.
    void run(const Intent& intent);

private:
    template <typename... Arguments>
    void begin(const Method& method, const std::string& what, const Arguments&... arguments);
    template <typename... Arguments>
    void command(const Method& method, const std::string& what, const Arguments&... arguments);
    void follow(const std::string& operation, const std::string& what);
    void create(const Intent& intent);
    void change(const Intent& intent);
    void make_defaults();
    // actions_ports.cpp
    void ask_ports(const std::string& id);
    void ask_forwards(const std::string& id, const std::string& listeners, const std::string& why_none);
    void forward(const Intent& intent);
    void end_forward(const Intent& intent);

    void with_image(const Intent& intent, std::function<void(const std::string& path)> use);
    void answer_form(Verb verb, const std::optional<Error>& problem);
    void failed(const std::string& what, const Error& error);

    Remote* remote_;
    Model* model_;
    std::function<void()> changed_;
};

/// What a form for a new VM comes to, as Manager.CreateVm takes it. Throws InvalidArgument.
VariantMap creation_of(const std::map<std::string, std::string>& values);
/// The same for Vm.Set.
VariantMap change_of_form(const std::map<std::string, std::string>& values);
/// The same for Vm.Forward.
ForwardWish forward_of_form(const std::map<std::string, std::string>& values);
/// Words for `banger`. A file's name is behind its option, whatever it begins with.
std::vector<std::string> words_to_export(const Intent& intent);

}  // namespace banger::cli::tui
