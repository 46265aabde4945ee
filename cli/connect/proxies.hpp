// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "dbus/compat/bus.hpp"

#include <map>
#include <string>

#include <agent1_proxy.hpp>

namespace banger::cli {

inline constexpr auto agent_bus_name = "dev.banger.Agent1";
inline constexpr auto agent_root = "/dev/banger/Agent1";

using VariantMap = std::map<std::string, sdbus::Variant>;

/// All properties of one interface in one call. Not sdbus-c++'s own class, as its names have other types in 2.x.
class PropertiesInterface {
public:
    VariantMap get_all(const std::string& interface)
    {
        VariantMap values;
        proxy_.callMethod("GetAll")
            .onInterface("org.freedesktop.DBus.Properties")
            .withArguments(interface)
            .storeResultsTo(values);
        return values;
    }
    void registerProxy() {}  // what 2.x calls on each interface

protected:
    explicit PropertiesInterface(sdbus::IProxy& proxy) : proxy_{proxy} {}
    ~PropertiesInterface() = default;

private:
    sdbus::IProxy& proxy_;
};

/// A proxy of one object of bangerd's; the connection must outlive it. Its calls throw sdbus::Error.
template <typename Interface>
class Object final : public sdbus::ProxyInterfaces<Interface, PropertiesInterface> {
public:
    Object(sdbus::IConnection& connection, const std::string& path)
        : sdbus::ProxyInterfaces<Interface, PropertiesInterface>{connection, bus::ServiceName{agent_bus_name},
                                                                 sdbus::ObjectPath{path}}
    {
        this->registerProxy();
    }
    Object(const Object&) = delete;
    Object& operator=(const Object&) = delete;
    ~Object() { this->unregisterProxy(); }

    VariantMap properties() { return this->get_all(Interface::INTERFACE_NAME); }
};

using ManagerProxy = Object<dev::banger::Agent1::Manager_proxy>;
using VmProxy = Object<dev::banger::Agent1::Vm_proxy>;
using ImageProxy = Object<dev::banger::Agent1::Image_proxy>;
using KernelProxy = Object<dev::banger::Agent1::Kernel_proxy>;

/// What bangerd answered, or, where the bus answered for it, that it went away.
inline Error agent_error(const sdbus::Error& error)
{
    const std::string& name = error.getName();
    auto translated = bus::from_bus_error(error);
    if (translated.code() != ErrorCode::Unavailable || error_code_of(name)) {
        return translated;
    }
    return {ErrorCode::Unavailable,
            "bangerd went away before it answered; banger vm list starts it again and shows what there is"};
}

/// Runs calls on proxies; what they throw arrives as banger::Error.
template <typename Calls>
decltype(auto) translated(Calls&& calls)
{
    try {
        return calls();
    } catch (const sdbus::Error& error) {
        throw agent_error(error);
    }
}

}  // namespace banger::cli
