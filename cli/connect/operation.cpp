// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/connect/operation.hpp"

#include <functional>

#include "cli/view/output.hpp"

namespace banger::cli {
namespace {

constexpr auto operation_interface = "dev.banger.Agent1.Operation";
constexpr std::uint64_t no_limit = UINT64_MAX;

/// The Operation interface with an asynchronous Wait and its property changes, which the generated one has not.
class OperationInterface {
public:
    void registerProxy() {}  // what 2.x calls on each interface

    void on_changed(std::function<void(const VariantMap&)> call) { changed_ = std::move(call); }
    void wait(std::function<void(Outcome)> ended)
    {
        proxy_.callMethodAsync("Wait")
            .onInterface(operation_interface)
            .withTimeout(no_limit)
            .uponReplyInvoke([ended = std::move(ended)](bus::MaybeError error, const VariantMap& result) {
                ended(error ? Outcome{{}, agent_error(*error)} : Outcome{result, std::nullopt});
            });
    }
    void cancel()
    {
        proxy_.callMethodAsync("Cancel").onInterface(operation_interface).uponReplyInvoke([](bus::MaybeError) {});
    }

protected:
    explicit OperationInterface(sdbus::IProxy& proxy) : proxy_{proxy}
    {
        proxy_.uponSignal("PropertiesChanged")
            .onInterface("org.freedesktop.DBus.Properties")
            .call([this](const std::string&, const VariantMap& changed, const std::vector<std::string>&) {
                if (changed_) {
                    changed_(changed);
                }
            });
    }
    ~OperationInterface() = default;

private:
    sdbus::IProxy& proxy_;
    std::function<void(const VariantMap&)> changed_;
};

class OperationProxy final : public sdbus::ProxyInterfaces<OperationInterface, PropertiesInterface> {
public:
    OperationProxy(sdbus::IConnection& connection, const std::string& path)
        : ProxyInterfaces{connection, bus::ServiceName{agent_bus_name}, sdbus::ObjectPath{path}}
    {
        registerProxy();
    }
    OperationProxy(const OperationProxy&) = delete;
    OperationProxy& operator=(const OperationProxy&) = delete;
    ~OperationProxy() { unregisterProxy(); }
};

Error agent_gone()
{
    return {ErrorCode::Unavailable,
            "bangerd went away in the middle of it; banger vm list starts it again and shows what there is"};
}

}  // namespace

/// One operation under watch.
class OperationWatch::Watched {
public:
    Watched(OperationWatch& watch, std::string target, const std::string& path)
        : watch_{&watch}, target_{std::move(target)}, proxy_{watch.agent_->connection(), path}
    {
        proxy_.on_changed([this](const VariantMap& changed) { on_changed(changed); });
        proxy_.wait([this](Outcome outcome) { end(std::move(outcome)); });
        try {
            on_changed(proxy_.get_all(operation_interface));
        } catch (const sdbus::Error&) {  // NOLINT(bugprone-empty-catch): Wait says what there is to say
        }
    }

    void cancel()
    {
        if (!outcome_) {
            proxy_.cancel();
        }
    }
    void end(Outcome outcome)
    {
        if (!outcome_) {
            outcome_ = std::move(outcome);
            watch_->progress_->ended(target_, !outcome_->error);
            watch_->on_ended();
        }
    }
    Outcome take() { return std::move(*outcome_); }

private:
    void on_changed(const VariantMap& changed)
    {
        if (const auto target = changed.find("Target"); target_.empty() && target != changed.end()) {
            target_ = target->second.get<std::string>();
        }
        if (const auto stage = changed.find("Stage"); stage != changed.end()) {
            stage_ = stage->second.get<std::string>();
        }
        const auto fraction = changed.find("Fraction");
        if (!outcome_ && !stage_.empty()) {
            constexpr double unknown = -1;
            watch_->progress_->at_stage(target_, stage_,
                                        fraction != changed.end() ? fraction->second.get<double>() : unknown);
        }
    }

    OperationWatch* watch_;
    std::string target_;
    std::string stage_;
    std::optional<Outcome> outcome_;
    OperationProxy proxy_;
};

OperationWatch::OperationWatch(Agent& agent, SignalInbox& signals, Progress& progress)
    : agent_{&agent}, signals_{&signals}, progress_{&progress}
{
}

OperationWatch::~OperationWatch() = default;

void OperationWatch::add(std::string target, const std::string& path)
{
    ++running_;
    translated([&] { watched_.push_back(std::make_unique<Watched>(*this, std::move(target), path)); });
}

void OperationWatch::on_ended()
{
    if (--running_ == 0) {
        loop_.post([this] { loop_.quit(0); });
    }
}

void OperationWatch::on_signal()
{
    const auto signal = signals_->take();
    if (!signal || (*signal != SIGINT && *signal != SIGTERM && *signal != SIGHUP && *signal != SIGQUIT)) {
        return;
    }
    const bool again = interrupted_.has_value();
    interrupted_ = signal;
    if (!again) {
        progress_->pause();
        remark("ending it; once more leaves at once");
    }
    for (const auto& each : watched_) {
        if (again) {
            each->end({{}, Error{ErrorCode::Cancelled, "left before it ended"}});
        } else {
            each->cancel();
        }
    }
}

void OperationWatch::abandon()
{
    for (const auto& each : watched_) {
        each->end({{}, agent_gone()});
    }
}

void OperationWatch::rearm_tick()
{
    if (const auto interval = progress_->tick_interval(); interval.count() > 0) {
        tick_ = loop_.after(interval, [this] {
            progress_->tick();
            rearm_tick();
        });
    }
}

std::vector<Outcome> OperationWatch::wait()
{
    if (running_ > 0) {
        const bus::LoopAttachment attachment{agent_->connection(), loop_, [this] { abandon(); }};
        const auto signal_source =
            loop_.on_io(signals_->fd(), EventLoop::readable, [this](std::uint32_t) { on_signal(); });
        rearm_tick();
        loop_.run();
        tick_.reset();
        abandon();  // those that never ended: sdbus-c++ 2.x leaves the loop by itself when the bus is gone
    }
    std::vector<Outcome> outcomes;
    outcomes.reserve(watched_.size());
    for (const auto& each : watched_) {
        outcomes.push_back(each->take());
    }
    progress_->pause();
    return outcomes;
}

}  // namespace banger::cli
