// SPDX-License-Identifier: GPL-2.0-or-later
// The part of Agent that gives new guests the user's files: [[file_sync]].
#include <chrono>
#include <map>

#include "agent/service/agent.hpp"
#include "agent/service/json_log.hpp"

namespace banger::agent {
namespace {

constexpr std::chrono::minutes file_sync_limit{5};  // the VM can't be stopped meanwhile

Bytes bytes_of(const std::string& text) { return {text.begin(), text.end()}; }

}  // namespace

Task<HomeFilesFound> Agent::read_home_files(std::vector<FileSync> syncs)
{
    if (syncs.empty()) {
        co_return HomeFilesFound{};
    }
    auto read = [&home = ports_.home, syncs] { return home.read(syncs); };
    co_return co_await run_on(ports_.loop, work_lane_, std::move(read));
}

/// Folders first, as the guest wants to enter them: by its own mkdir, so with its own mode, and through its own links.
Task<void> Agent::make_guest_folders(VmPtr vm, std::vector<std::string> folders)
{
    GuestCommand command;
    for (const auto* word : {"mkdir", "-p", "--"}) {
        command.argv.push_back(bytes_of(word));
    }
    for (const auto& folder : folders) {
        command.argv.push_back(bytes_of(folder));
    }
    auto started = co_await VmManager::link(vm).exec(std::move(command));
    auto ends = std::make_shared<GuestCommandEnds>(std::move(started));
    auto wait = [&home = ports_.home, ends] { home.await_end(std::move(*ends)); };
    co_await run_on(ports_.loop, work_lane_, std::move(wait));
}

Task<void> Agent::give_files(VmPtr vm, OperationPtr operation)
{
    const auto settings = ports_.settings.now();
    if (settings->file_sync.empty()) {
        co_return;
    }
    operation->set_stage("copying your files");
    auto found = co_await read_home_files(settings->file_sync);
    for (const auto& remark : found.remarks) {
        json_log::write(json_log::Level::Warn, remark, vm->name(), std::to_string(operation->id()));
    }
    std::map<std::string, std::vector<HomeFile>> by_folder;
    for (auto& file : found.files) {
        auto folder = file.to.parent_path().string();
        by_folder[std::move(folder)].push_back(std::move(file));
    }
    if (by_folder.empty()) {
        co_return;
    }
    std::vector<std::string> folders;
    for (const auto& [folder, files] : by_folder) {
        folders.push_back(folder);
    }
    const auto latest = std::chrono::steady_clock::now() + file_sync_limit;
    co_await make_guest_folders(vm, folders);
    for (auto& entry : by_folder) {
        operation->check_cancelled();
        if (std::chrono::steady_clock::now() > latest) {
            throw Error{ErrorCode::TimedOut, "file_sync: the guest takes your files too slowly"};
        }
        auto place = bytes_of(entry.first);
        auto opened = co_await VmManager::link(vm).copy_in(std::move(place));
        auto ends = std::make_shared<GuestCopyEnds>(std::move(opened));
        auto send = [&home = ports_.home, ends, files = std::move(entry.second)] {
            home.send(std::move(*ends), files);
        };
        co_await run_on(ports_.loop, work_lane_, std::move(send));
    }
}

}  // namespace banger::agent
