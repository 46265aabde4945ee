// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/operation_object.hpp"

#include "agent/service/dispatch.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr auto operation_interface = "dev.banger.Agent1.Operation";

VariantMap to_variants(const nlohmann::json& object)
{
    VariantMap map;
    for (const auto& [key, value] : object.items()) {
        if (value.is_boolean()) {
            map.emplace(key, sdbus::Variant{value.get<bool>()});
        } else if (value.is_number_unsigned()) {
            map.emplace(key, sdbus::Variant{value.get<std::uint64_t>()});
        } else if (value.is_string()) {
            map.emplace(key, sdbus::Variant{to_utf8(value.get_ref<const std::string&>())});
        }
    }
    return map;
}

}  // namespace

sdbus::ObjectPath OperationObject::path_of(std::uint64_t id)
{
    return sdbus::ObjectPath{"/dev/banger/Agent1/operation/" + std::to_string(id)};
}

OperationObject::OperationObject(sdbus::IConnection& connection, OperationPtr operation)
    : AdaptorInterfaces{connection, path_of(operation->id())}, operation_{std::move(operation)}
{
    registerAdaptor();
    operation_->observe([this](const Operation&, Operation::Change change) { on_change(change); });
    tell_bus([this] { emitInterfacesAddedSignal(); });
}

OperationObject::~OperationObject()
{
    operation_->observe({});
    tell_bus([this] { emitInterfacesRemovedSignal(); });
    unregisterAdaptor();
}

void OperationObject::Cancel()
{
    answer("Cancel", [&] { operation_->cancel(); });
}

void OperationObject::Wait(Result&& result)
{
    if (operation_->state() == OperationState::Running) {
        waiting_.push_back(std::move(result));
    } else {
        answer_waiting(result);
    }
}

void OperationObject::answer_waiting(Result& result) const
{
    if (operation_->state() == OperationState::Done) {
        result.returnResults(to_variants(operation_->result()));
    } else {
        result.returnError(bus::to_bus_error(operation_->error().value()));
    }
}

std::string OperationObject::Stage() { return to_utf8(operation_->stage()); }

sdbus::Struct<std::string, std::string> OperationObject::Error()
{
    const auto& error = operation_->error();
    return error ? sdbus::Struct<std::string, std::string>{std::string{error_info(error->code()).dbus_name},
                                                           to_utf8(error->what())}
                 : sdbus::Struct<std::string, std::string>{"", ""};
}

void OperationObject::on_change(Operation::Change change)
{
    const auto tell = [this](std::initializer_list<const char*> properties) {
        tell_bus([&] { bus::emit_changed(getObject(), operation_interface, properties); });
    };
    switch (change) {
        case Operation::Change::Stage:
            tell({"Stage", "Fraction"});
            return;
        case Operation::Change::Fraction:
            tell({"Fraction"});
            return;
        case Operation::Change::State:
            tell({"State", "Error"});
            for (auto& result : std::exchange(waiting_, {})) {
                tell_bus([&] { answer_waiting(result); });
            }
    }
}

}  // namespace banger::agent
