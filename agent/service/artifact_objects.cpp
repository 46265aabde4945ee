// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/service/artifact_objects.hpp"

#include <algorithm>
#include <iterator>

#include "agent/service/dispatch.hpp"
#include "agent/service/operation_object.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

constexpr auto root_path = "/dev/banger/Agent1/";

/// One that lost its name to a newer one goes by its digest.
std::string path_element(const Artifact& artifact)
{
    return escape_for_path(artifact.name.empty() ? artifact.digest.str() : artifact.name);
}

/// The same content may have been made anew since, of something else.
Artifact as_it_is_now(const Artifacts& catalog, const Artifact& known)
{
    return catalog.find(known.digest.str()).value_or(known);
}

VariantMap details_of(const Artifact& artifact, const std::vector<std::string>& users)
{
    return {{"digest", sdbus::Variant{artifact.digest.str()}},
            {"path", sdbus::Variant{to_utf8(artifact.folder.string())}},
            {"size", sdbus::Variant{artifact.size}},
            {"used", sdbus::Variant{artifact.used}},
            {"origin", sdbus::Variant{to_utf8(artifact.origin)}},
            {"created", sdbus::Variant{artifact.created}},
            {"users", sdbus::Variant{users}}};
}

/// Of a pulled image.
void add_config(VariantMap& details, const Artifact& image)
{
    const auto& config = *image.config;
    // An image says what it likes, and the bus takes less than JSON does.
    const auto text = [](const std::string& bytes) { return sdbus::Variant{to_utf8(bytes)}; };
    const auto words = [](const std::vector<std::string>& list) {
        std::vector<std::string> sound;
        std::transform(list.begin(), list.end(), std::back_inserter(sound),
                       [](const std::string& word) { return to_utf8(word); });
        return sdbus::Variant{sound};
    };
    details.emplace("manifest", sdbus::Variant{image.manifest});
    details.emplace("entrypoint", words(config.entrypoint));
    details.emplace("command", words(config.command));
    details.emplace("environment", words(config.environment));
    details.emplace("user", text(config.user));
    details.emplace("working_dir", text(config.working_dir));
    details.emplace("stop_signal", text(config.stop_signal));
    details.emplace("exposed_ports", words(config.exposed_ports));
    details.emplace("systemd", sdbus::Variant{config.systemd});
}

}  // namespace

std::string escape_for_path(std::string_view name)
{
    constexpr std::string_view digits = "0123456789abcdef";
    std::string escaped;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (plain) {
            escaped += c;
        } else {
            escaped += {'_', digits[byte >> 4U], digits[byte & 0xfU]};
        }
    }
    return escaped;
}

sdbus::ObjectPath ImageObject::path_of(const Artifact& image)
{
    return sdbus::ObjectPath{std::string{root_path} + "image/" + path_element(image)};
}

ImageObject::ImageObject(sdbus::IConnection& connection, Agent& agent, Artifact image, std::function<void()> deleted)
    : AdaptorInterfaces{connection, path_of(image)},
      agent_{&agent},
      image_{std::move(image)},
      deleted_{std::move(deleted)}
{
    registerAdaptor();
    tell_bus([this] { emitInterfacesAddedSignal(); });
}

ImageObject::~ImageObject()
{
    tell_bus([this] { emitInterfacesRemovedSignal(); });
    unregisterAdaptor();
}

void ImageObject::users_changed()
{
    tell_bus([this] { bus::emit_changed(getObject(), "dev.banger.Agent1.Image", {"Details"}); });
}

void ImageObject::Delete()
{
    answer("Image.Delete", [&] {
        agent_->delete_image(image_);
        deleted_();
    });
}

sdbus::ObjectPath ImageObject::Verify()
{
    return answer("Image.Verify", [&] { return OperationObject::path_of(agent_->verify_image(image_)->id()); });
}

VariantMap ImageObject::Details()
{
    return answer("Image.Details", [&] {
        const auto image = as_it_is_now(agent_->images(), image_);
        auto details = details_of(image, agent_->users_of_image(image.digest));
        if (image.config) {
            add_config(details, image);
        }
        return details;
    });
}

sdbus::ObjectPath KernelObject::path_of(const Artifact& kernel)
{
    return sdbus::ObjectPath{std::string{root_path} + "kernel/" + path_element(kernel)};
}

KernelObject::KernelObject(sdbus::IConnection& connection, Agent& agent, Artifact kernel, std::function<void()> deleted)
    : AdaptorInterfaces{connection, path_of(kernel)},
      agent_{&agent},
      kernel_{std::move(kernel)},
      deleted_{std::move(deleted)}
{
    registerAdaptor();
    tell_bus([this] { emitInterfacesAddedSignal(); });
}

KernelObject::~KernelObject()
{
    tell_bus([this] { emitInterfacesRemovedSignal(); });
    unregisterAdaptor();
}

void KernelObject::users_changed()
{
    tell_bus([this] { bus::emit_changed(getObject(), "dev.banger.Agent1.Kernel", {"Details"}); });
}

void KernelObject::Delete()
{
    answer("Kernel.Delete", [&] {
        agent_->delete_kernel(kernel_);
        deleted_();
    });
}

VariantMap KernelObject::Details()
{
    return answer("Kernel.Details", [&] {
        const auto kernel = as_it_is_now(agent_->kernels(), kernel_);
        auto details = details_of(kernel, agent_->users_of_kernel(kernel.digest));
        details.emplace("version", sdbus::Variant{kernel.version});
        return details;
    });
}

}  // namespace banger::agent
