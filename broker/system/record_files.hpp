// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "broker/ports/record_store.hpp"
#include "broker/system/state_folder.hpp"

namespace banger::broker {

/// Records as files UID-ID.toml of one folder.
class RecordFiles final : public RecordStore {
public:
    /// Removes what a killed broker has left half written.
    explicit RecordFiles(const std::filesystem::path& folder);

    std::vector<Entry> load() override;
    void save(const SandboxKey& key, const std::string& text) override;
    void remove(const SandboxKey& key) override;

private:
    StateFolder folder_;
};

}  // namespace banger::broker
