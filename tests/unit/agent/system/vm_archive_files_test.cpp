// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/vm_archive_files.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "agent/system/disks.hpp"
#include "agent/system/image/content_digest.hpp"
#include "agent/system/sha256.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/runtime/archive_maker.hpp"

namespace banger::agent {
namespace {

using test::Member;
using ::testing::HasSubstr;
using ::testing::StartsWith;
namespace fs = std::filesystem;

constexpr std::uint64_t root_size = std::uint64_t{1} << 30U;
constexpr std::uint64_t work_size = std::uint64_t{64} << 20U;

std::string bytes_of_file(const fs::path& file)
{
    std::ifstream stream{file, std::ios::binary};
    return {std::istreambuf_iterator<char>{stream}, {}};
}

void write_at(const fs::path& file, std::uint64_t place, const std::string& text)
{
    std::fstream stream{file, std::ios::in | std::ios::out | std::ios::binary};
    stream.seekp(static_cast<std::streamoff>(place));
    stream << text;
}

UniqueFd open_to_read(const fs::path& file) { return UniqueFd{::open(file.c_str(), O_RDONLY | O_CLOEXEC)}; }

class VmArchiveFilesTest : public ::testing::Test {
protected:
    VmArchiveFilesTest()
    {
        for (const auto& place : {source, target}) {
            fs::create_directories(place);
        }
        for (const auto& [name, size] :
             std::map<std::string, std::uint64_t>{{"root.img", root_size}, {"work.img", work_size}}) {
            std::ofstream{source / name} << "the beginning of " << name;
            fs::resize_file(source / name, size);
            write_at(source / name, size - 10, "the end");
        }
        write_at(source / "root.img", 300'000'000, std::string(200'000, 'r'));
        std::ofstream{source / "image.ext4"} << std::string(100'000, 'i');
    }

    VmPacking packing(VmPacking::Form form = VmPacking::Form::Packed) const
    {
        return {.contents = {.version = "0.1.0",
                             .spec = {.name = VmName::parse("calm-otter"),
                                      .image = "debian",
                                      .image_digest = content_digest(source / "image.ext4", {}),
                                      .kernel = "debian",
                                      .kernel_digest = Digest::parse(std::string(64, 'b')),
                                      .vcpus = 1,
                                      .memory_mib = 256,
                                      .disk = ByteSize{work_size}}},
                .files = {{.name = "root.img", .place = source / "root.img"},
                          {.name = "work.img", .place = source / "work.img"}},
                .form = form};
    }
    VmPacking with_image() const
    {
        auto wish = packing();
        wish.files.push_back(
            {.name = "image.ext4", .place = source / "image.ext4", .digest = wish.contents.spec.image_digest});
        return wish;
    }
    PackedVm pack(VmPacking wish)
    {
        const UniqueFd output{::open(archive.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)};
        return files.pack(std::move(wish), output, progress());
    }
    RuntimeProgress progress() const
    {
        return {.stage = [](const std::string&) {}, .fraction = [](double) {}, .stop = stop.get_token()};
    }
    Digest unpack(const std::optional<VmUnpacking::Image>& image = {})
    {
        return files.open(open_to_read(archive), progress())->unpack({.folder = target, .image = image});
    }
    std::string refusal()
    {
        fs::remove_all(target);
        fs::create_directories(target);
        try {
            unpack();
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::CorruptData) << error.what();
            return error.what();
        }
        return "it was taken";
    }
    /// An archive of these files, whose first is vm.json, that says what it likes.
    std::string refusal_of(const std::vector<Member>& members)
    {
        std::ofstream{archive, std::ios::binary} << test::make_archive(test::Packing::Tgz, members);
        return refusal();
    }
    /// vm.json of an archive with these small disks.
    std::string description_of(const std::string& root, const std::string& work, std::uint64_t data = 1000) const
    {
        const auto digest = [this](const std::string& content) {
            const auto file = folder.path / "measured";
            std::ofstream{file, std::ios::binary} << content;
            return content_digest(file, {});
        };
        auto contents = packing().contents;
        contents.spec.disk = ByteSize{work.size()};
        contents.disks = {{"root.img", root.size(), std::min<std::uint64_t>(data, root.size()), digest(root)},
                          {"work.img", work.size(), std::min<std::uint64_t>(data, work.size()), digest(work)}};
        return to_text(contents);
    }

    test::TemporaryFolder folder;
    fs::path source = folder.path / "source";
    fs::path target = folder.path / "target";
    fs::path archive = folder.path / "vm.tar.gz";
    std::stop_source stop;
    VmArchiveFiles files;
};

TEST_F(VmArchiveFilesTest, WhatIsPackedIsUnpackedByteForByteWithItsHoles)
{
    for (const auto form : {VmPacking::Form::Packed, VmPacking::Form::Plain}) {
        fs::remove_all(target);
        fs::create_directories(target);
        const auto packed = pack(packing(form));
        EXPECT_EQ(packed.sha256, sha256_of_file(archive, {}));
        EXPECT_EQ(packed.size, fs::file_size(archive));
        EXPECT_LT(packed.size, 2'000'000U) << "a GiB of holes costs nothing";
        EXPECT_EQ(unpack(), packed.sha256);
        for (const auto* name : {"root.img", "work.img"}) {
            EXPECT_EQ(fs::file_size(target / name), fs::file_size(source / name)) << name;
            EXPECT_EQ(content_digest(target / name, {}), content_digest(source / name, {})) << name;
            EXPECT_LT(allocated_bytes(target / name), 1'000'000U) << "sparse stays sparse: " << name;
        }
        EXPECT_EQ(fs::status(target / "root.img").permissions(), fs::perms::owner_read | fs::perms::owner_write);
    }
}

TEST_F(VmArchiveFilesTest, ADiskOfZerosIsOneHole)
{
    fs::resize_file(source / "work.img", 0);
    fs::resize_file(source / "work.img", work_size);
    const auto packed = pack(packing(VmPacking::Form::Plain));
    EXPECT_LT(packed.size, 2'000'000U);
    EXPECT_EQ(unpack(), packed.sha256);
    EXPECT_EQ(fs::file_size(target / "work.img"), work_size);
    EXPECT_EQ(allocated_bytes(target / "work.img"), 0U);
}

TEST_F(VmArchiveFilesTest, ADiskThatHasGrownFurtherThanItsRecordIsWhatItIs)
{
    fs::resize_file(source / "work.img", 2 * work_size);
    pack(packing());
    const auto opened = files.open(open_to_read(archive), progress());
    EXPECT_EQ(opened->contents().spec.disk.bytes(), 2 * work_size);
    opened->unpack({.folder = target});
    EXPECT_EQ(fs::file_size(target / "work.img"), 2 * work_size);
}

TEST_F(VmArchiveFilesTest, GnuTarReadsIt)
{
    pack(packing());
    const auto done =
        run_program({.argv = {find_program("tar").string(), "-xzf", archive.string(), "-C", target.string()}});
    ASSERT_TRUE(done.ok()) << done.tail;
    EXPECT_EQ(content_digest(target / "root.img", {}), content_digest(source / "root.img", {}));
    EXPECT_NO_THROW(parse_vm_archive(bytes_of_file(target / "vm.json")));
}

TEST_F(VmArchiveFilesTest, APipeIsAsGoodAsAFile)
{
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    UniqueFd reader{ends[0]};
    std::optional<PackedVm> packed;
    std::thread other{[&, writer = ends[1]] {
        const UniqueFd output{writer};
        packed = files.pack(packing(), output, progress());
    }};
    const auto sum = files.open(std::move(reader), progress())->unpack({.folder = target});
    other.join();
    ASSERT_TRUE(packed);
    EXPECT_EQ(sum, packed->sha256);
    EXPECT_EQ(content_digest(target / "root.img", {}), content_digest(source / "root.img", {}));
}

TEST_F(VmArchiveFilesTest, TheFirstBytesMayComeOneByOne)
{
    pack(packing());
    const auto whole = bytes_of_file(archive);
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);  // a read gives what one write gave
    UniqueFd reader{ends[0]};
    std::thread other{[&whole, end = ends[1]] {
        const UniqueFd writer{end};
        for (std::size_t at = 0; at < whole.size();) {
            const auto piece = std::min<std::size_t>(at < 10 ? 1 : 16'384, whole.size() - at);
            if (::write(writer.get(), whole.data() + at, piece) < 0) {
                return;
            }
            at += piece;
        }
    }};
    files.open(std::move(reader), progress())->unpack({.folder = target});
    other.join();
    EXPECT_EQ(content_digest(target / "root.img", {}), content_digest(source / "root.img", {}));
}

TEST_F(VmArchiveFilesTest, OneThatIsPackedTwiceIsRefusedHoweverLittleComesOut)
{
    pack(packing());
    const auto whole = bytes_of_file(archive);
    std::ofstream{archive, std::ios::binary} << test::gzipped(whole);
    EXPECT_THAT(refusal(), HasSubstr("no tar.gz"));
    // Empty gzip members come to nothing, and so to no ratio.
    const auto empty = test::gzipped("");
    std::string many;
    for (int i = 0; i < 70'000; ++i) {
        many += empty;
    }
    std::string more;
    for (const auto packed = test::gzipped(many); more.size() < 10'000'000;) {
        more += packed;
    }
    std::ofstream{archive, std::ios::binary} << test::gzipped(test::gzipped(more));
    EXPECT_THAT(refusal(), HasSubstr("no tar.gz"));
}

TEST_F(VmArchiveFilesTest, AStopEndsWhatWaitsForTheOtherEnd)
{
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const UniqueFd reader{ends[0]};
    const UniqueFd writer{ends[1]};
    const auto outcome = [](const auto& work) {
        try {
            work();
        } catch (const Error& error) {
            return error.code();
        }
        return ErrorCode::Internal;
    };
    std::thread other{[this] { stop.request_stop(); }};
    EXPECT_EQ(outcome([&] { files.open(UniqueFd{::dup(reader.get())}, progress()); }), ErrorCode::Cancelled);
    EXPECT_EQ(outcome([&] { files.pack(packing(), writer, progress()); }), ErrorCode::Cancelled);
    other.join();
}

TEST_F(VmArchiveFilesTest, AReaderThatIsGoneIsSaid)
{
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    ::close(ends[0]);
    const UniqueFd writer{ends[1]};
    const auto before = ::signal(SIGPIPE, SIG_IGN);
    try {
        files.pack(packing(), writer, progress());
        ADD_FAILURE() << "it was written";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::Failed);
        EXPECT_THAT(error.what(), HasSubstr("nobody reads"));
    }
    ::signal(SIGPIPE, before);
}

TEST_F(VmArchiveFilesTest, AnImageIsTakenInOnlyWhereAPlaceIsGiven)
{
    pack(with_image());
    unpack();
    EXPECT_FALSE(fs::exists(target / "image.ext4"));
    fs::remove(target / "root.img");
    fs::remove(target / "work.img");
    const auto draft = folder.path / "images/.new-import";
    unpack(VmUnpacking::Image{.name = "debian", .draft = draft});
    EXPECT_EQ(bytes_of_file(draft / "rootfs.ext4"), std::string(100'000, 'i'));
    const auto json = nlohmann::json::parse(bytes_of_file(draft / "image.json"));
    EXPECT_EQ(json["name"], "debian");
    EXPECT_EQ(json["digest"], content_digest(source / "image.ext4", {}).str());
    EXPECT_FALSE(fs::exists(target / "image.ext4"));
}

TEST_F(VmArchiveFilesTest, AnImageThatWasChangedIsNotPacked)
{
    auto wish = with_image();
    std::ofstream{source / "image.ext4"} << "something else";
    EXPECT_THROW(pack(std::move(wish)), Error);
}

TEST_F(VmArchiveFilesTest, WhatIsDamagedOrCutOffIsRefused)
{
    pack(packing());
    const auto whole = bytes_of_file(archive);
    for (const auto size : {std::size_t{0}, std::size_t{100}, whole.size() / 2, whole.size() - 20}) {
        std::ofstream{archive, std::ios::binary} << whole.substr(0, size);
        EXPECT_THAT(refusal(), StartsWith("the archive can't be taken in: ")) << size;
    }
    pack(packing(VmPacking::Form::Plain));
    auto changed = bytes_of_file(archive);
    const auto at = changed.find("rrrrrrrrrr");
    ASSERT_NE(at, std::string::npos);
    changed[at + 5] = 'R';
    std::ofstream{archive, std::ios::binary} << changed;
    EXPECT_THAT(refusal(), HasSubstr("root.img in it has the digest"));
}

TEST_F(VmArchiveFilesTest, OnlyWhatTheDescriptionNamesIsTaken)
{
    const std::string root(1000, 'r');
    const std::string work(500, 'w');
    const Member description{"vm.json", description_of(root, work)};
    EXPECT_EQ(refusal_of({description, {"root.img", root}, {"work.img", work}}), "it was taken");
    EXPECT_THAT(refusal_of({{"root.img", root}, description, {"work.img", work}}),
                HasSubstr("does not begin with vm.json"));
    EXPECT_THAT(refusal_of({description, {"root.img", root}}), HasSubstr("half an archive: vm.json names work.img"));
    for (const auto* name : {"../root.img", "/etc/passwd", "a/root.img", "console.log", "vm.json", "image.ext4"}) {
        EXPECT_THAT(refusal_of({description, {name, "x"}}), HasSubstr("is nothing that vm.json names")) << name;
    }
    EXPECT_THAT(refusal_of({description, {"root.img", "", "/etc/passwd", ""}}), HasSubstr("is a link"));
    EXPECT_THAT(refusal_of({description, {"work.img", work}, {"root.img", "", "", "work.img"}}),
                HasSubstr("is a link"));
    EXPECT_THAT(refusal_of({description, {"root.img", root}, {"root.img", root}}), HasSubstr("is there twice"));
    EXPECT_THAT(refusal_of({description, {"root.img", root + "r"}}), HasSubstr("has 1001 bytes, and 1000 by vm.json"));
    EXPECT_THAT(refusal_of({description, {"root.img", root}, {"work.img", std::string(500, 'W')}}),
                HasSubstr("has the digest"));
    EXPECT_FALSE(fs::exists(folder.path / "root.img"));
}

TEST_F(VmArchiveFilesTest, MoreThanWasSaidIsABomb)
{
    // Zeros pack 1000 : 1, and this says that there are none.
    const std::string root(std::size_t{3} << 20U, '\0');
    const std::string work(512, 'w');
    const auto description = description_of(root, work, 1);
    const std::string much(std::size_t{40} << 20U, '\0');
    auto json = nlohmann::json::parse(description);
    json["disks"][0]["size"] = much.size();
    std::string large = json.dump();
    std::string out(std::size_t{48} << 20U, '\0');
    std::size_t used = 0;
    const c_ptr<::archive, archive_write_free> writer{archive_write_new()};
    archive_write_set_format_pax_restricted(writer.get());
    archive_write_add_filter_gzip(writer.get());
    archive_write_open_memory(writer.get(), out.data(), out.size(), &used);
    for (const auto& [name, content] :
         std::vector<std::pair<std::string, const std::string*>>{{"vm.json", &large}, {"root.img", &much}}) {
        const c_ptr<archive_entry, archive_entry_free> entry{archive_entry_new()};
        archive_entry_set_pathname(entry.get(), name.c_str());
        archive_entry_set_perm(entry.get(), 0600);
        archive_entry_set_filetype(entry.get(), AE_IFREG);
        archive_entry_set_size(entry.get(), static_cast<la_int64_t>(content->size()));
        archive_write_header(writer.get(), entry.get());
        archive_write_data(writer.get(), content->data(), content->size());
    }
    archive_write_close(writer.get());
    out.resize(used);
    EXPECT_LT(out.size(), std::size_t{1} << 20U);
    std::ofstream{archive, std::ios::binary} << out;
    EXPECT_THAT(refusal(), HasSubstr("it is a bomb"));
}

TEST_F(VmArchiveFilesTest, WhatAnImportWouldRefuseIsNotExported)
{
    const auto file = source / "root.img";
    std::ofstream stream{file, std::ios::binary};
    const std::string block(std::size_t{1} << 20U, 'A');  // no hole, and packs 1000 : 1
    for (int i = 0; i < 160; ++i) {
        stream << block;
    }
    stream.close();
    try {
        pack(packing());
        ADD_FAILURE() << "it was packed";
    } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::InvalidArgument);
        EXPECT_THAT(error.what(), HasSubstr("--plain"));
    }
    const auto packed = pack(packing(VmPacking::Form::Plain));
    EXPECT_EQ(unpack(), packed.sha256);
}

TEST(CoalescedTest, SmallHolesBecomeDataUntilThereAreFewEnough)
{
    constexpr std::uint64_t block = std::uint64_t{64} << 10U;
    std::vector<DataRange> ranges;
    for (std::uint64_t i = 0; i < 1000; ++i) {
        ranges.push_back({i * 3 * block, block});
    }
    ranges.push_back({1'000'000 * block, block});
    EXPECT_EQ(coalesced(ranges, 2000).size(), ranges.size());
    const auto fewer = coalesced(ranges, 100);
    ASSERT_EQ(fewer.size(), 2U);
    EXPECT_EQ(fewer[0].begin, 0U);
    EXPECT_EQ(fewer[0].size, 999 * 3 * block + block);
    EXPECT_EQ(fewer[1].begin, 1'000'000 * block) << "a large hole stays one";
    EXPECT_EQ(coalesced({}, 1).size(), 0U);
}

}  // namespace
}  // namespace banger::agent
