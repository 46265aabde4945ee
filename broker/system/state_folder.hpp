// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/unique_fd.hpp"

namespace banger::broker {

/// A folder of root's own. Whatever is done in it goes by its descriptor and follows no link. All throw Failed, NoSpace.
class StateFolder {
public:
    /// Made (0700) when it isn't there; its parent must be.
    explicit StateFolder(const std::filesystem::path& path);

    int descriptor() const noexcept { return folder_.get(); }
    const std::string& path() const noexcept { return path_; }
    /// Its entries are on the disk when it returns.
    void sync() const;
    /// Regular files and all else but . and .., by name.
    std::vector<std::string> names() const;
    bool has(const std::string& name) const;
    /// nullopt: there is none.
    std::optional<UniqueFd> open(const std::string& name, int flags) const;
    /// A new one, 0600; throws AlreadyExists.
    UniqueFd make(const std::string& name) const;
    /// False when there was none.
    bool remove(const std::string& name) const;
    /// nullopt: there is none.
    std::optional<std::string> read(const std::string& name) const;
    /// Replaces the text whole, and is on the disk when it returns; by way of NAME.new.
    void write(const std::string& name, std::string_view text) const;
    /// Of writes that a kill cut off.
    void remove_all_ending(std::string_view suffix) const;

private:
    std::string path_;
    UniqueFd folder_;
};

/// EINTR and short writes done with.
void write_all(int file, std::string_view bytes, const std::string& what);

}  // namespace banger::broker
