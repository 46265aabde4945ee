// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/form.hpp"

#include "common/size.hpp"

#include <algorithm>

namespace banger::cli::tui {

Form::Form(std::string title, Intent asked, std::vector<Field> fields)
    : title_{std::move(title)}, asked_{std::move(asked)}, fields_{std::move(fields)}
{
}

void Form::step(bool forward)
{
    const auto count = fields_.size();
    chosen_ = (chosen_ + (forward ? 1 : count - 1)) % count;
}

/// Through the choices and "nothing filled in".
void Form::turn(Field& field, bool forward)
{
    const auto& choices = field.choices;
    const auto count = choices.size() + 1;
    const auto at =
        static_cast<std::size_t>(std::find(choices.begin(), choices.end(), field.value.text()) - choices.begin());
    const auto next = (at + (forward ? 1 : count - 1)) % count;
    field.value = TypedText{next < choices.size() ? choices[next] : std::string{}};
}

Form::Outcome Form::press(const Key& key)
{
    problem_.clear();
    auto& field = fields_[chosen_];
    switch (key.kind) {
        case Key::Kind::Escape:
            return Outcome::Cancelled;
        case Key::Kind::Enter:
            return waits_ ? Outcome::Open : Outcome::Submitted;
        case Key::Kind::Tab:
        case Key::Kind::Down:
            step(true);
            break;
        case Key::Kind::BackTab:
        case Key::Kind::Up:
            step(false);
            break;
        case Key::Kind::Left:
        case Key::Kind::Right:
            if (!field.choices.empty()) {
                turn(field, key.kind == Key::Kind::Right);
            }
            break;
        default:
            if (field.choices.empty()) {
                field.value.press(key);
            } else if (key.is(' ')) {
                turn(field, true);
            }
    }
    return Outcome::Open;
}

Intent Form::submit()
{
    auto intent = asked_;
    for (const auto& field : fields_) {
        if (!field.value.text().empty()) {
            intent.values.emplace(field.name, field.value.text());
        }
    }
    waits_ = true;
    return intent;
}

void Form::refuse(std::string sentence)
{
    problem_ = std::move(sentence);
    waits_ = false;
}

Form make_create_form(std::vector<std::string> images)
{
    return Form{"new VM",
                Intent{.verb = Verb::Create},
                {{"name", "two words are made up"},
                 {"image", "the usual one", std::move(images)},
                 {"vcpu", "as config.toml has it"},
                 {"memory", "MiB, or like 2G"},
                 {"disk-size", "the disk at /root, like 16G"},
                 {"network", "auto", {"auto", "user", "tap", "none"}},
                 {"nat", "as the network is", {"yes", "no"}},
                 {"storage", "auto", {"auto", "file", "dm-snapshot"}},
                 {"vmm", "auto", {"auto", "firecracker", "qemu-kvm", "qemu-tcg"}},
                 {"start", "yes", {"yes", "no"}}}};
}

Form make_change_form(const VmRow& vm)
{
    const bool runs = vm.state == "running";
    const auto hint = [runs](const std::string& now, const std::string& how) {
        return now + " now" + (runs ? "; changed while it is stopped" : how);
    };
    return Form{"change " + vm.name,
                Intent{.verb = Verb::Change, .target = vm.id, .name = vm.name},
                {{"vcpu", hint(std::to_string(vm.vcpus), "")},
                 {"memory", hint((std::uint64_t{vm.memory_mib} * mib).to_string(), "; MiB, or like 2G")},
                 {"disk-size", hint(ByteSize{vm.disk_bytes}.to_string(), "; it grows and never shrinks")},
                 {"system-overlay-size", "as it is; it grows, at once"},
                 {"autostart", "as it is", {"yes", "no"}}}};
}

Form make_export_form(const VmRow& vm)
{
    return Form{"export " + vm.name,
                Intent{.verb = Verb::Export, .target = vm.id, .name = vm.name},
                {{"output", vm.name + ".vm.tar.gz in this folder"},
                 {"stop", "no; it must not run meanwhile", {"yes", "no"}},
                 {"with-image", "no", {"yes", "no"}}}};
}

Form make_forward_form(const std::string& id, const std::string& name, const std::string& guest_port)
{
    return Form{"forward a port to " + name,
                Intent{.verb = Verb::Forward, .target = id, .name = name},
                {{"guest-port", "what something listens at there", {}, TypedText{guest_port}},
                 {"port", "of this host; any that is free"},
                 {"address", "127.0.0.1, which all users here reach"}}};
}

}  // namespace banger::cli::tui
