// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/actions.hpp"

#include "cli/commands/create_options.hpp"
#include "cli/tui/bus_rows.hpp"

#include <csignal>

namespace banger::cli::tui {
namespace {

constexpr std::uint32_t ready_seconds = 120;  // as of `vm start`
constexpr std::uint32_t usual_stop_limit = 0;

std::optional<std::string> filled_in(const std::map<std::string, std::string>& values, const char* name)
{
    const auto at = values.find(name);
    return at == values.end() ? std::nullopt : std::optional{at->second};
}

Method of_vm(const Intent& intent, const char* name)
{
    return {std::string{agent_root} + "/vm/" + intent.target, vm_interface, name};
}

Method of_manager(const char* name) { return {agent_root, manager_interface, name}; }

}  // namespace

VariantMap creation_of(const std::map<std::string, std::string>& values)
{
    CreateOptions options;
    options.name = filled_in(values, "name");
    options.image = filled_in(values, "image");
    options.vcpus = filled_in(values, "vcpu");
    options.memory = filled_in(values, "memory");
    options.disk = filled_in(values, "disk-size");
    options.network = filled_in(values, "network");
    options.storage = filled_in(values, "storage");
    options.vmm = filled_in(values, "vmm");
    if (const auto nat = filled_in(values, "nat")) {
        options.nat = *nat == "yes";
    }
    auto map = options.to_map();
    map.emplace("start", sdbus::Variant{filled_in(values, "start").value_or("yes") == "yes"});
    return map;
}

VariantMap change_of_form(const std::map<std::string, std::string>& values)
{
    auto map = change_of(filled_in(values, "vcpu"), filled_in(values, "memory"), filled_in(values, "disk-size"));
    put_sandbox_options(map, std::nullopt, filled_in(values, "system-overlay-size"));
    if (const auto autostart = filled_in(values, "autostart")) {
        map.emplace("autostart", sdbus::Variant{*autostart == "yes"});
    }
    if (map.empty()) {
        throw Error{ErrorCode::InvalidArgument, "nothing is filled in; Esc leaves the VM as it is"};
    }
    return map;
}

std::vector<std::string> words_to_export(const Intent& intent)
{
    const auto output = filled_in(intent.values, "output").value_or(intent.name + ".vm.tar.gz");
    std::vector<std::string> words{"vm", "export", "--output=" + output};
    for (const auto* const flag : {"stop", "with-image"}) {
        if (filled_in(intent.values, flag).value_or("no") == "yes") {
            words.push_back(std::string{"--"} + flag);
        }
    }
    words.push_back(intent.target);
    return words;
}

Actions::Actions(Remote& remote, Model& model, std::function<void()> changed)
    : remote_{&remote}, model_{&model}, changed_{std::move(changed)}
{
}

void Actions::failed(const std::string& what, const Error& error)
{
    model_->say(what + ": " + error.what(), Ink::Bad);
    changed_();
}

/// A method that answers with an operation.
template <typename... Arguments>
void Actions::begin(const Method& method, const std::string& what, const Arguments&... arguments)
{
    remote_->call<sdbus::ObjectPath>(
        method, Remote::Limit::Usual,
        [this, what](const std::optional<Error>& problem, const sdbus::ObjectPath& operation) {
            if (problem) {
                failed(what, *problem);
            } else {
                follow(operation, what);
            }
        },
        arguments...);
}

/// A method that is done when it answers.
template <typename... Arguments>
void Actions::command(const Method& method, const std::string& what, const Arguments&... arguments)
{
    remote_->call<>(
        method, Remote::Limit::Usual,
        [this, what](const std::optional<Error>& problem) {
            if (problem) {
                failed(what, *problem);
            }
        },
        arguments...);
}

void Actions::follow(const std::string& operation, const std::string& what)
{
    remote_->call<VariantMap>(
        {operation, operation_interface_name, "Wait"}, Remote::Limit::None,
        [this, what](const std::optional<Error>& problem, const VariantMap& result) {
            if (problem) {
                failed(what, *problem);
                return;
            }
            const bool was_clean = flag_in(result, "clean", true);
            model_->say(was_clean
                            ? what + ": done"
                            : what + ": it did not shut down in time and was ended; what it had not synced is lost",
                        was_clean ? Ink::Good : Ink::Bad);
            changed_();
        });
}

void Actions::run(const Intent& intent)
{
    switch (intent.verb) {
        case Verb::Start:
            return begin(of_vm(intent, "Start"), "start " + intent.name, ready_seconds);
        case Verb::Stop:
            return begin(of_vm(intent, "Stop"), "stop " + intent.name, usual_stop_limit);
        case Verb::Restart:
            return begin(of_vm(intent, "Restart"), "restart " + intent.name, usual_stop_limit);
        case Verb::Kill:
            return command(of_vm(intent, "Kill"), "kill " + intent.name, std::int32_t{SIGKILL});
        case Verb::Delete:
        case Verb::ForceDelete:
            return begin(of_vm(intent, "Delete"), "delete " + intent.name, intent.verb == Verb::ForceDelete);
        case Verb::NatOn:
        case Verb::NatOff:
            return begin(of_vm(intent, "Set"), "NAT of " + intent.name,
                         VariantMap{{"nat", sdbus::Variant{intent.verb == Verb::NatOn}}});
        case Verb::Create:
            return create(intent);
        case Verb::Change:
            return change(intent);
        case Verb::Cancel:
            return command({intent.target, operation_interface_name, "Cancel"}, "cancel " + intent.name);
        case Verb::DeleteImage:
            return with_image(intent, [this, what = "delete " + intent.name](const std::string& path) {
                command({path, image_interface, "Delete"}, what);
            });
        case Verb::VerifyImage:
            return with_image(intent, [this, what = "verify " + intent.name](const std::string& path) {
                begin({path, image_interface, "Verify"}, what);
            });
        case Verb::MakeDefaults:
            return make_defaults();
        case Verb::Ports:
            return ask_ports(intent.target);
        case Verb::Forward:
            return forward(intent);
        case Verb::EndForward:
            return end_forward(intent);
        case Verb::Quit:
        case Verb::Shell:
        case Verb::Ssh:
        case Verb::Export:
        case Verb::Examine:
            return;
    }
}

/// The form that asked, where it is still there, is done or says why not.
void Actions::answer_form(Verb verb, const std::optional<Error>& problem)
{
    const bool waits = model_->form && model_->form->waits() && model_->form->verb() == verb;
    if (problem && waits) {
        const bool lacks = verb == Verb::Create && problem->code() == ErrorCode::NotFound;
        model_->form->refuse(problem->what() + std::string{lacks ? "; b among the images makes the usual ones" : ""});
    } else if (problem) {
        model_->say(problem->what(), Ink::Bad);
    } else if (waits) {
        model_->form.reset();
    }
    changed_();
}

void Actions::create(const Intent& intent)
{
    VariantMap map;
    try {
        map = creation_of(intent.values);
    } catch (const Error& error) {
        answer_form(intent.verb, error);
        return;
    }
    const auto name = filled_in(intent.values, "name").value_or("a VM");
    remote_->call<sdbus::ObjectPath, sdbus::ObjectPath>(
        of_manager("CreateVm"), Remote::Limit::Usual,
        [this, name](const std::optional<Error>& problem, const sdbus::ObjectPath&,
                     const sdbus::ObjectPath& operation) {
            answer_form(Verb::Create, problem);
            if (!problem) {
                follow(operation, "create " + name);
            }
        },
        map);
}

void Actions::change(const Intent& intent)
{
    VariantMap map;
    try {
        map = change_of_form(intent.values);
    } catch (const Error& error) {
        answer_form(intent.verb, error);
        return;
    }
    remote_->call<sdbus::ObjectPath>(
        of_vm(intent, "Set"), Remote::Limit::Usual,
        [this, what = "change " + intent.name](const std::optional<Error>& problem,
                                               const sdbus::ObjectPath& operation) {
            answer_form(Verb::Change, problem);
            if (!problem) {
                follow(operation, what);
            }
        },
        map);
}

/// As the first `vm run` does: what is there already is left as it is.
void Actions::make_defaults()
{
    model_->say("the usual kernel and image are being made; the operations tell how far it is", Ink::Busy);
    begin(of_manager("ImportKernel"), "the usual kernel", VariantMap{});
    begin(of_manager("BuildImage"), "the usual image", VariantMap{});
}

void Actions::with_image(const Intent& intent, std::function<void(const std::string& path)> use)
{
    remote_->call<sdbus::ObjectPath>(
        of_manager("FindImage"), Remote::Limit::Usual,
        [this, what = intent.name, use = std::move(use)](const std::optional<Error>& problem,
                                                         const sdbus::ObjectPath& path) {
            if (problem) {
                failed(what, *problem);
            } else {
                use(path);
            }
        },
        intent.target);
}

}  // namespace banger::cli::tui
