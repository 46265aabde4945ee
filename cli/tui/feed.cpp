// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/tui/feed.hpp"

#include "cli/tui/bus_rows.hpp"

namespace banger::cli::tui {
namespace {

using Properties = VariantMap;
using Interfaces = std::map<std::string, VariantMap>;

constexpr std::size_t few = 8;  // VMs that are asked for one by one
constexpr EventLoop::Milliseconds soon{100};
constexpr EventLoop::Milliseconds after_a_listing{400};
constexpr EventLoop::Milliseconds after_a_failure{2000};
constexpr std::size_t most_operations = 100;  // of those that are there at the start

const auto vm_rule = std::string{"type='signal',sender='"} + agent_bus_name + "',path_namespace='" + agent_root + "'";
const auto owner_rule =
    std::string{
        "type='signal',sender='org.freedesktop.DBus',interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0="
        "'"} +
    agent_bus_name + "'";

std::string path_of_vm(const std::string& id) { return std::string{agent_root} + "/vm/" + id; }

/// What goes wrong with one message harms no other: it isn't what the interface promises, and a C library waits for our return.
template <typename Handle>
void handled(Handle&& handle) noexcept
{
    try {
        handle();
    } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): as said
    }
}

}  // namespace

Feed::Feed(sdbus::IConnection& connection, EventLoop& loop, Remote& remote, Model& model, FeedListener listener)
    : loop_{&loop}, remote_{&remote}, model_{&model}, listener_{std::move(listener)}
{
    translated([&] {
        slots_.push_back(bus::on_messages(connection, vm_rule,
                                          [this](sdbus::Message& message) { handled([&] { on_message(message); }); }));
        slots_.push_back(bus::on_messages(connection, owner_rule,
                                          [this](sdbus::Message& message) { handled([&] { on_owner(message); }); }));
    });
}

void Feed::begin()
{
    ask_vms();
    ask_images();
    ask_operations();
    ask_about();
}

void Feed::on_owner(sdbus::Message& message)
{
    std::string name;
    std::string before;
    std::string now;
    message >> name >> before >> now;
    if (!before.empty()) {
        listener_.gone();
    }
}

void Feed::on_message(sdbus::Message& message)
{
    const std::string member{message.getMemberName()};
    if (member == "PropertiesChanged") {
        on_changed(message);
    } else if (member == "InterfacesAdded") {
        on_added(message);
    } else if (member == "InterfacesRemoved") {
        on_removed(message);
    }
}

void Feed::on_changed(sdbus::Message& message)
{
    const std::string path{message.getPath()};
    std::string interface;
    Properties changed;
    message >> interface >> changed;
    if (interface == vm_interface) {
        vm_changed(id_of(path, "vm"), changed);
    } else if (interface == operation_interface_name) {
        operation_changed(path, changed);
    }
}

void Feed::vm_changed(const std::string& id, const VariantMap& changed)
{
    if (const auto state = text_in(changed, "State"); state && set_state(model_->vms, id, *state)) {
        listener_.changed();
    }
    stale_.insert(id);
    refresh_soon(soon);
}

void Feed::operation_changed(const std::string& path, const VariantMap& changed)
{
    auto* operation = model_->operations.find(path);
    if (operation == nullptr) {
        ask_operation(path);
        return;
    }
    put_changes(*operation, changed);
    model_->operations.touch();
    listener_.changed();
}

void Feed::on_added(sdbus::Message& message)
{
    sdbus::ObjectPath path;
    Interfaces interfaces;
    message >> path >> interfaces;
    if (const auto vm = interfaces.find(vm_interface); vm != interfaces.end()) {
        put_vm(model_->vms, vm_of(vm->second));
    } else if (const auto operation = interfaces.find(operation_interface_name); operation != interfaces.end()) {
        OperationRow row{.path = path};
        put_changes(row, operation->second);
        model_->operations.put(std::move(row));
    } else if (interfaces.find(image_interface) != interfaces.end()) {
        images_changed();
    }
    listener_.changed();
}

void Feed::on_removed(sdbus::Message& message)
{
    sdbus::ObjectPath path;
    message >> path;
    if (const auto id = id_of(path, "vm"); !id.empty()) {
        model_->vms.erase(id);
        stale_.erase(id);
    } else if (!id_of(path, "image").empty()) {
        images_changed();
    } else {
        model_->operations.erase(path);
    }
    listener_.changed();
}

/// Several come and go at once when a bundle is taken in.
void Feed::images_changed()
{
    if (!images_) {
        images_ = loop_->after(soon, [this] {
            images_.reset();
            ask_images();
        });
    }
}

void Feed::refresh_soon(EventLoop::Milliseconds delay)
{
    if (!refresh_ && !lists_vms_ && !stale_.empty()) {
        refresh_ = loop_->after(delay, [this] {
            refresh_.reset();
            refresh();
        });
    }
}

void Feed::refresh()
{
    const auto ids = std::exchange(stale_, {});
    if (ids.size() > few) {
        ask_vms();
        return;
    }
    for (const auto& id : ids) {
        ask_vm(id);
    }
}

void Feed::ask_vms()
{
    lists_vms_ = true;
    const std::map<std::string, std::string> all;
    remote_->call<std::vector<BusVm>>(
        {agent_root, manager_interface, "ListVms"}, Remote::Limit::Usual,
        [this](const std::optional<Error>& problem, const std::vector<BusVm>& answer) {
            lists_vms_ = false;
            if (problem) {
                model_->say(problem->what(), Ink::Bad);
                ask_again();
            } else {
                std::vector<VmRow> rows;
                rows.reserve(answer.size());
                for (const auto& row : answer) {
                    rows.push_back(to_row(row));
                }
                put_vms(model_->vms, std::move(rows));
                model_->knows_vms = true;
            }
            listener_.changed();
            refresh_soon(after_a_listing);
        },
        all);
}

/// All of it, as no signal would bring what was there before. Changes that come meanwhile are in it.
void Feed::ask_again()
{
    refresh_ = loop_->after(after_a_failure, [this] {
        refresh_.reset();
        stale_.clear();
        begin();
    });
}

void Feed::ask_vm(const std::string& id)
{
    remote_->call<Properties>(
        {path_of_vm(id), properties_interface, "GetAll"}, Remote::Limit::Usual,
        [this, id](const std::optional<Error>& problem, const Properties& properties) {
            if (problem || model_->vms.find(id) == nullptr) {
                return;  // it went meanwhile
            }
            put_vm(model_->vms, vm_of(properties));
            if (model_->detail.id == id) {
                model_->detail.facts = facts_of(properties);
            }
            listener_.changed();
        },
        std::string{vm_interface});
}

void Feed::ask_facts(const std::string& id) { ask_vm(id); }

void Feed::ask_images()
{
    remote_->call<std::vector<BusImage>>(
        {agent_root, manager_interface, "ListImages"}, Remote::Limit::Usual,
        [this](const std::optional<Error>& problem, const std::vector<BusImage>& answer) {
            if (problem) {
                return;
            }
            std::vector<ImageRow> rows;
            for (const auto& row : answer) {
                rows.push_back(to_row(row));
            }
            model_->images.replace(std::move(rows));
            listener_.changed();
        });
}

/// There is no list of them; who they are says the introspection of the folder that they are in. NotFound: there never was one.
void Feed::ask_operations()
{
    const auto folder = std::string{agent_root} + "/operation";
    remote_->call<std::string>({folder, "org.freedesktop.DBus.Introspectable", "Introspect"}, Remote::Limit::Usual,
                               [this, folder](const std::optional<Error>& problem, const std::string& xml) {
                                   auto names = problem ? std::vector<std::string>{} : children_of(xml);
                                   names.resize(std::min(names.size(), most_operations));
                                   for (const auto& name : names) {
                                       ask_operation(std::string{folder}.append("/").append(name));
                                   }
                               });
}

void Feed::ask_operation(const std::string& path)
{
    remote_->call<Properties>(
        {path, properties_interface, "GetAll"}, Remote::Limit::Usual,
        [this, path](const std::optional<Error>& problem, const Properties& properties) {
            if (problem) {
                return;
            }
            OperationRow row{.path = path};
            put_changes(row, properties);
            model_->operations.put(std::move(row));
            listener_.changed();
        },
        std::string{operation_interface_name});
}

void Feed::ask_about()
{
    remote_->call<Properties>(
        {agent_root, properties_interface, "GetAll"}, Remote::Limit::Usual,
        [this](const std::optional<Error>& problem, const Properties& properties) {
            if (problem) {
                return;
            }
            auto& about = model_->about;
            about.version = text_in(properties, "Version").value_or("");
            about.state_directory = text_in(properties, "StateDirectory").value_or("");
            const auto warnings = properties.find("Warnings");
            about.warnings =
                warnings != properties.end() && warnings->second.containsValueOfType<std::vector<std::string>>()
                    ? warnings->second.get<std::vector<std::string>>()
                    : std::vector<std::string>{};
            listener_.changed();
        },
        std::string{manager_interface});
}

void Feed::ask_host()
{
    model_->host_is_looked_at = true;
    remote_->call<std::vector<BusHostRow>>(
        {agent_root, manager_interface, "Doctor"}, Remote::Limit::Usual,
        [this](const std::optional<Error>& problem, const std::vector<BusHostRow>& answer) {
            model_->host_is_looked_at = false;
            if (problem) {
                model_->say(problem->what(), Ink::Bad);
            } else {
                std::vector<HostRow> rows;
                for (const auto& row : answer) {
                    rows.push_back(to_row(row, rows.size()));
                }
                model_->host.replace(std::move(rows));
            }
            listener_.changed();
        });
}

void Feed::ask_numbers(const std::vector<std::string>& ids, std::function<void()> done)
{
    remote_->call<std::vector<BusNumbers>>(
        {agent_root, manager_interface, "Stats"}, Remote::Limit::Usual,
        [this, done = std::move(done)](const std::optional<Error>& problem, const std::vector<BusNumbers>& answer) {
            if (!problem) {  // NotFound: one of them went meanwhile
                for (const auto& row : answer) {
                    put_numbers(model_->vms, row.template get<0>(), row.template get<3>());
                }
                listener_.changed();
            }
            done();
        },
        ids);
}

void Feed::open_log(const std::string& id, const std::string& which, TakeLog take)
{
    remote_->call<sdbus::UnixFd, std::string>(
        {path_of_vm(id), vm_interface, "OpenLog"}, Remote::Limit::Usual,
        [take = std::move(take)](const std::optional<Error>& problem, const sdbus::UnixFd& file,
                                 const std::string& path) {
            handled([&] {
                auto copy = file;
                take(problem, problem ? UniqueFd{} : bus::take_fd(std::move(copy)), path);
            });
        },
        which);
}

}  // namespace banger::cli::tui
