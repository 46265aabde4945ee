// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/sqlite_store.hpp"

#include <SQLiteCpp/SQLiteCpp.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/small_disk.hpp"

namespace {

int syncs = 0;

}  // namespace

// SQLite's calls come here first: the one way to see from outside that it really asks for the disk.
extern "C" int fdatasync(int fd)
{
    ++syncs;
    return static_cast<int>(::syscall(SYS_fdatasync, fd));
}

extern "C" int fsync(int fd)
{
    ++syncs;
    return static_cast<int>(::syscall(SYS_fsync, fd));
}

namespace banger::agent {
namespace {

using ::testing::HasSubstr;

VmRecord record(const std::string& name)
{
    return VmRecord{.id = VmId::random(),
                    .spec = VmSpec{.name = VmName::parse(name),
                                   .image = "debian",
                                   .image_digest = Digest::parse(std::string(64, 'a')),
                                   .kernel = "debian",
                                   .kernel_digest = Digest::parse(std::string(64, 'b')),
                                   .vcpus = 2,
                                   .memory_mib = 512,
                                   .disk = 8 * gib,
                                   .on_stop = StopPolicy::Remove},
                    .state = VmState::Running,
                    .reason = "it's \"odd\"; DROP TABLE vms",
                    .vmm = "qemu-tcg",
                    .network = "user",
                    .address = "192.0.2.7",
                    .process = {4711, 0xffff'ffff'ffffULL, "banger-x-vmm.service"},
                    .created = 1'700'000'000,
                    .started = 1'700'000'001,
                    .sandbox = true,
                    .sandbox_nat = Nat::On};
}

class SqliteStoreTest : public ::testing::Test {
protected:
    std::string refusal()
    {
        try {
            const SqliteStore store{file};
        } catch (const Error& error) {
            code = error.code();
            return error.what();
        }
        ADD_FAILURE() << "it was opened";
        return "";
    }
    std::string content() const
    {
        std::ifstream stream{file, std::ios::binary};
        return {std::istreambuf_iterator<char>{stream}, {}};
    }
    void write(const std::string& bytes) const { std::ofstream{file, std::ios::binary | std::ios::trunc} << bytes; }
    void sql(const std::string& text) const
    {
        SQLite::Database database{file.string(), SQLite::OPEN_READWRITE};
        database.exec(text);
    }
    /// A closed database with two rows.
    void make()
    {
        SqliteStore store{file};
        store.insert(record("a"));
        store.insert(record("b"));
    }

    test::TemporaryFolder folder;
    std::filesystem::path file{folder.path / "banger.db"};
    ErrorCode code{};
};

TEST_F(SqliteStoreTest, ARowIsReadBackAsItWasAlsoByTheNextOne)
{
    const auto row = record("calm-otter");
    {
        SqliteStore{file}.insert(row);
    }
    const auto rows = SqliteStore{file}.load();
    ASSERT_EQ(rows.size(), 1U);
    const auto& back = rows[0];
    EXPECT_EQ(back.id, row.id);
    EXPECT_EQ(to_json(back.spec), to_json(row.spec));
    EXPECT_EQ(back.state, VmState::Running);
    EXPECT_EQ(back.reason, row.reason);
    EXPECT_EQ(back.vmm, "qemu-tcg");
    EXPECT_EQ(back.network, "user");
    EXPECT_EQ(back.address, "192.0.2.7");
    EXPECT_EQ(back.process.pid, 4711);
    EXPECT_EQ(back.process.start_time, 0xffff'ffff'ffffULL);
    EXPECT_EQ(back.process.unit, "banger-x-vmm.service");
    EXPECT_EQ(back.created, row.created);
    EXPECT_EQ(back.started, row.started);
    EXPECT_TRUE(back.sandbox);
    EXPECT_EQ(back.sandbox_nat, Nat::On);
}

TEST_F(SqliteStoreTest, RowsAreSortedUpdatedAndRemoved)
{
    SqliteStore store{file};
    auto row = record("b");
    store.insert(row);
    store.insert(record("c"));
    store.insert(record("a"));
    row.state = VmState::Stopped;
    row.reason.clear();
    store.update(row);
    auto rows = store.load();
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[0].spec.name.str() + rows[1].spec.name.str() + rows[2].spec.name.str(), "abc");
    EXPECT_EQ(rows[1].state, VmState::Stopped);
    store.remove(row.id);
    store.remove(row.id);
    EXPECT_EQ(store.load().size(), 2U);
    EXPECT_THROW(store.update(row), Error);
}

TEST_F(SqliteStoreTest, ANameIsTakenOnce)
{
    SqliteStore store{file};
    store.insert(record("calm-otter"));
    try {
        store.insert(record("calm-otter"));
        FAIL();
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::AlreadyExists);
    }
    EXPECT_EQ(store.load().size(), 1U);
}

TEST_F(SqliteStoreTest, EachCallIsOnTheDiskWhenItReturns)
{
    SqliteStore store{file};
    SQLite::Database other{file.string(), SQLite::OPEN_READONLY};
    EXPECT_EQ(other.execAndGet("PRAGMA journal_mode").getString(), "wal");
    auto row = record("calm-otter");
    const auto synced = [](const std::function<void()>& call) {
        const int before = syncs;
        call();
        return syncs > before;
    };
    EXPECT_TRUE(synced([&] { store.insert(row); }));
    EXPECT_TRUE(synced([&] { store.update(row); }));
    EXPECT_TRUE(synced([&] { store.update(row); }));
    EXPECT_TRUE(synced([&] { store.remove(row.id); }));
}

TEST_F(SqliteStoreTest, OnANetworkNothingIsSharedByMappedMemory)
{
    const auto mapped = file.string() + "-shm";
    {
        SqliteStore store{file, FilePlace::Local};
        store.insert(record("calm-otter"));
        EXPECT_TRUE(std::filesystem::exists(mapped)) << "what there is elsewhere";
    }
    SqliteStore store{file, FilePlace::Network};
    store.insert(record("able-newt"));
    EXPECT_EQ(store.load().size(), 2U);
    EXPECT_FALSE(std::filesystem::exists(mapped));
}

TEST_F(SqliteStoreTest, ARowOfAProcessThatDiesIsThere)
{
    const auto child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        auto* dying = new SqliteStore{file};  // never closed
        dying->insert(record("survivor"));
        ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    ASSERT_EQ(status, 0);
    EXPECT_EQ(SqliteStore{file}.load().size(), 1U);
}

TEST_F(SqliteStoreTest, AFullDiskIsSaidAndWhatWasWrittenIsThere)
{
    constexpr std::size_t bytes = 200'000;
    const auto code_seen = test::on_small_disk(bytes, [](const std::filesystem::path& disk) {
        int written = 0;
        try {
            SqliteStore store{disk / "banger.db"};
            for (; written < 10'000; ++written) {
                store.insert(record("vm-" + std::to_string(written)));
            }
            return 1;
        } catch (const Error& error) {
            if (error.code() != ErrorCode::NoSpace) {
                std::fprintf(stderr, "%s\n", error.what());
                return 2;
            }
        }
        return SqliteStore{disk / "banger.db"}.load().size() == static_cast<std::size_t>(written) ? 0 : 3;
    });
    if (!code_seen) {
        GTEST_SKIP() << "no mount namespace here";
    }
    EXPECT_EQ(*code_seen, 0);
}

// What isn't ours, or isn't whole

TEST_F(SqliteStoreTest, DamagedFilesAreCorruptData)
{
    make();
    const auto whole = content();
    for (const auto& bytes :
         {std::string{"x"}, std::string{"this is no database\n"}, std::string(100'000, 'x'),
          "SQLite format 3" + std::string(1, '\0') + std::string(4096, '\xff'), whole.substr(0, 100),
          whole.substr(0, whole.size() / 2), whole.substr(0, 100) + std::string(whole.size() - 100, '\xa5')}) {
        write(bytes);
        refusal();
        EXPECT_EQ(code, ErrorCode::CorruptData) << bytes.size();
        EXPECT_EQ(content(), bytes) << "a damaged file is left as it is";
    }
}

TEST_F(SqliteStoreTest, AnEmptyFileIsANewDatabase)
{
    write("");
    EXPECT_TRUE(SqliteStore{file}.load().empty());
}

TEST_F(SqliteStoreTest, DamagedRowsAreCorruptData)
{
    for (const std::string change :
         {"state = 'asleep'", "spec = '{ half'", "spec = '[]'", "id = '../x'", "forwards = '{'",
          "forwards = '[{\"address\": 1}]'", "forwards = '[7]'", "spec = replace(spec, 'calm', 'CALM')"}) {
        std::filesystem::remove(file);
        {
            SqliteStore{file}.insert(record("calm-otter"));
        }
        sql("UPDATE vms SET " + change);
        try {
            SqliteStore{file}.load();
            FAIL() << change;
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::CorruptData) << change;
        }
    }
}

TEST_F(SqliteStoreTest, ADatabaseOfANewerBangerIsRefusedAndLeftAsItIs)
{
    make();
    sql("PRAGMA user_version = 9999");
    const auto before = content();
    EXPECT_THAT(refusal(), HasSubstr("newer banger"));
    EXPECT_EQ(code, ErrorCode::WrongState);
    EXPECT_EQ(content(), before);
    EXPECT_THROW(open_or_replace_store(file), Error) << "nor is it moved aside";
    EXPECT_EQ(content(), before);
}

TEST_F(SqliteStoreTest, AnOlderSchemaIsBroughtUpToDate)
{
    // Version 0 is a file without our tables. A later version adds its own case here.
    {
        SQLite::Database old{file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
        old.exec("CREATE TABLE foreign_table (x)");
    }
    SqliteStore store{file};
    store.insert(record("calm-otter"));
    SQLite::Database look{file.string(), SQLite::OPEN_READONLY};
    EXPECT_EQ(look.execAndGet("PRAGMA user_version").getInt(), 3);
}

TEST_F(SqliteStoreTest, ADatabaseOfBeforeTheBrokerKeepsItsVms)
{
    make();
    sql("ALTER TABLE vms DROP COLUMN sandbox");
    sql("ALTER TABLE vms DROP COLUMN sandbox_nat");
    sql("ALTER TABLE vms DROP COLUMN forwards");
    sql("PRAGMA user_version = 1");
    const auto rows = SqliteStore{file}.load();
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_FALSE(rows[0].sandbox);
    EXPECT_EQ(rows[0].sandbox_nat, Nat::Off);
}

TEST_F(SqliteStoreTest, ADatabaseOfBeforeForwardsKeepsItsVms)
{
    make();
    sql("ALTER TABLE vms DROP COLUMN forwards");
    sql("PRAGMA user_version = 2");
    const auto rows = SqliteStore{file}.load();
    ASSERT_EQ(rows.size(), 2U);
    EXPECT_TRUE(rows[0].forwards.empty());
}

TEST_F(SqliteStoreTest, ForwardsComeBackAsTheyWere)
{
    auto row = record("calm-otter");
    row.forwards = {{"127.0.0.1", 8080, 80}, {"::1", 65'535, 1}};
    SqliteStore{file}.insert(row);
    EXPECT_EQ(SqliteStore{file}.load().front().forwards, row.forwards);
    row.forwards.pop_back();
    SqliteStore{file}.update(row);
    EXPECT_EQ(SqliteStore{file}.load().front().forwards, row.forwards);
}

TEST_F(SqliteStoreTest, AMigrationThatCantBeDoneChangesNothing)
{
    {
        SQLite::Database old{file.string(), SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE};
        old.exec("CREATE TABLE vms (something_else)");
    }
    EXPECT_THROW(SqliteStore{file}, Error);
    SQLite::Database look{file.string(), SQLite::OPEN_READONLY};
    EXPECT_EQ(look.execAndGet("PRAGMA user_version").getInt(), 0);
}

TEST_F(SqliteStoreTest, AFolderInItsPlaceIsAnErrorThatNamesIt)
{
    std::filesystem::create_directories(file);
    EXPECT_THAT(refusal(), HasSubstr(file.string()));
    EXPECT_EQ(code, ErrorCode::Failed);
}

TEST_F(SqliteStoreTest, ADamagedDatabaseIsMovedAsideWithItsWalAndTold)
{
    const std::string damage(5000, 'x');
    write(damage);
    std::ofstream{file.string() + "-wal"} << "half a log";
    auto opened = open_or_replace_store(file);
    EXPECT_THAT(opened.warning, HasSubstr("damaged"));
    EXPECT_TRUE(opened.store->load().empty());
    opened.store->insert(record("calm-otter"));
    std::string aside;
    bool wal_kept = false;
    for (const auto& entry : std::filesystem::directory_iterator{folder.path}) {
        const auto name = entry.path().filename().string();
        if (name.find("corrupt") != std::string::npos && !name.ends_with("-wal") && !name.ends_with("-shm")) {
            aside = entry.path().string();
        }
        wal_kept = wal_kept || (name.find("corrupt") != std::string::npos && name.ends_with("-wal"));
    }
    EXPECT_THAT(opened.warning, HasSubstr(aside));
    EXPECT_EQ(std::filesystem::file_size(aside), damage.size());
    EXPECT_TRUE(wal_kept);
    EXPECT_TRUE(open_or_replace_store(file).warning.empty()) << "once";
}

TEST_F(SqliteStoreTest, ADatabaseWithADamagedRowIsMovedAside)
{
    {
        SqliteStore{file}.insert(record("calm-otter"));
    }
    sql("UPDATE vms SET state = 'asleep'");
    EXPECT_THAT(open_or_replace_store(file).warning, HasSubstr("damaged"));
}

}  // namespace
}  // namespace banger::agent
