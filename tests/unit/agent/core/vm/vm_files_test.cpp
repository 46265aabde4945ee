// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/vm_files.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <thread>

#include "agent/core/vm/vm_folder.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"

namespace banger::agent {
namespace {

class VmFilesTest : public ::testing::Test {
protected:
    VmRecord record(const std::string& id, const std::string& name)
    {
        return VmRecord{.id = VmId::parse(id),
                        .spec = VmSpec{.name = VmName::parse(name),
                                       .image = "debian",
                                       .image_digest = Digest::parse(std::string(64, 'a')),
                                       .kernel = "debian",
                                       .kernel_digest = Digest::parse(std::string(64, 'b')),
                                       .vcpus = 1,
                                       .memory_mib = 256,
                                       .disk = 1 * gib}};
    }
    std::filesystem::path make(const VmRecord& row)
    {
        const auto folder = vms / row.id.str();
        make_private_folder(folder);
        write_description(folder, to_json(row.spec));
        return folder;
    }
    static unsigned mode_of(const std::filesystem::path& path)
    {
        struct stat status {};
        ::stat(path.c_str(), &status);
        return status.st_mode & 07777U;
    }

    static std::vector<std::string> names_in(const std::filesystem::path& folder)
    {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator{folder}) {
            names.push_back(entry.path().filename().string());
        }
        return names;
    }

    test::TemporaryFolder root;
    std::filesystem::path vms{root.path / "state/vms"};
};

TEST_F(VmFilesTest, AMarkThatCanNotBeMadeIsAnError)
{
    const auto folder = make(record("aaaaaaaaaaaa", "calm-otter"));
    put_mark(folder, vm_folder::fresh);
    EXPECT_TRUE(std::filesystem::exists(folder / vm_folder::fresh));
    put_mark(folder, vm_folder::fresh);
    EXPECT_THROW(put_mark(vms / "no-such", vm_folder::fresh), Error) << "two machines would have one identity";
}

TEST_F(VmFilesTest, AFirstBootEndsOnceAndLeavesTheWelcomeToCome)
{
    const auto folder = make(record("aaaaaaaaaaaa", "calm-otter"));
    put_mark(folder, vm_folder::fresh);
    for (int i = 0; i < 2; ++i) {
        end_first_boot(folder);
        EXPECT_FALSE(std::filesystem::exists(folder / vm_folder::fresh));
        EXPECT_TRUE(std::filesystem::exists(folder / vm_folder::unwelcomed));
    }
    std::filesystem::remove(folder / vm_folder::unwelcomed);
    end_first_boot(folder);
    EXPECT_FALSE(std::filesystem::exists(folder / vm_folder::unwelcomed)) << "it has its files";
}

TEST_F(VmFilesTest, FoldersAndDescriptionsAreTheUsersAlone)
{
    const auto folder = make(record("aaaaaaaaaaaa", "calm-otter"));
    EXPECT_EQ(mode_of(folder), 0700U);
    EXPECT_EQ(mode_of(folder / vm_folder::description), 0600U);
    make_private_folder(folder);  // again is fine
}

TEST_F(VmFilesTest, AFileThatCantBeWrittenLeavesNoDraft)
{
    const auto place = root.path / "a folder";
    std::filesystem::create_directory(place);
    EXPECT_THROW(write_whole(place, {{"key", "value"}}), Error);
    EXPECT_EQ(names_in(root.path), std::vector<std::string>{"a folder"});
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small {
        .rlim_cur = 4, .rlim_max = before.rlim_max
    };
    const auto of_old = std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &small);
    EXPECT_THROW(write_whole(root.path / "full", {{"key", "value"}}), Error);
    ::setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, of_old);
    EXPECT_EQ(names_in(root.path), std::vector<std::string>{"a folder"});
}

TEST_F(VmFilesTest, AFileThatIsWrittenByManyAtOnceIsWhole)
{
    const auto file = root.path / "known_hosts";
    std::atomic<int> failures{0};
    std::vector<std::thread> writers;
    for (const char letter : {'a', 'b', 'c', 'd'}) {
        writers.emplace_back([&, text = std::string(1'000, letter)] {
            for (int i = 0; i < 50; ++i) {
                try {
                    write_text_whole(file, text);
                } catch (const Error&) {
                    ++failures;
                }
            }
        });
    }
    for (auto& writer : writers) {
        writer.join();
    }
    EXPECT_EQ(failures, 0);
    std::ifstream stream{file};
    const std::string text{std::istreambuf_iterator<char>{stream}, {}};
    EXPECT_EQ(text, std::string(1'000, text.empty() ? ' ' : text.front()));
    EXPECT_EQ(names_in(root.path), std::vector<std::string>{"known_hosts"});
}

TEST_F(VmFilesTest, AFolderThatCantBeMadeSaysWhy)
{
    std::ofstream{root.path / "file"} << "x";
    EXPECT_THROW(make_private_folder(root.path / "file/below/x"), Error);
}

TEST_F(VmFilesTest, ADescriptionIsReplacedWhole)
{
    const auto folder = make(record("aaaaaaaaaaaa", "calm-otter"));
    write_description(folder, to_json(record("aaaaaaaaaaaa", "brave-eel").spec));
    const auto found = described_vms(vms, {});
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].spec.name.str(), "brave-eel");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator{folder}, {}), 1) << "no draft is left";
}

TEST_F(VmFilesTest, DescribedVmsHaveTheirRunNotes)
{
    auto row = record("aaaaaaaaaaaa", "calm-otter");
    row.vmm = "qemu-tcg";
    row.network = "user";
    row.address = "192.0.2.7";
    write_run_notes(make(row), row);
    make(record("bbbbbbbbbbbb", "brave-eel"));
    for (const auto& found : described_vms(vms, {})) {
        const bool ran = found.spec.name.str() == "calm-otter";
        EXPECT_EQ(found.vmm, ran ? "qemu-tcg" : "");
        EXPECT_EQ(found.network, ran ? "user" : "");
        EXPECT_EQ(found.address, ran ? "192.0.2.7" : "");
        EXPECT_EQ(found.state, VmState::Stopped);
        EXPECT_GT(found.created, 0);
    }
}

TEST_F(VmFilesTest, KnownVmsAreNotReadAgain)
{
    make(record("aaaaaaaaaaaa", "calm-otter"));
    make(record("bbbbbbbbbbbb", "brave-eel"));
    const auto found = described_vms(vms, {"aaaaaaaaaaaa"});
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].spec.name.str(), "brave-eel");
}

TEST_F(VmFilesTest, NoFolderIsNoVms)
{
    EXPECT_TRUE(described_vms(root.path / "nowhere", {}).empty());
    remove_leftover_folders(root.path / "nowhere", {});
}

TEST_F(VmFilesTest, WhatAnExportOrAGrowingThatWasKilledLeftGoesAndTheDisksStay)
{
    const auto folder = make(record("aaaaaaaaaaaa", "calm-otter"));
    std::filesystem::create_symlink("/dev/null", folder / ".source");
    for (const auto* name : {"root.copy", "export.log", "work.img.new", "root.img", "work.img"}) {
        std::ofstream{folder / name} << "x";
    }
    remove_leftover_folders(vms, {"aaaaaaaaaaaa"});
    for (const auto* name : {"root.copy", "export.log", "work.img.new"}) {
        EXPECT_FALSE(std::filesystem::exists(folder / name)) << name;
    }
    EXPECT_FALSE(std::filesystem::is_symlink(folder / ".source"));
    for (const auto* name : {"root.img", "work.img", "vm.json"}) {
        EXPECT_TRUE(std::filesystem::exists(folder / name)) << name;
    }
}

TEST_F(VmFilesTest, RemovingTakesHalfRemovedOnesToo)
{
    const auto folder = make(record("aaaaaaaaaaaa", "calm-otter"));
    remove_folder(folder);
    EXPECT_TRUE(std::filesystem::is_empty(vms));
    remove_folder(folder);  // one that isn't there
    make(record("aaaaaaaaaaaa", "calm-otter"));
    std::filesystem::rename(folder, folder.string() + ".removed");
    remove_folder(folder);
    EXPECT_TRUE(std::filesystem::is_empty(vms));
}

TEST_F(VmFilesTest, SymlinksInAFolderAreRemovedAndNotWhatTheyPointTo)
{
    const auto folder = make(record("aaaaaaaaaaaa", "calm-otter"));
    std::filesystem::create_directories(root.path / "cache");
    std::ofstream{root.path / "cache/vmlinux"} << "kernel";
    std::filesystem::create_symlink(root.path / "cache/vmlinux", folder / "kernel");
    std::filesystem::create_directory_symlink(root.path / "cache", folder / "all");
    remove_folder(folder);
    EXPECT_TRUE(std::filesystem::exists(root.path / "cache/vmlinux"));
}

TEST_F(VmFilesTest, TheOwnerOfSandboxesIsMadeOnceAndNeverTheSameForTwoFolders)
{
    const test::TemporaryFolder one;
    const test::TemporaryFolder other;
    const auto owner = sandbox_owner_of(one.path);
    EXPECT_EQ(VmId::parse(owner).str(), owner);
    EXPECT_EQ(sandbox_owner_of(one.path), owner);
    EXPECT_NE(sandbox_owner_of(other.path), owner);
    for (const std::string damage : {"", "{}", R"({"owner": 7})", R"({"owner": "../x"})"}) {
        std::ofstream{one.path / "sandboxes.json"} << damage;
        EXPECT_THROW(sandbox_owner_of(one.path), Error) << "a new one would lose the disks of the old one";
    }
}

}  // namespace
}  // namespace banger::agent
