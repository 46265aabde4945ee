// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/keys.hpp"

#include "cli/tui/geometry.hpp"
#include "cli/tui/possible.hpp"

namespace banger::cli::tui {
namespace {

constexpr std::array vm_keys{
    KeyInfo{'n', Verb::Create, "new", "make a new VM, by a form"},
    KeyInfo{'s', Verb::Start, "start", "start it"},
    KeyInfo{'t', Verb::Stop, "stop", "shut it down; nothing that was written is lost"},
    KeyInfo{'r', Verb::Restart, "restart", "stop it and start it again"},
    KeyInfo{'e', Verb::Shell, "shell", "a shell in it, here; its end leads back"},
    KeyInfo{'h', Verb::Ssh, "ssh", "the same by ssh"},
    KeyInfo{'d', Verb::Delete, "delete", "delete it and its disks"},
    KeyInfo{'a', Verb::NatOn, "nat", "switch NAT on or off"},
    KeyInfo{'c', Verb::Change, "change", "change CPUs, memory, disk and autostart"},
    KeyInfo{'p', Verb::Ports, "ports", "what listens in it; forward ports to it"},
    KeyInfo{'x', Verb::Export, "export", "export it, and all in it, into a file"},
    KeyInfo{'K', Verb::Kill, "kill", "kill it, for when it does not stop"},
};
constexpr std::array image_keys{
    KeyInfo{'v', Verb::VerifyImage, "verify", "read all of it and compare it with its digest"},
    KeyInfo{'b', Verb::MakeDefaults, "build", "make the usual kernel and image where they are missing"},
    KeyInfo{'d', Verb::DeleteImage, "delete", "delete it, where no VM uses it"},
};
constexpr std::array operation_keys{KeyInfo{'x', Verb::Cancel, "cancel", "end it; what it did is undone"}};
constexpr std::array host_keys{KeyInfo{'r', Verb::Examine, "look again", "look at this host anew"}};

constexpr std::ptrdiff_t all_rows = 1 << 30;

std::optional<Intent> ask_or_do(Model& model, std::string question, Intent intent)
{
    if (question.empty()) {
        return intent;
    }
    model.question = Question{std::move(question), std::move(intent)};
    return std::nullopt;
}

std::optional<Intent> begin_for_vm(Model& model, Verb verb)
{
    if (verb == Verb::Create) {
        std::vector<std::string> names;
        for (const auto* image : model.images.all()) {
            if (!image->name.empty()) {  // kept for its VMs alone
                names.push_back(image->name);
            }
        }
        model.form = make_create_form(std::move(names));
        return std::nullopt;
    }
    const auto* vm = model.vms.chosen();
    if (vm == nullptr) {
        model.say("there is no VM here; n makes one");
        return std::nullopt;
    }
    if (auto reason = why_not(*vm, verb); !reason.empty()) {
        model.say(std::move(reason), Ink::Bad);
        return std::nullopt;
    }
    if (verb == Verb::Change || verb == Verb::Export) {
        model.form = verb == Verb::Change ? make_change_form(*vm) : make_export_form(*vm);
        return std::nullopt;
    }
    if (verb == Verb::Ports) {
        model.ports = PortsView{.id = vm->id, .name = vm->name};
    }
    Intent intent{.verb = verb, .target = vm->id, .name = vm->name};
    if (verb == Verb::NatOn && vm->nat) {
        intent.verb = Verb::NatOff;
    }
    if (verb == Verb::Delete && vm->state != "stopped" && vm->state != "failed") {
        intent.verb = Verb::ForceDelete;
    }
    return ask_or_do(model, question_before(*vm, verb), std::move(intent));
}

std::optional<Intent> begin_for_image(Model& model, Verb verb)
{
    if (verb == Verb::MakeDefaults) {
        return ask_or_do(model, "make the usual kernel and image, where they are missing? It takes some minutes.",
                         Intent{.verb = verb, .name = "the usual kernel and image"});
    }
    const auto* image = model.images.chosen();
    if (image == nullptr) {
        model.say("there is no image here; b makes the usual one");
        return std::nullopt;
    }
    // For people alone: another image may have the name by the time of the answer.
    const auto& name = image->name.empty() ? image->digest : image->name;
    return ask_or_do(model, verb == Verb::DeleteImage ? "delete the image " + name + "?" : "",
                     Intent{.verb = verb, .target = image->digest, .name = "image " + name});
}

std::optional<Intent> begin_for_operation(Model& model, Verb verb)
{
    const auto* operation = model.operations.chosen();
    if (operation == nullptr || operation->state != "running") {
        model.say(operation == nullptr ? "nothing is being done" : "it has ended already");
        return std::nullopt;
    }
    const auto name = operation->kind + " " + operation->target;
    return ask_or_do(model, "cancel " + name + "?", Intent{.verb = verb, .target = operation->path, .name = name});
}

std::optional<Intent> begin_for_chosen(Model& model, Verb verb)
{
    if (model.link == Link::Lost) {
        model.say("bangerd is away; it is looked for", Ink::Bad);
        return std::nullopt;
    }
    switch (model.pane) {
        case Pane::Vms:
            return begin_for_vm(model, verb);
        case Pane::Images:
            return begin_for_image(model, verb);
        case Pane::Operations:
            return begin_for_operation(model, verb);
        case Pane::Host:
            break;
    }
    return Intent{.verb = verb};
}

void show_pane(Model& model, std::size_t number)
{
    model.pane = static_cast<Pane>(number % pane_names.size());
    model.detail_is_whole = false;
    model.typed_filter.reset();
}

std::optional<Intent> press_in_question(Model& model, const Key& key)
{
    std::optional<Intent> chosen;
    if (key.is('y') || key.is('Y')) {
        chosen = std::move(model.question->yes);
        model.question.reset();
    } else if (key.is('n') || key.is('N') || key.is('q') || key.kind == Key::Kind::Escape) {
        model.question.reset();
    }
    return chosen;
}

std::optional<Intent> press_in_form(Model& model, const Key& key)
{
    switch (model.form->press(key)) {
        case Form::Outcome::Cancelled:
            model.form.reset();
            break;
        case Form::Outcome::Submitted:
            if (model.link == Link::Lost) {  // nobody would answer it
                model.form->refuse("bangerd is away; it is looked for");
                break;
            }
            return model.form->submit();
        case Form::Outcome::Open:
            break;
    }
    return std::nullopt;
}

std::optional<Intent> end_chosen_forward(Model& model)
{
    const auto* line = model.ports->line();
    if (line == nullptr || !line->forward) {
        model.say("no port of this host leads there by a forward; n opens one");
        return std::nullopt;
    }
    return Intent{.verb = Verb::EndForward,
                  .target = model.ports->id,
                  .name = model.ports->name,
                  .values = {{"port", line->reached_at}}};
}

std::optional<Intent> press_in_ports(Model& model, const Key& key)
{
    auto& ports = *model.ports;
    const bool changes = key.is('n') || key.is('d') || key.is('r');
    if (changes && model.link == Link::Lost) {
        model.say("bangerd is away; it is looked for", Ink::Bad);
    } else if (key.is('n')) {
        const auto* line = ports.line();
        model.form = make_forward_form(ports.id, ports.name, line == nullptr ? "" : std::to_string(line->port));
    } else if (key.is('d')) {
        return end_chosen_forward(model);
    } else if (key.is('r')) {
        return Intent{.verb = Verb::Ports, .target = ports.id, .name = ports.name};
    } else if (key.is('q') || key.is('p') || key.kind == Key::Kind::Escape) {
        model.ports.reset();
    } else if (key.is('j') || key.kind == Key::Kind::Down) {
        ports.move(1);
    } else if (key.is('k') || key.kind == Key::Kind::Up) {
        ports.move(-1);
    } else if (key.kind == Key::Kind::Home || key.kind == Key::Kind::End) {
        ports.move(key.kind == Key::Kind::Home ? -all_rows : all_rows);
    }
    return std::nullopt;
}

/// Enter keeps the filter, Escape drops it; arrows work meanwhile. False for what isn't the filter's.
bool press_in_filter(Model& model, const Key& key)
{
    const auto set = [&model](const std::string& text) {
        with_sheet(model, [&text](auto& sheet) { sheet.set_filter(text); });
    };
    if (key.kind == Key::Kind::Escape) {
        set("");
        model.typed_filter.reset();
    } else if (key.kind == Key::Kind::Enter) {
        model.typed_filter.reset();
    } else if (model.typed_filter->press(key)) {
        set(model.typed_filter->text());
    } else {
        return false;
    }
    return true;
}

/// Keys that move through the list; false for any other.
bool press_to_move(Model& model, const Key& key)
{
    const auto page = static_cast<std::ptrdiff_t>(std::max<std::size_t>(1, geometry_of(model).list_rows));
    switch (key.kind) {
        case Key::Kind::Up:
            scroll(model, -1);
            return true;
        case Key::Kind::Down:
            scroll(model, 1);
            return true;
        case Key::Kind::PageUp:
            scroll(model, -page);
            return true;
        case Key::Kind::PageDown:
            scroll(model, page);
            return true;
        case Key::Kind::Home:
            scroll(model, -all_rows);
            return true;
        case Key::Kind::End:
            scroll(model, all_rows);
            return true;
        default:
            return false;
    }
}

/// Keys that are the same in all panes, and change only what is shown.
bool press_to_look(Model& model, const Key& key)
{
    const auto pane = static_cast<std::size_t>(model.pane);
    if (key.kind == Key::Kind::Tab || key.kind == Key::Kind::BackTab) {
        show_pane(model, pane + (key.kind == Key::Kind::Tab ? 1 : pane_names.size() - 1));
    } else if (key.kind == Key::Kind::Character && key.character >= U'1' && key.character <= U'4') {
        show_pane(model, key.character - U'1');
    } else if (key.is('j') || key.is('k')) {
        scroll(model, key.is('j') ? 1 : -1);
    } else if (key.is('/')) {
        model.typed_filter = TypedText{with_sheet(model, [](auto& sheet) { return sheet.filter(); })};
    } else if (key.kind == Key::Kind::Escape) {
        model.detail_is_whole = false;
        with_sheet(model, [](auto& sheet) { sheet.set_filter(""); });
    } else if (key.is('?')) {
        model.shows_help = true;
    } else if (key.kind == Key::Kind::Enter || key.is('z')) {
        model.detail_is_whole = !model.detail_is_whole;
    } else if (key.is('l') && model.pane == Pane::Vms) {
        model.detail.log_name = model.detail.log_name == "console" ? "vmm" : "console";
    } else if (key.is('o') && model.pane == Pane::Vms) {
        model.vm_order = static_cast<VmOrder>((static_cast<int>(model.vm_order) + 1) % 3);
        model.vms.set_order(before(model.vm_order));
        model.say("ordered by " + std::string{name_of(model.vm_order)});
    } else {
        return false;
    }
    return true;
}

}  // namespace

std::span<const KeyInfo> keys_of(Pane pane)
{
    switch (pane) {
        case Pane::Images:
            return image_keys;
        case Pane::Operations:
            return operation_keys;
        case Pane::Host:
            return host_keys;
        case Pane::Vms:
            break;
    }
    return vm_keys;
}

std::optional<Intent> press(Model& model, const Key& key)
{
    model.notice = {};
    if (model.shows_help) {
        model.shows_help = false;
        return std::nullopt;
    }
    if (model.question) {
        return press_in_question(model, key);
    }
    if (model.form) {
        return press_in_form(model, key);
    }
    if (model.ports) {
        return press_in_ports(model, key);
    }
    if (model.typed_filter && press_in_filter(model, key)) {
        return std::nullopt;
    }
    if (press_to_move(model, key) || press_to_look(model, key)) {
        return std::nullopt;
    }
    if (key.is('q')) {
        return Intent{.verb = Verb::Quit};
    }
    for (const auto& info : keys_of(model.pane)) {
        if (key.is(info.key)) {
            return begin_for_chosen(model, info.verb);
        }
    }
    return std::nullopt;
}

void click(Model& model, const Spot& spot)
{
    const bool is_covered = model.shows_help || model.question || model.form || model.ports;
    if (is_covered) {
        return;
    }
    model.notice = {};
    if (spot.kind == Spot::Kind::Pane) {
        show_pane(model, spot.index);
    } else {
        with_sheet(model, [&spot](auto& sheet) { sheet.choose(spot.index); });
    }
}

void scroll(Model& model, std::ptrdiff_t rows)
{
    if (model.shows_help || model.question || model.form) {
        return;
    }
    if (model.ports) {
        model.ports->move(rows);
    } else {
        with_sheet(model, [rows](auto& sheet) { sheet.move(rows); });
    }
}

}  // namespace banger::cli::tui
