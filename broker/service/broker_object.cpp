// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/broker_object.hpp"

#include <algorithm>
#include <memory>
#include <optional>

#include "broker/core/base_file.hpp"
#include "broker/core/name_server.hpp"
#include "broker/service/log.hpp"
#include "broker/service/reply.hpp"
#include "dbus/compat/bus.hpp"

namespace banger::broker {
namespace {

constexpr std::uint32_t flag_network = 2;  // of StartSandbox
constexpr std::uint32_t flag_nat = 4;      // of CreateSandbox

/// 32 bytes as 64 digits; none as "".
std::string digest_of(const std::vector<std::uint8_t>& bytes)
{
    constexpr std::size_t length = 32;
    constexpr std::string_view digits = "0123456789abcdef";
    if (!bytes.empty() && bytes.size() != length) {
        throw Error{ErrorCode::InvalidArgument, "base_digest must be the 32 bytes of a sha256"};
    }
    std::string text;
    for (const auto byte : bytes) {
        text += digits[byte >> 4U];
        text += digits[byte & 0xfU];
    }
    return text;
}

std::optional<BaseDisk> base_disk(std::vector<sdbus::UnixFd> files, const std::vector<std::uint8_t>& digest,
                                  const BrokerObject::Parts& parts)
{
    if (files.size() > 1) {
        throw Error{ErrorCode::InvalidArgument, "base must have one descriptor at most"};
    }
    if (files.empty()) {
        return std::nullopt;
    }
    auto file = bus::take_fd(std::move(files.front()));
    check_opening(parts.opening_facts(file.get()));
    const auto size = check_base(parts.file_facts(file.get()));
    return BaseDisk{.file = std::move(file), .size = size, .digest = digest_of(digest)};
}

SandboxKey key_of(const Caller& caller, const std::string& id)
{
    return {.uid = caller.uid, .id = SandboxId::parse(id)};
}

}  // namespace

BrokerObject::BrokerObject(sdbus::IConnection& connection, Parts parts)
    : AdaptorInterfaces{connection, sdbus::ObjectPath{path}}, parts_{std::move(parts)}
{
    registerAdaptor();
}

BrokerObject::~BrokerObject() { unregisterAdaptor(); }

/// `then` gets the job's value, or nullopt and its failure, on the loop.
template <typename Job, typename Then>
void BrokerObject::lane_then(Lane& lane, Job job, Then then)
{
    using Value = decltype(job());
    const auto work = std::make_shared<Job>(std::move(job));  // std::function wants to copy it
    const bool taken = lane.submit([this, work, then] {
        auto value = std::make_shared<std::optional<Value>>();
        std::optional<Failure> failure;
        try {
            *value = (*work)();
        } catch (...) {
            failure = failure_of(std::current_exception());
        }
        parts_.loop.post([then, value, failure = std::move(failure)] { then(std::move(*value), failure); });
    });
    if (!taken) {
        const Error full{ErrorCode::Unavailable, "banger-broker has too much to do; try again"};
        parts_.loop.post([then, full] { then(std::optional<Value>{}, Failure{full, full.what()}); });
    }
}

/// A call whose work is one job of the lane.
template <typename... Values, typename Job>
void BrokerObject::on_lane(Words words, sdbus::Result<Values...>&& result, Job job)
{
    const auto reply = std::make_shared<Reply<Values...>>(std::move(result));
    const auto work = std::make_shared<Job>(std::move(job));
    parts_.gate.serve({.method = words.method,
                       .sender = bus::sender_of(getObject()),
                       .object = std::move(words.object),
                       .flags = words.flags,
                       .more_flags = words.more_flags,
                       .more_bytes = words.more_bytes,
                       .work =
                           [this, reply, work](const Caller& caller, Gate::Done done) {
                               lane_then(
                                   parts_.lane,
                                   [this, work, caller] {
                                       know(caller);
                                       return (*work)(caller);
                                   },
                                   [reply, done = std::move(done)](auto value, const std::optional<Failure>& failure) {
                                       if (failure) {
                                           reply->fail(failure->error);
                                       } else {
                                           reply->send(std::move(*value));
                                       }
                                       done(failure);
                                   });
                           },
                       .refuse = [reply](const Error& why) { reply->fail(why); }});
}

/// A call whose work goes back and forth; `begin` gets the caller and what ends it.
template <typename Begin>
void BrokerObject::in_steps(Words words, sdbus::Result<>&& result, Begin begin)
{
    const auto reply = std::make_shared<Reply<>>(std::move(result));
    const auto work = std::make_shared<Begin>(std::move(begin));
    parts_.gate.serve({.method = words.method,
                       .sender = bus::sender_of(getObject()),
                       .object = std::move(words.object),
                       .flags = words.flags,
                       .work =
                           [reply, work](const Caller& caller, const Gate::Done& done) {
                               (*work)(caller, [reply, done](std::optional<Failure> failure) {
                                   if (failure) {
                                       reply->fail(failure->error);
                                   } else {
                                       reply->send({});
                                   }
                                   done(std::move(failure));
                               });
                           },
                       .refuse = [reply](const Error& why) { reply->fail(why); }});
}

void BrokerObject::CreateSandbox(sdbus::Result<>&& result, std::string id, Ids base_digest, std::uint64_t cow_bytes,
                                 std::uint32_t flags)
{
    const auto nat = (flags & flag_nat) != 0 ? Nat::On : Nat::Off;
    const auto more_bytes = base_digest.size();
    on_lane({.method = nat == Nat::On ? Method::CreateWithNat : Method::CreateSandbox,
             .object = id + (nat == Nat::On ? " with NAT" : ""),
             .flags = flags,
             .more_flags = flag_nat,
             .more_bytes = more_bytes},
            std::move(result), [this, id, base_digest = std::move(base_digest), cow_bytes, nat](const Caller& caller) {
                parts_.sandboxes.create(key_of(caller, id), caller.user, digest_of(base_digest), ByteSize{cow_bytes},
                                        nat);
                return std::tuple{};
            });
}

void BrokerObject::StartSandbox(
    sdbus::Result<std::string, std::string, std::string, std::string, std::uint32_t, std::string>&& result,
    std::string id, std::vector<sdbus::UnixFd> base, Ids base_digest, std::uint32_t flags)
{
    const auto more_bytes = base_digest.size() + base.size() * sizeof(std::uint32_t);
    on_lane({.method = Method::StartSandbox,
             .object = id,
             .flags = flags,
             .more_flags = flag_network,
             .more_bytes = more_bytes},
            std::move(result),
            [this, id, base = std::move(base), digest = std::move(base_digest), flags](const Caller& caller) mutable {
                const auto disk = base_disk(std::move(base), digest, parts_);
                const auto tap = (flags & flag_network) != 0 ? Sandboxes::Tap::Yes : Sandboxes::Tap::No;
                const auto started = parts_.sandboxes.start(key_of(caller, id), disk, tap);
                parts_.loop.post([this, caller] { remember(caller); });
                const auto& net = started.network;
                return std::tuple{started.disk,
                                  net ? net->tap : "",
                                  net ? ipv4_text(net->guest) : "",
                                  net ? ipv4_text(net->gateway) : "",
                                  net ? std::uint32_t{SandboxNetwork::prefix} : 0U,
                                  net ? mac_text(net->mac) : ""};
            });
}

void BrokerObject::StopSandbox(sdbus::Result<>&& result, std::string id)
{
    on_lane({.method = Method::StopSandbox, .object = id}, std::move(result), [this, id](const Caller& caller) {
        parts_.sandboxes.stop(key_of(caller, id));
        return std::tuple{};
    });
}

void BrokerObject::GrowSandbox(sdbus::Result<>&& result, std::string id, std::uint64_t cow_bytes)
{
    on_lane({.method = Method::GrowSandbox, .object = id}, std::move(result),
            [this, id, cow_bytes](const Caller& caller) {
                parts_.sandboxes.grow(key_of(caller, id), ByteSize{cow_bytes});
                return std::tuple{};
            });
}

void BrokerObject::CloneSandbox(sdbus::Result<>&& result, std::string id, std::string new_id)
{
    in_steps({.method = Method::CloneSandbox, .object = id + " " + new_id}, std::move(result),
             [this, id, new_id](const Caller& caller, const Gate::Done& done) {
                 const auto from = key_of(caller, id);
                 const auto to = key_of(caller, new_id);
                 lane_then(
                     parts_.lane,
                     [this, caller, from, to] {
                         know(caller);
                         parts_.sandboxes.begin_clone(from, to);
                         return true;
                     },
                     [this, from, to, done](std::optional<bool>, const std::optional<Failure>& failure) {
                         if (failure) {
                             done(failure);
                         } else {
                             copy_clone(from, to, done);
                         }
                     });
             });
}

void BrokerObject::copy_clone(const SandboxKey& from, const SandboxKey& to, const Gate::Done& done)
{
    const auto end = [this, from, to, done](std::optional<bool>, const std::optional<Failure>& failure) {
        lane_then(
            parts_.lane,
            [this, from, to, failed = failure.has_value()] {
                parts_.sandboxes.end_clone(from, to, failed ? Sandboxes::Copy::Failed : Sandboxes::Copy::Whole);
                return true;
            },
            [done, failure](std::optional<bool>, const std::optional<Failure>& at_end) {
                done(failure ? failure : at_end);
            });
    };
    lane_then(
        parts_.copies,
        [this, from, to] {
            parts_.files.clone(from, to);
            return true;
        },
        end);
}

void BrokerObject::SetNat(sdbus::Result<>&& result, std::string id, bool enabled, std::uint32_t flags)
{
    on_lane({.method = enabled ? Method::EnableNat : Method::DisableNat,
             .object = id + (enabled ? " on" : " off"),
             .flags = flags},
            std::move(result), [this, id, enabled](const Caller& caller) {
                parts_.sandboxes.set_nat(key_of(caller, id), enabled ? Nat::On : Nat::Off);
                return std::tuple{};
            });
}

void BrokerObject::PublishName(sdbus::Result<>&& result, std::string id, std::string name, sdbus::UnixFd server)
{
    using Place = std::pair<SandboxNetwork, std::uint16_t>;
    auto socket = std::make_shared<sdbus::UnixFd>(std::move(server));
    in_steps(
        {.method = Method::PublishName, .object = id + " " + name}, std::move(result),
        [this, id, name, socket](const Caller& caller, const Gate::Done& done) {
            const auto key = key_of(caller, id);
            const auto label = VmName::parse(name).str();
            lane_then(
                parts_.lane,
                [this, caller, key, label, file = bus::take_fd(std::move(*socket))]() mutable {
                    know(caller);
                    const auto network = parts_.sandboxes.check_name(key, label);
                    const auto port = check_name_server(parts_.socket_facts(file.get()), network);
                    parts_.sandboxes.set_name(key, label, std::move(file));
                    return Place{network, port};
                },
                [this, key, label, done](const std::optional<Place>& place, const std::optional<Failure>& failure) {
                    if (failure) {
                        done(failure);
                    } else {
                        route_name(key, label, place->second, place->first, done);
                    }
                });
        });
}

/// A name that can't be routed is given back.
void BrokerObject::route_name(const SandboxKey& key, const std::string& name, std::uint16_t port,
                              const SandboxNetwork& network, const Gate::Done& done)
{
    parts_.names.publish(network, name, port, [this, key, done](const std::optional<Error>& problem) {
        if (!problem) {
            done(std::nullopt);
            return;
        }
        const Failure failure{*problem, problem->what()};
        lane_then(
            parts_.lane,
            [this, key] {
                parts_.sandboxes.set_name(key, "");
                return true;
            },
            [done, failure](std::optional<bool>, const std::optional<Failure>&) { done(failure); });
    });
}

void BrokerObject::WithdrawName(sdbus::Result<>&& result, std::string id)
{
    in_steps({.method = Method::WithdrawName, .object = id}, std::move(result),
             [this, id](const Caller& caller, const Gate::Done& done) {
                 const auto key = key_of(caller, id);
                 lane_then(
                     parts_.lane,
                     [this, caller, key] {
                         know(caller);
                         return parts_.sandboxes.set_name(key, "");
                     },
                     [this, done](std::optional<SandboxNetwork> network, const std::optional<Failure>& failure) {
                         if (failure) {
                             done(failure);
                             return;
                         }
                         // A link that is gone has no names: what becomes of this is no failure of the call.
                         parts_.names.withdraw(*network, [done](const std::optional<Error>&) { done(std::nullopt); });
                     });
             });
}

void BrokerObject::DestroySandbox(sdbus::Result<>&& result, std::string id)
{
    on_lane({.method = Method::DestroySandbox, .object = id}, std::move(result), [this, id](const Caller& caller) {
        parts_.sandboxes.destroy(key_of(caller, id), Sandboxes::Force::No);
        return std::tuple{};
    });
}

void BrokerObject::List(sdbus::Result<std::vector<ListRow>>&& result)
{
    on_lane({.method = Method::List}, std::move(result), [this](const Caller& caller) {
        parts_.loop.post([this, caller] { remember(caller); });
        std::vector<ListRow> rows;
        for (const auto& view : parts_.sandboxes.list(caller.uid)) {
            const auto& net = view.network;
            rows.emplace_back(view.record.key.id.str(), view.state(), view.disk, net ? net->tap : "",
                              net ? ipv4_text(net->guest) : "", net ? ipv4_text(net->gateway) : "",
                              view.record.nat == Nat::On, view.record.name, view.used.bytes(), view.allocated.bytes(),
                              view.record.cow_limit.bytes());
        }
        return std::tuple{std::move(rows)};
    });
}

void BrokerObject::AdminList(sdbus::Result<std::vector<AdminRow>>&& result, std::uint32_t flags)
{
    on_lane({.method = Method::AdminList, .flags = flags}, std::move(result), [this](const Caller&) {
        std::vector<AdminRow> rows;
        for (const auto& view : parts_.sandboxes.list(std::nullopt)) {
            rows.emplace_back(view.record.key.uid, view.record.user, view.record.key.id.str(), view.state(),
                              view.allocated.bytes(), view.record.cow_limit.bytes());
        }
        return std::tuple{std::move(rows)};
    });
}

void BrokerObject::AdminDestroy(sdbus::Result<>&& result, std::uint32_t uid, std::string id, std::uint32_t flags)
{
    on_lane({.method = Method::AdminDestroy, .object = std::to_string(uid) + " " + id, .flags = flags},
            std::move(result), [this, uid, id](const Caller&) {
                parts_.sandboxes.destroy({.uid = uid, .id = SandboxId::parse(id)}, Sandboxes::Force::Yes);
                return std::tuple{};
            });
}

/// Before anything is done for a call, in the lane: what another user has left with this uid is not the caller's (R32).
void BrokerObject::know(const Caller& caller)
{
    for (auto& text : parts_.sandboxes.know_user(caller.uid, caller.user)) {
        parts_.loop.post([text = std::move(text)] { log::warn(log::Event::Reconciled, text); });
    }
}

void BrokerObject::remember(const Caller& caller)
{
    constexpr std::size_t most = 8;
    auto& names = listeners_[caller.uid];
    std::erase(names, caller.sender);
    names.push_back(caller.sender);
    if (names.size() > most) {
        names.erase(names.begin());
    }
}

void BrokerObject::tell_owner(const SandboxView& view)
{
    for (const auto& name : listeners_[view.record.key.uid]) {
        bus::emit_to(getObject(), name, "dev.banger.Broker1", "SandboxChanged", view.record.key.id.str(),
                     std::string{view.state()}, view.used.bytes(), view.allocated.bytes(),
                     view.record.cow_limit.bytes());
    }
}

}  // namespace banger::broker
