// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/ssh_key.hpp"

#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <stop_token>

#include "agent/core/vm/vm_files.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"

namespace banger::agent {
namespace {

/// The public half of a private key without a passphrase; empty where there is none to be had.
std::string derived_half(const std::filesystem::path& key)
{
    std::string line;
    const auto result = run_program({.argv = {find_program("ssh-keygen").string(), "-y", "-P", "", "-f", key.string()},
                                     .on_line = [&line](std::string_view text) { line = text; }});
    return result.ok() ? line : std::string{};
}

/// From the private one: guests that run know the user by it. False when that is damaged.
bool write_public_half(const std::filesystem::path& key, const std::filesystem::path& file)
{
    const auto line = derived_half(key);
    std::ofstream stream{file};
    stream << line << "\n";
    stream.close();
    return !line.empty() && stream;
}

/// Throws NotFound, NotAuthorized.
void check_readable(const std::filesystem::path& key)
{
    if (::access(key.c_str(), R_OK) < 0) {
        throw errno_error("ssh_key_path, " + key.string() + ", can't be read", errno,
                          errno == EACCES ? ErrorCode::NotAuthorized : ErrorCode::Failed);
    }
}

/// Of a key that the user has named: the file beside it is of his ssh-keygen, and one that wants a passphrase has no other.
std::string named_public_half(const std::filesystem::path& key)
{
    std::ifstream file{key.string() + ".pub"};
    std::string line;
    if (!std::getline(file, line) || line.empty()) {
        line = derived_half(key);
    }
    if (line.empty()) {
        throw Error{ErrorCode::CorruptData, "ssh_key_path, " + key.string() +
                                                ", is no private key, or one with a passphrase and without its .pub; "
                                                "ssh-keygen -y -f " +
                                                key.string() + " > " + key.string() + ".pub makes that"};
    }
    return line;
}

}  // namespace

std::filesystem::path SshKey::private_key()
{
    auto named = named_ ? named_() : std::filesystem::path{};
    if (named.empty()) {
        return made();
    }
    check_readable(named);
    return named;
}

std::filesystem::path SshKey::made()
{
    const std::lock_guard lock{making_};
    auto key = folder_ / "id_ed25519";
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
    const auto key = private_key();
    if (named_ && key == named_()) {
        return named_public_half(key);
    }
    std::ifstream file{key.string() + ".pub"};
    std::string line;
    std::getline(file, line);
    return line;
}

}  // namespace banger::agent
