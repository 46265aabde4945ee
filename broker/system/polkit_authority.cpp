// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/system/polkit_authority.hpp"

#include <map>

#include "dbus/compat/bus.hpp"

namespace banger::broker {
namespace {

constexpr auto authority_interface = "org.freedesktop.PolicyKit1.Authority";
constexpr std::uint32_t allow_user_interaction = 1;

/// org.freedesktop.PolicyKit1.Authority, CheckAuthorization: (bba{ss}), is authorized, is challenge, details.
using Result = sdbus::Struct<bool, bool, std::map<std::string, std::string>>;
using Subject = sdbus::Struct<std::string, std::map<std::string, sdbus::Variant>>;

Authority::Answer answer_of(const Result& result)
{
    if (result.get<0>()) {
        return Authority::Answer::Yes;
    }
    return result.get<1>() ? Authority::Answer::Challenge : Authority::Answer::No;
}

/// Ours alone, so that two brokers in a row don't meet.
std::string cancellation_id(Authority::Ticket ticket) { return "banger-" + std::to_string(ticket); }

}  // namespace

PolkitAuthority::PolkitAuthority(sdbus::IConnection& bus)
    : polkit_{sdbus::createProxy(bus, bus::ServiceName{"org.freedesktop.PolicyKit1"},
                                 sdbus::ObjectPath{"/org/freedesktop/PolicyKit1/Authority"})}
{
}

PolkitAuthority::~PolkitAuthority() = default;

Authority::Ticket PolkitAuthority::ask(const std::string& sender, const std::string& action, const Details& details,
                                       Interaction interaction, std::function<void(Answer)> answered)
{
    const auto ticket = ++last_;
    const Subject subject{"system-bus-name", {{"name", sdbus::Variant{sender}}}};
    const std::uint32_t flags = interaction == Interaction::Allowed ? allow_user_interaction : 0;
    open_.insert(ticket);
    polkit_->callMethodAsync("CheckAuthorization")
        .onInterface(authority_interface)
        // Gate has the limit; polkit's own answer may take as long as a person does.
        .withTimeout(std::chrono::minutes{5})
        .withArguments(subject, action, details, flags, cancellation_id(ticket))
        .uponReplyInvoke([this, ticket, answered = std::move(answered)](bus::MaybeError error, const Result& result) {
            if (open_.erase(ticket) > 0) {
                answered(error ? Answer::Unavailable : answer_of(result));
            }
        });
    return ticket;
}

void PolkitAuthority::forget(Ticket ticket) noexcept
{
    if (open_.erase(ticket) == 0) {
        return;
    }
    try {
        polkit_->callMethodAsync("CancelCheckAuthorization")
            .onInterface(authority_interface)
            .withArguments(cancellation_id(ticket))
            .uponReplyInvoke([](bus::MaybeError) {});
    } catch (const sdbus::Error&) {  // NOLINT(bugprone-empty-catch): polkit that is gone asks nobody
    }
}

}  // namespace banger::broker
