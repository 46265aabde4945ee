// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <agent1_adaptor.hpp>

#include "agent/service/agent.hpp"
#include "agent/service/options.hpp"

namespace banger::agent {

/// A name as an element of an object path: every byte outside [A-Za-z0-9] becomes _ and two hex digits.
std::string escape_for_path(std::string_view name);

/// dev.banger.Agent1.Image for one image.
class ImageObject final : public sdbus::AdaptorInterfaces<dev::banger::Agent1::Image_adaptor, sdbus::Properties_adaptor,
                                                          sdbus::ManagedObject_adaptor> {
public:
    static sdbus::ObjectPath path_of(const Artifact& image);
    ImageObject(sdbus::IConnection& connection, Agent& agent, Artifact image, std::function<void()> deleted);
    ~ImageObject();
    void users_changed();

private:
    void Delete() override;
    sdbus::ObjectPath Verify() override;
    std::string Name() override { return image_.name; }
    VariantMap Details() override;

    Agent* agent_;
    Artifact image_;
    std::function<void()> deleted_;
};

/// dev.banger.Agent1.Kernel for one kernel.
class KernelObject final : public sdbus::AdaptorInterfaces<dev::banger::Agent1::Kernel_adaptor,
                                                           sdbus::Properties_adaptor, sdbus::ManagedObject_adaptor> {
public:
    static sdbus::ObjectPath path_of(const Artifact& kernel);
    KernelObject(sdbus::IConnection& connection, Agent& agent, Artifact kernel, std::function<void()> deleted);
    ~KernelObject();
    void users_changed();

private:
    void Delete() override;
    std::string Name() override { return kernel_.name; }
    VariantMap Details() override;

    Agent* agent_;
    Artifact kernel_;
    std::function<void()> deleted_;
};

}  // namespace banger::agent
