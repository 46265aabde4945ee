// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/ports/cow_files.hpp"
#include "broker/system/state_folder.hpp"

namespace banger::broker {

/// Files UID-ID.cow of one folder. Each is made as UID-ID.cow.new and gets its name when it is whole.
class CowFolder final : public CowFiles {
public:
    /// Removes what a killed broker has left half made.
    explicit CowFolder(const std::filesystem::path& folder);

    void create(const SandboxKey& key, ByteSize size) override;
    UniqueFd open(const SandboxKey& key) override;
    void grow(const SandboxKey& key, ByteSize size) override;
    ByteSize size(const SandboxKey& key) override;
    /// Shares blocks where the file system can (FICLONE). A shared block is copied when either file's guest writes it again: that write
    /// needs room that nothing has set aside.
    void clone(const SandboxKey& from, const SandboxKey& to) override;
    void remove(const SandboxKey& key) override;
    std::vector<SandboxKey> list() override;

private:
    UniqueFd make_draft(const SandboxKey& key);
    void finish(const SandboxKey& key, int draft);

    StateFolder folder_;
};

}  // namespace banger::broker
