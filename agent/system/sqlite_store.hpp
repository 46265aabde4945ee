// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "agent/ports/vm_store.hpp"
#include "agent/system/file_system.hpp"

namespace SQLite {
class Database;
}

namespace banger::agent {

/// VM rows in an SQLite file: WAL, synchronous=FULL, schema by PRAGMA user_version.
class SqliteStore final : public VmStore {
public:
    /// Opens or makes the file and brings its schema up to date.
    /// Throws CorruptData (damaged, or no database), WrongState (made by a newer banger), NoSpace, Failed.
    /// On a network nobody else may open it meanwhile, as mapped memory, by which processes share a WAL, is no memory of theirs there.
    explicit SqliteStore(const std::filesystem::path& file);
    SqliteStore(const std::filesystem::path& file, FilePlace place);
    ~SqliteStore() override;

    std::vector<VmRecord> load() override;
    void insert(const VmRecord& record) override;
    void update(const VmRecord& record) override;
    void remove(const VmId& id) override;

private:
    std::unique_ptr<SQLite::Database> database_;
};

struct OpenedStore {
    std::unique_ptr<SqliteStore> store;
    std::string warning;  ///< what the user is told of a damaged file, which was moved aside; empty: all is well
};

/// Opens the database; a damaged one gets another name and an empty one its place. Throws as SqliteStore does otherwise.
OpenedStore open_or_replace_store(const std::filesystem::path& file);

}  // namespace banger::agent
