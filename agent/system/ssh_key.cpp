// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/ssh_key.hpp"

#include <fstream>
#include <stop_token>

#include "agent/core/vm/vm_files.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

/// From the private one: guests that run know the user by it. False when that is damaged.
bool write_public_half(const std::filesystem::path& key, const std::filesystem::path& file)
{
    std::string line;
    const auto result = run_program({.argv = {find_program("ssh-keygen").string(), "-y", "-f", key.string()},
                                     .on_line = [&line](std::string_view text) { line = text; }});
    std::ofstream stream{file};
    stream << line << "\n";
    stream.close();
    return result.ok() && stream;
}

}  // namespace

std::filesystem::path SshKey::private_key()
{
    const std::lock_guard lock{making_};
    const auto key = folder_ / "id_ed25519";
    const auto public_half = folder_ / "id_ed25519.pub";
    std::error_code none;
    if (std::filesystem::exists(key, none) && std::filesystem::exists(public_half, none)) {
        return key;
    }
    make_private_folder(folder_);
    // Made beside and renamed, public half first: a killed ssh-keygen leaves no half key under the real name.
    const auto draft = folder_ / "id_ed25519.new";
    const auto draft_public = folder_ / "id_ed25519.new.pub";
    std::filesystem::remove(draft, none);
    std::filesystem::remove(draft_public, none);
    if (std::filesystem::exists(key, none) && write_public_half(key, draft_public)) {
        std::filesystem::rename(draft_public, public_half);
        return key;
    }
    const auto result = run_program({.argv = {find_program("ssh-keygen").string(), "-q", "-t", "ed25519", "-N", "",
                                              "-C", "banger", "-f", draft.string()}});
    if (!result.ok()) {
        throw Error{ErrorCode::Failed, "ssh-keygen failed: " + result.tail};
    }
    std::filesystem::rename(draft_public, public_half);
    std::filesystem::rename(draft, key);
    return key;
}

std::string SshKey::public_key()
{
    std::ifstream file{private_key().string() + ".pub"};
    std::string line;
    std::getline(file, line);
    return line;
}

}  // namespace banger::agent
