// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/sqlite_store.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <sqlite3.h>

#include <array>
#include <nlohmann/json.hpp>

#include "common/error.hpp"

namespace banger::agent {
namespace {

/// Step n brings a file from user_version n to n + 1. Never change one that was released; add one.
constexpr std::array migrations{
    "CREATE TABLE vms ("
    "  id TEXT PRIMARY KEY NOT NULL,"
    "  name TEXT UNIQUE NOT NULL,"
    "  spec TEXT NOT NULL,"
    "  state TEXT NOT NULL,"
    "  reason TEXT NOT NULL,"
    "  vmm TEXT NOT NULL,"
    "  network TEXT NOT NULL,"
    "  address TEXT NOT NULL,"
    "  pid INTEGER NOT NULL,"
    "  pid_start INTEGER NOT NULL,"
    "  unit TEXT NOT NULL,"
    "  created INTEGER NOT NULL,"
    "  started INTEGER NOT NULL"
    ") STRICT;",
    "ALTER TABLE vms ADD COLUMN sandbox INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE vms ADD COLUMN sandbox_nat INTEGER NOT NULL DEFAULT 0;",
    "ALTER TABLE vms ADD COLUMN forwards TEXT NOT NULL DEFAULT '[]';",
};

constexpr int busy_timeout_ms = 5000;

[[noreturn]] void rethrow(const SQLite::Exception& problem, const std::string& what)
{
    switch (problem.getErrorCode()) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
            throw Error{ErrorCode::CorruptData, what + ": " + problem.what()};
        case SQLITE_FULL:
            throw Error{ErrorCode::NoSpace, what + ": the disk is full"};
        default:
            throw Error{ErrorCode::Failed, what + ": " + problem.what()};
    }
}

template <typename Work>
auto with_errors(const std::string& what, Work&& work)
{
    try {
        return work();
    } catch (const SQLite::Exception& problem) {
        rethrow(problem, what);
    }
}

void migrate(SQLite::Database& database)
{
    const auto version = database.execAndGet("PRAGMA user_version").getUInt();
    for (auto step = version; step < migrations.size(); ++step) {
        SQLite::Transaction transaction{database};
        database.exec(migrations[step]);
        database.exec("PRAGMA user_version = " + std::to_string(step + 1));
        transaction.commit();
    }
}

void bind(SQLite::Statement& statement, const VmRecord& record)
{
    statement.bind(":id", record.id.str());
    statement.bind(":name", record.spec.name.str());
    statement.bind(":spec", to_json(record.spec).dump());
    statement.bind(":state", std::string{to_string(record.state)});
    statement.bind(":reason", record.reason);
    statement.bind(":vmm", record.vmm);
    statement.bind(":network", record.network);
    statement.bind(":address", record.address);
    statement.bind(":pid", record.process.pid);
    statement.bind(":pid_start", static_cast<std::int64_t>(record.process.start_time));
    statement.bind(":unit", record.process.unit);
    statement.bind(":created", record.created);
    statement.bind(":started", record.started);
    statement.bind(":sandbox", record.sandbox ? 1 : 0);
    statement.bind(":sandbox_nat", record.sandbox_nat == Nat::On ? 1 : 0);
    statement.bind(":forwards", to_json(record.forwards).dump());
}

VmRecord read_row(SQLite::Statement& row)
{
    const auto state = vm_state_of(row.getColumn("state").getString());
    if (!state) {
        throw Error{ErrorCode::CorruptData, "the database has a VM in a state that doesn't exist"};
    }
    return VmRecord{
        .id = VmId::parse(row.getColumn("id").getString()),
        .spec = vm_spec_of(nlohmann::json::parse(row.getColumn("spec").getString(), nullptr, false)),
        .state = *state,
        .reason = row.getColumn("reason").getString(),
        .vmm = row.getColumn("vmm").getString(),
        .network = row.getColumn("network").getString(),
        .address = row.getColumn("address").getString(),
        .process = {.pid = row.getColumn("pid").getInt(),
                    .start_time = static_cast<std::uint64_t>(row.getColumn("pid_start").getInt64()),
                    .unit = row.getColumn("unit").getString()},
        .created = row.getColumn("created").getInt64(),
        .started = row.getColumn("started").getInt64(),
        .sandbox = row.getColumn("sandbox").getInt() != 0,
        .sandbox_nat = row.getColumn("sandbox_nat").getInt() != 0 ? Nat::On : Nat::Off,
        .forwards = forwards_of(nlohmann::json::parse(row.getColumn("forwards").getString(), nullptr, false)),
    };
}

VmRecord row_of(SQLite::Statement& row)
{
    try {
        return read_row(row);
    } catch (const Error& problem) {
        throw Error{ErrorCode::CorruptData, std::string{"the database has a damaged row: "} + problem.what()};
    }
}

/// SQLite takes a file of less than a page for a new one, and writes over it.
void refuse_fragment(const std::filesystem::path& file)
{
    constexpr std::uintmax_t least_page = 512;
    std::error_code none;
    const auto size = std::filesystem::file_size(file, none);
    if (!none && size > 0 && size < least_page) {
        throw Error{ErrorCode::CorruptData, "the database " + file.string() + " is damaged"};
    }
}

/// Before anything is written, so that a newer banger finds its file as it left it.
void refuse_newer(SQLite::Database& database)
{
    if (database.execAndGet("PRAGMA user_version").getUInt() > migrations.size()) {
        sqlite3_db_config(database.getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
        throw Error{ErrorCode::WrongState, "the database was made by a newer banger; install that version again"};
    }
}

}  // namespace

SqliteStore::SqliteStore(const std::filesystem::path& file) : SqliteStore{file, place_of(file.parent_path())} {}

SqliteStore::SqliteStore(const std::filesystem::path& file, FilePlace place)
{
    with_errors("can't open the database " + file.string(), [&] {
        refuse_fragment(file);
        database_ = std::make_unique<SQLite::Database>(file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE,
                                                       busy_timeout_ms);
        // A damaged one keeps its log, which closing would remove.
        sqlite3_db_config(database_->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
        if (place == FilePlace::Network) {
            database_->exec(
                "PRAGMA locking_mode = EXCLUSIVE");  // before the first look, or it would map the -shm (sqlite.org/wal.html)
        }
        refuse_newer(*database_);
        database_->exec("PRAGMA journal_mode = WAL");
        database_->exec("PRAGMA synchronous = FULL");
        // A damaged file often opens well; reading all of it now beats an error in the middle of a start.
        if (database_->execAndGet("PRAGMA quick_check").getString() != "ok") {
            throw Error{ErrorCode::CorruptData, "the database " + file.string() + " is damaged"};
        }
        migrate(*database_);
        sqlite3_db_config(database_->getHandle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
    });
}

SqliteStore::~SqliteStore() = default;

std::vector<VmRecord> SqliteStore::load()
{
    return with_errors("can't read the database", [&] {
        std::vector<VmRecord> records;
        SQLite::Statement query{*database_, "SELECT * FROM vms ORDER BY name"};
        while (query.executeStep()) {
            records.push_back(row_of(query));
        }
        return records;
    });
}

void SqliteStore::insert(const VmRecord& record)
{
    with_errors("can't write the database", [&] {
        SQLite::Statement statement{*database_,
                                    "INSERT INTO vms VALUES (:id, :name, :spec, :state, :reason, :vmm, :network, "
                                    ":address, :pid, :pid_start, :unit, :created, :started, :sandbox, :sandbox_nat, "
                                    ":forwards)"};
        bind(statement, record);
        try {
            statement.exec();
        } catch (const SQLite::Exception& problem) {
            if (problem.getErrorCode() == SQLITE_CONSTRAINT) {
                throw Error{ErrorCode::AlreadyExists, "a VM named \"" + record.spec.name.str() + "\" exists already"};
            }
            throw;
        }
    });
}

void SqliteStore::update(const VmRecord& record)
{
    with_errors("can't write the database", [&] {
        SQLite::Statement statement{
            *database_,
            "UPDATE vms SET name = :name, spec = :spec, state = :state, reason = :reason, vmm = :vmm, "
            "network = :network, address = :address, pid = :pid, pid_start = :pid_start, unit = :unit, "
            "created = :created, started = :started, sandbox = :sandbox, sandbox_nat = :sandbox_nat, "
            "forwards = :forwards WHERE id = :id"};
        bind(statement, record);
        if (statement.exec() == 0) {
            throw Error{ErrorCode::NotFound, "there is no VM with the id " + record.id.str()};
        }
    });
}

void SqliteStore::remove(const VmId& id)
{
    with_errors("can't write the database", [&] {
        SQLite::Statement statement{*database_, "DELETE FROM vms WHERE id = :id"};
        statement.bind(":id", id.str());
        statement.exec();
    });
}

OpenedStore open_or_replace_store(const std::filesystem::path& file)
{
    try {
        auto store = std::make_unique<SqliteStore>(file);
        store->load();  // a row that can't be read is damage, too
        return {std::move(store), {}};
    } catch (const Error& error) {
        if (error.code() != ErrorCode::CorruptData) {
            throw;
        }
    }
    auto aside = file;
    aside += ".corrupt-" + std::to_string(::time(nullptr));
    std::filesystem::rename(file, aside);
    for (const auto* suffix : {"-wal", "-shm"}) {
        std::error_code none;
        std::filesystem::rename(std::filesystem::path{file} += suffix, std::filesystem::path{aside} += suffix, none);
    }
    return {std::make_unique<SqliteStore>(file),
            "the database was damaged and is now " + aside.string() + "; the VMs were found again from their folders"};
}

}  // namespace banger::agent
