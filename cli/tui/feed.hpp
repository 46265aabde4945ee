// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "cli/tui/model.hpp"
#include "cli/tui/remote.hpp"
#include "common/event_loop.hpp"
#include "common/unique_fd.hpp"

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace banger::cli::tui {

/// Who is told what the feed has learnt.
struct FeedListener {
    std::function<void()> changed;  ///< something of the model
    std::function<void()> gone;     ///< bangerd has left its bus, or another one has its name
};

/// Keeps the model as bangerd has things: one listing at the start, from then on its signals. What a signal doesn't say, as it only tells that something is
/// no longer so, is asked for: of few VMs one by one, of many by one ListVms, and in both cases not more often than some times a second.
class Feed {
public:
    /// Throws Unavailable where the bus is gone.
    Feed(sdbus::IConnection& connection, EventLoop& loop, Remote& remote, Model& model, FeedListener listener);

    /// The lists of VMs, images and operations, and what bangerd says of itself.
    void begin();
    void ask_images();
    /// Doctor; takes seconds.
    void ask_host();
    /// A sample of Manager.Stats; `done` is called when the answer has come, whatever it is.
    void ask_numbers(const std::vector<std::string>& ids, std::function<void()> done);
    /// What `vm show` tells, for the detail.
    void ask_facts(const std::string& id);
    using TakeLog = std::function<void(const std::optional<Error>& problem, UniqueFd file, const std::string& path)>;
    void open_log(const std::string& id, const std::string& which, TakeLog take);

private:
    void on_message(sdbus::Message& message);
    void on_owner(sdbus::Message& message);
    void on_added(sdbus::Message& message);
    void on_removed(sdbus::Message& message);
    void on_changed(sdbus::Message& message);
    void vm_changed(const std::string& id, const VariantMap& changed);
    void operation_changed(const std::string& path, const VariantMap& changed);

    void ask_vms();
    void ask_again();
    void ask_vm(const std::string& id);
    void ask_operations();
    void ask_operation(const std::string& path);
    void ask_about();
    void refresh_soon(EventLoop::Milliseconds delay);
    void refresh();
    void images_changed();

    EventLoop* loop_;
    Remote* remote_;
    Model* model_;
    FeedListener listener_;
    std::set<std::string> stale_;  ///< VMs of which something is no longer so
    bool lists_vms_{false};        ///< a ListVms is under way
    EventLoop::Source refresh_;
    EventLoop::Source images_;
    std::vector<sdbus::Slot> slots_;
};

}  // namespace banger::cli::tui
