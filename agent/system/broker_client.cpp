// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/broker_client.hpp"

#include <arpa/inet.h>
#include <fcntl.h>

#include <algorithm>
#include <broker1_proxy.hpp>
#include <cerrno>
#include <map>
#include <tuple>

#include "agent/system/system_bus.hpp"

namespace banger::agent {
namespace {

using std::chrono::milliseconds;

constexpr auto broker_name = "dev.banger.Broker1";
constexpr auto broker_path = "/dev/banger/Broker1";
constexpr auto broker_interface = "dev.banger.Broker1";
constexpr auto manage_action = "dev.banger.manage-sandboxes";
constexpr std::uint32_t flag_interactive = 1;
constexpr std::uint32_t flag_network = 2;
constexpr std::uint32_t flag_nat = 4;

using Bytes = std::vector<std::uint8_t>;
using ListedRow = sdbus::Struct<std::string, std::string, std::string, std::string, std::string, std::string, bool,
                                std::string, std::uint64_t, std::uint64_t, std::uint64_t>;
using PolkitSubject = sdbus::Struct<std::string, std::map<std::string, sdbus::Variant>>;
using PolkitResult = sdbus::Struct<bool, bool, std::map<std::string, std::string>>;

/// From the wire. What the bus itself says of a service that isn't there, is another one, or went away, becomes our own words.
Error translated(const sdbus::Error& error)
{
    const std::string& name = error.getName();
    const std::string& sentence = error.getMessage();
    const auto is = [&name](std::initializer_list<const char*> known) {
        return std::any_of(known.begin(), known.end(), [&name](const char* one) {
            return name == std::string{"org.freedesktop.DBus.Error."} + one;
        });
    };
    if (name.starts_with("dev.banger.Error.")) {
        return bus::from_bus_error(error);
    }
    if (is({"ServiceUnknown", "NameHasNoOwner"})) {
        return Error{ErrorCode::HostLacks,
                     "this host has no banger-broker; the banger package, installed for all users, brings it"};
    }
    if (is({"UnknownMethod", "UnknownInterface", "UnknownObject", "InvalidArgs", "InvalidSignature"})) {
        return Error{ErrorCode::HostLacks, "banger-broker is of another version than bangerd (" + sentence +
                                               "); upgrade the banger package, then systemctl stop banger-broker"};
    }
    if (is({"AccessDenied"})) {
        return Error{ErrorCode::NotAuthorized, "the system bus lets you not speak to banger-broker: " + sentence};
    }
    if (is({"NoReply", "Timeout", "TimedOut"}) && sentence.find("timed out") != std::string::npos) {
        return Error{ErrorCode::TimedOut,
                     "banger-broker gives no answer; systemctl status banger-broker says what it does"};
    }
    return Error{ErrorCode::Unavailable, "banger-broker went away: " + sentence};
}

BusMethod of_broker(const char* name, milliseconds limit) { return {broker_interface, name, limit, translated}; }

Bytes bytes_of(const Digest& digest)
{
    constexpr int hexadecimal = 16;
    const auto& text = digest.str();
    Bytes bytes;
    for (std::size_t at = 0; at + 1 < text.size(); at += 2) {
        bytes.push_back(static_cast<std::uint8_t>(std::stoi(text.substr(at, 2), nullptr, hexadecimal)));
    }
    return bytes;
}

/// Open for reading alone: that is what the broker takes.
std::vector<sdbus::UnixFd> opened(const std::optional<SandboxBase>& base)
{
    std::vector<sdbus::UnixFd> descriptors;
    if (base) {
        UniqueFd file{::open(base->file.c_str(), O_RDONLY | O_CLOEXEC)};
        if (!file) {
            throw errno_error("can't open " + base->file.string(), errno);
        }
        descriptors.push_back(bus::give_fd(std::move(file)));
    }
    return descriptors;
}

SandboxRow row_of(const ListedRow& listed)
{
    const auto& state = std::get<1>(listed);
    return {.id = std::get<0>(listed),
            .state = state == "held"      ? SandboxRow::State::Held
                     : state == "running" ? SandboxRow::State::Running
                     : state == "broken"  ? SandboxRow::State::Broken
                                          : SandboxRow::State::Stopped,
            .nat = std::get<6>(listed) ? Nat::On : Nat::Off,
            .name = std::get<7>(listed),
            .used = ByteSize{std::get<8>(listed)},
            .allocated = ByteSize{std::get<9>(listed)},
            .limit = ByteSize{std::get<10>(listed)}};
}

/// Dotted form to host byte order. Throws Failed: the broker said something else.
std::uint32_t ipv4_of(const std::string& text)
{
    in_addr address{};
    if (::inet_pton(AF_INET, text.c_str(), &address) != 1) {
        throw Error{ErrorCode::Failed, "banger-broker gave an address that is none"};
    }
    return ntohl(address.s_addr);
}

std::uint32_t flags_of(Prompt prompt) { return prompt == Prompt::Allowed ? flag_interactive : 0; }

}  // namespace

/// The broker's object.
class BrokerClient::Object final : public RegisteredProxy<dev::banger::Broker1_proxy> {
public:
    Object(sdbus::IConnection& bus, std::function<void()> changed)
        : RegisteredProxy{bus, broker_name, broker_path}, changed_{std::move(changed)}
    {
    }

private:
    // Anybody on the bus may send this to us, so nothing of it is believed.
    void onSandboxChanged(const std::string&, const std::string&, const std::uint64_t&, const std::uint64_t&,
                          const std::uint64_t&) override
    {
        changed_();
    }
    void onCreateSandboxReply(bus::MaybeError) override {}
    void onStartSandboxReply(const std::string&, const std::string&, const std::string&, const std::string&,
                             const std::uint32_t&, const std::string&, bus::MaybeError) override
    {
    }
    void onStopSandboxReply(bus::MaybeError) override {}
    void onGrowSandboxReply(bus::MaybeError) override {}
    void onCloneSandboxReply(bus::MaybeError) override {}
    void onSetNatReply(bus::MaybeError) override {}
    void onPublishNameReply(bus::MaybeError) override {}
    void onWithdrawNameReply(bus::MaybeError) override {}
    void onDestroySandboxReply(bus::MaybeError) override {}
    void onListReply(const std::vector<ListedRow>&, bus::MaybeError) override {}
    void onAdminListReply(const std::vector<sdbus::Struct<std::uint32_t, std::string, std::string, std::string,
                                                          std::uint64_t, std::uint64_t>>&,
                          bus::MaybeError) override
    {
    }
    void onAdminDestroyReply(bus::MaybeError) override {}

    std::function<void()> changed_;
};

BrokerClient::BrokerClient(EventLoop& loop, BrokerLimits limits) : loop_{&loop}, limits_{limits}, names_{loop}
{
    const auto change = [this, later = Later{loop, alive_}] {
        later([this] {
            if (changed_) {
                changed_();
            }
        });
    };
    bus_ = std::make_unique<SystemBus<Object>>(
        loop, [change](sdbus::IConnection& connection) { return std::make_unique<Object>(connection, change); },
        std::function<void()>{});
}

BrokerClient::~BrokerClient() = default;

/// Held by whoever calls on it: the bus may be lost meanwhile.
Task<std::shared_ptr<BusLink<BrokerClient::Object>>> BrokerClient::link(milliseconds limit)
{
    try {
        auto held = co_await bus_->open(limit);
        co_return held;
    } catch (const Error& error) {
        if (error.code() != ErrorCode::HostLacks) {
            throw;
        }
        throw Error{ErrorCode::HostLacks, std::string{"there is no banger-broker, as "} + error.what()};
    }
}

Task<void> BrokerClient::create(std::string id, std::optional<Digest> base, ByteSize overlay, Nat nat, Prompt prompt)
{
    const auto held = co_await link(limits_.call);
    const auto limit = prompt == Prompt::Allowed ? limits_.asking : limits_.call;
    const auto digest = base ? bytes_of(*base) : Bytes{};
    const std::uint32_t flags = flags_of(prompt) | (nat == Nat::On ? flag_nat : 0U);
    const auto answer = call_on_bus<>(*loop_, held->object->proxy(), of_broker("CreateSandbox", limit), id, digest,
                                      overlay.bytes(), flags);
    co_await answer.wait();
}

Task<StartedSandbox> BrokerClient::start(std::string id, std::optional<SandboxBase> base, SandboxNetwork network)
{
    const auto held = co_await link(limits_.call);
    const auto descriptors = opened(base);
    const auto digest = base ? bytes_of(base->digest) : Bytes{};
    const std::uint32_t flags = network == SandboxNetwork::Tap ? flag_network : 0;
    const auto answer = call_on_bus<std::string, std::string, std::string, std::string, std::uint32_t, std::string>(
        *loop_, held->object->proxy(), of_broker("StartSandbox", limits_.call), id, descriptors, digest, flags);
    const auto [disk, tap, guest_address, gateway, prefix, mac] = co_await answer.wait();
    StartedSandbox started{disk, tap, guest_address, gateway, prefix, mac};
    co_return started;
}

Task<void> BrokerClient::stop(std::string id)
{
    const auto held = co_await link(limits_.call);
    const auto answer = call_on_bus<>(*loop_, held->object->proxy(), of_broker("StopSandbox", limits_.call), id);
    co_await answer.wait();
}

Task<void> BrokerClient::grow(std::string id, ByteSize overlay)
{
    const auto held = co_await link(limits_.call);
    const auto answer =
        call_on_bus<>(*loop_, held->object->proxy(), of_broker("GrowSandbox", limits_.call), id, overlay.bytes());
    co_await answer.wait();
}

Task<void> BrokerClient::set_nat(std::string id, Nat nat, Prompt prompt)
{
    const auto held = co_await link(limits_.call);
    const auto limit = prompt == Prompt::Allowed ? limits_.asking : limits_.call;
    const auto answer =
        call_on_bus<>(*loop_, held->object->proxy(), of_broker("SetNat", limit), id, nat == Nat::On, flags_of(prompt));
    co_await answer.wait();
}

Task<void> BrokerClient::destroy(std::string id)
{
    const auto held = co_await link(limits_.call);
    const auto answer = call_on_bus<>(*loop_, held->object->proxy(), of_broker("DestroySandbox", limits_.call), id);
    co_await answer.wait();
}

Task<void> BrokerClient::publish(std::string id, std::string name, std::string gateway, std::string address)
{
    const auto held = co_await link(limits_.call);
    const int socket = names_.serve({.name = name + ".vm", .address = ipv4_of(address)}, ipv4_of(gateway));
    const auto answer = call_on_bus<>(*loop_, held->object->proxy(), of_broker("PublishName", limits_.call), id, name,
                                      sdbus::UnixFd{socket});
    std::exception_ptr failure;
    try {
        co_await answer.wait();
    } catch (...) {
        failure = std::current_exception();
    }
    if (failure) {
        forget_name(name);
        std::rethrow_exception(failure);
    }
}

Task<std::vector<SandboxRow>> BrokerClient::list() { return list_within(limits_.call); }

Task<std::vector<SandboxRow>> BrokerClient::list_within(milliseconds limit)
{
    const auto held = co_await link(limit);
    const auto answer = call_on_bus<std::vector<ListedRow>>(*loop_, held->object->proxy(), of_broker("List", limit));
    const auto [listed] = co_await answer.wait();
    std::vector<SandboxRow> rows;
    for (const auto& row : listed) {
        rows.push_back(row_of(row));
    }
    co_return rows;
}

Task<BrokerReport> BrokerClient::examine()
{
    using State = BrokerReport::State;
    std::vector<SandboxRow> rows;
    std::optional<Error> failure;
    try {
        rows = co_await list_within(limits_.look);
    } catch (const Error& error) {
        failure = error;
    }
    BrokerReport report{State::Failing, "", {}};
    if (failure) {
        const std::string sentence = failure->what();
        const bool lacks = failure->code() == ErrorCode::HostLacks;
        const bool old = lacks && sentence.find("another version") != std::string::npos;
        report.state = old ? State::Old : lacks ? State::Missing : State::Failing;
        report.detail = sentence;
        co_return report;
    }
    report = co_await report_of_polkit();
    report.sandboxes = std::move(rows);
    co_return report;
}

/// polkit lets anybody ask about himself; the broker asks the same of our connection.
Task<BrokerReport> BrokerClient::report_of_polkit()
{
    using State = BrokerReport::State;
    BrokerReport report{State::Ready, "", {}};
    std::optional<Error> failure;
    try {
        const auto held = co_await link(limits_.look);
        const auto polkit = sdbus::createProxy(*held->connection, bus::ServiceName{"org.freedesktop.PolicyKit1"},
                                               sdbus::ObjectPath{"/org/freedesktop/PolicyKit1/Authority"});
        const PolkitSubject subject{"system-bus-name",
                                    {{"name", sdbus::Variant{std::string{held->connection->getUniqueName()}}}}};
        const std::map<std::string, std::string> no_details;
        const BusMethod check{"org.freedesktop.PolicyKit1.Authority", "CheckAuthorization", limits_.look};
        const auto answer = call_on_bus<PolkitResult>(*loop_, *polkit, check, subject, std::string{manage_action},
                                                      no_details, std::uint32_t{0}, std::string{});
        const auto [result] = co_await answer.wait();
        if (!std::get<0>(result)) {
            report.state = State::Refuses;
            report.detail = std::get<1>(result) ? "polkit wants an administrator's password for " : "polkit refuses ";
            report.detail += std::string{manage_action} + "; members of the group banger need none";
        }
    } catch (const Error& error) {
        failure = error;
    } catch (const sdbus::Error& error) {
        failure = translated(error);
    }
    if (failure) {
        report.state = State::Refuses;
        report.detail = "polkit does not answer, so banger-broker allows nothing";
    }
    co_return report;
}

}  // namespace banger::agent
