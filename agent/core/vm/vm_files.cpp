// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_files.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>

#include "agent/core/vm/vm_folder.hpp"
#include "common/error.hpp"
#include "common/rollback.hpp"
#include "common/unique_fd.hpp"

namespace banger::agent {
namespace {

constexpr auto removed_suffix = ".removed";

void sync_folder(const std::filesystem::path& folder)
{
    const UniqueFd fd{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (fd) {
        ::fsync(fd.get());
    }
}

/// Discarded (nlohmann/json) when it can't be read.
nlohmann::json read_object(const std::filesystem::path& path)
{
    std::ifstream file{path};
    return nlohmann::json::parse(file, nullptr, false);
}

void add_run_notes(VmRecord& row, const std::filesystem::path& folder)
{
    const auto notes = read_object(folder / vm_folder::run_notes);
    const auto text = [&](const char* key) {
        const auto at = notes.find(key);
        return at != notes.end() && at->is_string() ? at->get<std::string>() : std::string{};
    };
    row.vmm = text("vmm");
    row.network = text("network");
    row.address = text("address");
    const auto sandbox = notes.find("sandbox");
    const bool noted = sandbox != notes.end() && sandbox->is_boolean() && sandbox->get<bool>();
    row.sandbox = noted || row.spec.storage == StorageChoice::DmSnapshot;
}

/// The id that a folder is named after, if it is one of ours.
bool is_named_by_id(std::string_view name)
{
    if (name.ends_with(removed_suffix)) {
        name.remove_suffix(std::string_view{removed_suffix}.size());
    }
    try {
        VmId::parse(name);
        return true;
    } catch (const Error&) {
        return false;
    }
}

}  // namespace

void make_private_folder(const std::filesystem::path& folder)
{
    std::error_code problem;
    std::filesystem::create_directories(folder.parent_path(), problem);
    if (problem || (::mkdir(folder.c_str(), 0700) < 0 && errno != EEXIST)) {
        throw errno_error("can't make the folder " + folder.string(), problem ? problem.value() : errno);
    }
    sync_folder(folder.parent_path());
}

void write_whole(const std::filesystem::path& path, const nlohmann::json& json)
{
    write_text_whole(path, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

void write_text_whole(const std::filesystem::path& path, std::string_view text)
{
    const auto draft = path.string() + ".new-" + std::to_string(::gettid());
    const UniqueFd file{::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
    if (!file) {
        throw errno_error("can't write " + path.string(), errno);
    }
    Rollback remove;
    remove.add([&draft] { ::unlink(draft.c_str()); });
    const auto written = ::write(file.get(), text.data(), text.size());
    if (written != static_cast<ssize_t>(text.size())) {
        throw errno_error("can't write " + path.string(), written < 0 ? errno : ENOSPC);
    }
    if (::fsync(file.get()) < 0 || ::rename(draft.c_str(), path.c_str()) < 0) {
        throw errno_error("can't write " + path.string(), errno);
    }
    remove.commit();
    sync_folder(path.parent_path());
}

void write_description(const std::filesystem::path& folder, const nlohmann::json& description)
{
    write_whole(folder / vm_folder::description, description);
}

void put_mark(const std::filesystem::path& folder, const char* name)
{
    const auto mark = folder / name;
    if (const UniqueFd file{::open(mark.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)}; !file) {
        throw errno_error("can't make " + mark.string(), errno);
    }
}

void end_first_boot(const std::filesystem::path& folder)
{
    const auto fresh = folder / vm_folder::fresh;
    if (::rename(fresh.c_str(), (folder / vm_folder::unwelcomed).c_str()) < 0 && errno != ENOENT) {
        throw errno_error("can't rename " + fresh.string(), errno);
    }
}

void write_run_notes(const std::filesystem::path& folder, const VmRecord& record)
{
    const nlohmann::json notes{
        {"vmm", record.vmm}, {"network", record.network}, {"address", record.address}, {"sandbox", record.sandbox}};
    write_whole(folder / vm_folder::run_notes, notes);
}

std::string sandbox_owner_of(const std::filesystem::path& state)
{
    const auto path = state / "sandboxes.json";
    if (!std::filesystem::exists(path)) {
        auto owner = VmId::random().str();
        write_whole(path, {{"owner", owner}});
        return owner;
    }
    const auto json = read_object(path);
    if (!json.is_object() || !json.contains("owner") || !json["owner"].is_string()) {
        throw Error{ErrorCode::CorruptData, path.string() + " is damaged"};
    }
    return VmId::parse(json["owner"].get<std::string>()).str();
}

std::vector<VmRecord> described_vms(const std::filesystem::path& vms, const std::vector<std::string>& known_ids)
{
    const std::set<std::string> known{known_ids.begin(), known_ids.end()};
    std::vector<VmRecord> found;
    std::error_code problem;
    for (const auto& entry : std::filesystem::directory_iterator{vms, problem}) {
        if (known.contains(entry.path().filename().string())) {
            continue;
        }
        const auto path = entry.path() / vm_folder::description;
        struct stat status {};
        try {
            if (const auto json = read_object(path); json.is_object() && ::stat(path.c_str(), &status) == 0) {
                VmRecord row{.id = VmId::parse(entry.path().filename().string()),
                             .spec = vm_spec_of(json),
                             .state = VmState::Stopped,
                             .created = status.st_mtim.tv_sec};
                add_run_notes(row, entry.path());
                found.push_back(std::move(row));
            }
        } catch (const Error&) {  // NOLINT(bugprone-empty-catch): passed over, as promised
        }
    }
    return found;
}

void remove_folder(const std::filesystem::path& folder)
{
    auto aside = folder;
    aside += removed_suffix;
    if (::rename(folder.c_str(), aside.c_str()) < 0 && errno != ENOENT) {
        throw errno_error("can't remove " + folder.string(), errno);
    }
    std::error_code problem;
    std::filesystem::remove_all(aside, problem);
    if (problem) {
        throw errno_error("can't remove " + aside.string(), problem.value());
    }
    sync_folder(folder.parent_path());
}

void remove_leftover_files(const std::filesystem::path& folder) noexcept
{
    std::error_code none;
    for (const auto* name :
         {vm_folder::larger_work_disk, vm_folder::root_copy, vm_folder::export_log, vm_folder::copied_disk}) {
        std::filesystem::remove(folder / name, none);
    }
}

void remove_leftover_folders(const std::filesystem::path& vms, const std::vector<std::string>& known_ids)
{
    const std::set<std::string> known{known_ids.begin(), known_ids.end()};
    std::error_code problem;
    for (const auto& entry : std::filesystem::directory_iterator{vms, problem}) {
        const auto name = entry.path().filename().string();
        if (known.contains(name)) {
            remove_leftover_files(entry.path());
        }
        const bool described = std::filesystem::exists(entry.path() / vm_folder::description, problem);
        if (is_named_by_id(name) && !known.contains(name) && (name.ends_with(removed_suffix) || !described)) {
            std::filesystem::remove_all(entry.path(), problem);
        }
    }
}

}  // namespace banger::agent
