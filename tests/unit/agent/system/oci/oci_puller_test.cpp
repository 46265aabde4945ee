// SPDX-License-Identifier: GPL-2.0-or-later
// With the real skopeo, umoci and mke2fs over images made here; registries are in tests/contract.
#include "agent/system/oci/oci_puller.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/system/image/artifact_draft.hpp"
#include "agent/system/image/user_namespace.hpp"
#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/unique_fd.hpp"
#include "tests/fakes/temporary_folder.hpp"
#include "tests/unit/agent/system/oci/layer_maker.hpp"

namespace banger::agent {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using test::LayerMember;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr auto layer_type = "application/vnd.oci.image.layer.v1.tar+gzip";

/// An image in a folder, as of the OCI image layout.
class ImageFolder {
public:
    explicit ImageFolder(fs::path folder) : folder_{std::move(folder)} { fs::create_directories(blobs()); }

    fs::path blobs() const { return folder_ / "blobs/sha256"; }
    std::string add_layer(const std::vector<LayerMember>& members)
    {
        const auto bytes = test::make_layer(members);
        const auto digest = put(bytes);
        layers.push_back({{"mediaType", layer_type}, {"digest", digest}, {"size", bytes.size()}});
        const auto stream = test::make_layer(members, false);
        config["rootfs"]["diff_ids"].push_back(test::oci_digest(stream));
        return digest;
    }
    void write()
    {
        const auto text = config.dump();
        const json manifest{
            {"schemaVersion", 2},
            {"mediaType", "application/vnd.oci.image.manifest.v1+json"},
            {"config",
             {{"mediaType", "application/vnd.oci.image.config.v1+json"}, {"digest", put(text)}, {"size", text.size()}}},
            {"layers", layers}};
        manifest_digest = put(manifest.dump());
        std::ofstream{folder_ / "oci-layout"} << R"({"imageLayoutVersion": "1.0.0"})";
        json entry{{"mediaType", "application/vnd.oci.image.manifest.v1+json"},
                   {"digest", manifest_digest},
                   {"size", manifest.dump().size()}};
        json index{{"schemaVersion", 2}, {"manifests", json::array()}};
        index["manifests"].push_back(std::move(entry));
        std::ofstream{folder_ / "index.json"} << index;
    }

    /// One for several platforms, of which it is ours.
    void write_index()
    {
        write();
        const auto manifest_size = fs::file_size(blobs() / manifest_digest.substr(manifest_digest.find(':') + 1));
        json ours{{"mediaType", "application/vnd.oci.image.manifest.v1+json"},
                  {"digest", manifest_digest},
                  {"size", manifest_size},
                  {"platform", {{"os", "linux"}, {"architecture", "amd64"}}}};
        constexpr auto index_type = "application/vnd.oci.image.index.v1+json";
        json inner{{"schemaVersion", 2}, {"mediaType", index_type}, {"manifests", json::array()}};
        inner["manifests"].push_back(std::move(ours));
        const auto text = inner.dump();
        json entry{{"mediaType", index_type}, {"digest", put(text)}, {"size", text.size()}};
        json outer{{"schemaVersion", 2}, {"manifests", json::array()}};
        outer["manifests"].push_back(std::move(entry));
        std::ofstream{folder_ / "index.json"} << outer;
    }

    json config{{"architecture", "amd64"},
                {"os", "linux"},
                {"config", json::object()},
                {"rootfs", {{"type", "layers"}, {"diff_ids", json::array()}}}};
    json layers = json::array();
    std::string manifest_digest;

private:
    std::string put(const std::string& bytes) const
    {
        auto digest = test::oci_digest(bytes);
        std::ofstream{blobs() / digest.substr(digest.find(':') + 1), std::ios::binary} << bytes;
        return digest;
    }

    fs::path folder_;
};

class OciPullerTest : public ::testing::Test {
protected:
    void SetUp() override
    {
        try {
            find_program("skopeo");
            find_program("umoci");
            as_namespace_root({}, IdMap::Subordinate);
        } catch (const Error& error) {
            GTEST_SKIP() << error.what();
        }
    }
    PullRecipe recipe(const std::string& source) const
    {
        return {.name = "x", .source = parse_oci_source(source), .size = 64 * mib, .there_already = {}};
    }
    PullRecipe recipe() const { return recipe("oci:" + (folder.path / "image").string()); }
    PullOutcome pull(const PullRecipe& wanted) { return puller.pull(wanted, draft, progress); }
    std::optional<Error> failure(const PullRecipe& wanted)
    {
        try {
            pull(wanted);
            ADD_FAILURE() << "was pulled";
            return std::nullopt;
        } catch (const Error& error) {
            EXPECT_FALSE(fs::exists(draft)) << "a failure leaves nothing";
            return error;
        }
    }
    std::string debugfs(const std::string& request) const
    {
        std::string said;
        run_program({.argv = {find_program("debugfs").string(), "-R", request, (draft / "rootfs.ext4").string()},
                     .on_line = [&said](std::string_view line) { said.append(line).append("\n"); }});
        return said;
    }
    json description() const { return json::parse(std::ifstream{draft / "image.json"}); }
    fs::path cached(const std::string& digest) const { return cache / "sha256" / digest.substr(digest.find(':') + 1); }

    test::TemporaryFolder folder;
    fs::path draft{folder.path / "images/.new-x"};
    fs::path cache{folder.path / "cache/oci"};
    ImageFolder image{folder.path / "image"};
    std::vector<std::string> stages;
    PullProgress progress = [this] {
        PullProgress calls;
        calls.stage = [this](const std::string& stage) { stages.push_back(stage); };
        calls.fraction = [](double) {};
        return calls;
    }();
    OciPuller puller{cache, folder.path / "logs",
                     [](const auto& layers, const LayerBounds& bounds, const fs::path&, const std::stop_token& stop) {
                         return check_layers(layers, bounds, stop);
                     }};
};

TEST_F(OciPullerTest, OwnersModesCapabilitiesLinksAndWhiteoutsAreThoseOfTheLayers)
{
    const auto owned = [](uid_t owner, mode_t mode) {
        return [owner, mode](archive_entry* entry) {
            archive_entry_set_uid(entry, owner);
            archive_entry_set_gid(entry, owner);
            archive_entry_set_perm(entry, mode);
        };
    };
    const auto with_xattr = [](const char* name, std::string value) {
        return [name, value = std::move(value)](archive_entry* entry) {
            archive_entry_xattr_add_entry(entry, name, value.data(), value.size());
        };
    };
    // capability(7): format 2 with the effective bit, cap_net_raw (13) permitted.
    const std::string cap_net_raw{"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
                                  20};
    image.add_layer({{.name = "srv/", .type = AE_IFDIR},
                     {.name = "srv/own", .content = "w", .shape = owned(33, 0640)},
                     {.name = "srv/su", .content = "s", .shape = owned(0, 04755)},
                     {.name = "srv/ping", .content = "p", .shape = with_xattr("security.capability", cap_net_raw)},
                     {.name = "srv/green", .content = "g", .shape = with_xattr("user.colour", "green")},
                     {.name = "srv/one", .content = "one\n"},
                     {.name = "srv/two", .hard_link = "srv/one"},
                     {.name = "srv/gone", .content = "x"}});
    image.add_layer({{.name = "srv/.wh.gone"}, {.name = "srv/late", .content = "late\n"}});
    image.write();
    ASSERT_EQ(pull(recipe()), PullOutcome::Made);
    const auto own = debugfs("stat /srv/own");
    EXPECT_THAT(own, HasSubstr("Mode:  0640"));
    EXPECT_THAT(own, HasSubstr("User:    33   Group:    33"));
    EXPECT_THAT(debugfs("stat /srv/su"), HasSubstr("Mode:  04755"));
    EXPECT_THAT(debugfs("ea_get -x /srv/ping security.capability"),
                HasSubstr("01 00 00 02 00 20 00 00 00 00 00 00 00 00 00 00 00 00 00 00"))
        << "format 2: no namespace's root in it";
    EXPECT_THAT(debugfs("ea_get /srv/green user.colour"), HasSubstr("green"));
    EXPECT_THAT(debugfs("stat /srv/one"), HasSubstr("Links: 2"));
    EXPECT_THAT(debugfs("cat /srv/two"), HasSubstr("one\n"));
    EXPECT_THAT(debugfs("ls /srv"), Not(HasSubstr("gone")));
    EXPECT_THAT(debugfs("ls /srv"), Not(HasSubstr(".wh.")));
    EXPECT_THAT(debugfs("cat /srv/late"), HasSubstr("late"));
}

TEST_F(OciPullerTest, FoldersThatNoLayerTellsOfAreForEverybody)
{
    image.add_layer({{.name = "opt/app/file", .content = "x"}});
    image.write();
    const auto ours = ::umask(0077);  // bangerd's
    const auto outcome = pull(recipe());
    ::umask(ours);
    ASSERT_EQ(outcome, PullOutcome::Made);
    for (const auto* path : {"/", "/opt", "/opt/app"}) {
        EXPECT_THAT(debugfs(std::string{"stat "} + path), HasSubstr("Mode:  0755")) << path;
    }
}

TEST_F(OciPullerTest, TheDescriptionHasWhatTheImageSaysAndWhereItIsFrom)
{
    const auto layer = image.add_layer({{.name = "bin/", .type = AE_IFDIR}});
    image.config["config"] = {{"Entrypoint", json::array({"/bin/x"})}, {"WorkingDir", "/srv/work"}, {"User", "app"}};
    image.write();
    pull(recipe());
    const auto told = description();
    EXPECT_EQ(told["name"], "x");
    EXPECT_EQ(told["origin"], "oci:" + (folder.path / "image").string() + "@" + image.manifest_digest);
    EXPECT_EQ(told["manifest"], image.manifest_digest);
    EXPECT_EQ(told["config"]["entrypoint"], json::array({"/bin/x"}));
    EXPECT_EQ(told["config"]["user"], "app");
    EXPECT_EQ(told["config"]["systemd"], false);
    EXPECT_EQ(told["size"], (64 * mib).bytes());
    EXPECT_LT(told["allocated"].get<std::uint64_t>(), (16 * mib).bytes());
    EXPECT_THAT(told["blobs"].dump(), HasSubstr(layer));
    EXPECT_THAT(debugfs("stat /srv/work"), HasSubstr("Type: directory"));
    EXPECT_FALSE(fs::exists(draft / "scratch"));
    EXPECT_EQ(fs::status(draft / "rootfs.ext4").permissions(), fs::perms{0444});
}

TEST_F(OciPullerTest, WhatIsStillTheSameIsNotPulledAgain)
{
    image.add_layer({{.name = "a"}});
    image.write();
    auto wanted = recipe();
    wanted.there_already = ImagePuller::origin_of(wanted.source, image.manifest_digest);
    EXPECT_EQ(pull(wanted), PullOutcome::ThereAlready);
    EXPECT_FALSE(fs::exists(draft));
    EXPECT_FALSE(fs::exists(cache / "sha256"));
    wanted.there_already = ImagePuller::origin_of(wanted.source, "sha256:" + std::string(64, '0'));
    EXPECT_EQ(pull(wanted), PullOutcome::Made);
}

TEST_F(OciPullerTest, ABlobThatWasDamagedInTheCacheIsBroughtAgain)
{
    const auto layer = image.add_layer({{.name = "a", .content = std::string(10'000, 'a')}});
    image.write();
    pull(recipe());
    fs::remove_all(draft);
    const auto blob = cached(layer);
    ASSERT_TRUE(fs::exists(blob));
    const auto size = fs::file_size(blob);
    std::ofstream{blob, std::ios::binary | std::ios::trunc} << std::string(size, 'x');
    EXPECT_EQ(pull(recipe()), PullOutcome::Made);
    EXPECT_THAT(debugfs("stat /a"), HasSubstr("Size: 10000"));
}

TEST_F(OciPullerTest, AHostileLayerIsRefusedBeforeItIsUnpacked)
{
    image.add_layer({{.name = "etc/", .type = AE_IFDIR}});
    image.add_layer({{.name = "etc/.wh..."}});
    image.write();
    const auto error = failure(recipe());
    EXPECT_EQ(error->code(), ErrorCode::CorruptData);
    EXPECT_THAT(error->what(), HasSubstr("whiteout"));
    EXPECT_THAT(stages, Not(::testing::Contains(HasSubstr("unpacking"))));
}

TEST_F(OciPullerTest, WhatDoesNotFitIsRefusedWithTheOptionThatHelps)
{
    image.add_layer({{.name = "a", .content = std::string(70'000'000, 'a')}});
    image.write();
    const auto error = failure(recipe());
    EXPECT_EQ(error->code(), ErrorCode::CorruptData);
    EXPECT_THAT(error->what(), HasSubstr("--size"));
}

TEST_F(OciPullerTest, AFolderForSeveralPlatformsIsBoundedBeforeItIsCopied)
{
    std::string noise(12'000'000, ' ');
    std::uint32_t state = 1;
    for (auto& letter : noise) {
        state = state * 1664525U + 1013904223U;
        letter = static_cast<char>(state >> 24U);
    }
    image.add_layer({{.name = "a", .content = noise}});
    image.write_index();
    auto small = recipe();
    small.size = mib;
    EXPECT_EQ(failure(small)->code(), ErrorCode::CorruptData);
    EXPECT_THAT(stages, Not(::testing::Contains("looking through the layers"))) << "it was copied whole";
    EXPECT_EQ(pull(recipe()), PullOutcome::Made);
}

TEST_F(OciPullerTest, AnotherArchitectureIsNamed)
{
    image.config["architecture"] = "arm64";
    image.add_layer({{.name = "a"}});
    image.write();
    EXPECT_THAT(failure(recipe())->what(), HasSubstr("linux/arm64"));
}

TEST_F(OciPullerTest, WhatIsNotThereIsNotFound)
{
    EXPECT_EQ(failure(recipe("oci:" + (folder.path / "nothing").string()))->code(), ErrorCode::NotFound);
    EXPECT_EQ(failure(recipe("oci-archive:" + (folder.path / "nothing.tar").string()))->code(), ErrorCode::NotFound);
}

TEST_F(OciPullerTest, ALieAboutALayersSizeIsRefused)
{
    image.add_layer({{.name = "a", .content = std::string(100'000, 'a')}});
    image.layers[0]["size"] = 17;
    image.write();
    EXPECT_EQ(failure(recipe())->code(), ErrorCode::CorruptData);
}

TEST_F(OciPullerTest, AnArchiveIsTheSame)
{
    image.add_layer({{.name = "a", .content = "in it\n"}});
    image.write();
    const auto file = folder.path / "image.tar";
    ASSERT_TRUE(run_program({.argv = {find_program("skopeo").string(), "copy", "-q",
                                      "oci:" + (folder.path / "image").string(), "oci-archive:" + file.string()}})
                    .ok());
    const auto wanted = recipe("oci-archive:" + file.string());
    ASSERT_EQ(pull(wanted), PullOutcome::Made);
    EXPECT_THAT(debugfs("cat /a"), HasSubstr("in it"));
    auto again = wanted;
    again.there_already = description()["origin"];
    fs::remove_all(draft);
    EXPECT_EQ(pull(again), PullOutcome::ThereAlready);
    EXPECT_FALSE(fs::exists(draft));
}

TEST_F(OciPullerTest, AnArchiveThatIsABombIsRefused)
{
    const auto file = folder.path / "bomb.tar";
    std::ofstream{file, std::ios::binary}
        << test::make_layer({{.name = "a", .content = std::string(70'000'000, '\0')}});
    EXPECT_THAT(failure(recipe("oci-archive:" + file.string()))->what(), HasSubstr("bomb.tar"));
}

TEST_F(OciPullerTest, AnArchiveThatLeadsOutOfItselfTouchesNothing)
{
    const auto victim = folder.path / "victim";
    fs::create_directory(victim);
    const auto file = folder.path / "evil.tar";
    const auto link = [&victim](archive_entry* entry) { archive_entry_set_symlink(entry, victim.c_str()); };
    std::ofstream{file, std::ios::binary}
        << test::make_layer({{.name = "oci-layout", .content = R"({"imageLayoutVersion": "1.0.0"})"},
                             {.name = "index.json", .content = R"({"schemaVersion": 2, "manifests": []})"},
                             {.name = "x", .type = AE_IFLNK, .shape = link},
                             {.name = "x/.bashrc", .content = "evil"}},
                            false);
    const auto error = failure(recipe("oci-archive:" + file.string()));
    EXPECT_EQ(error->code(), ErrorCode::CorruptData);
    EXPECT_THAT(error->what(), HasSubstr("is a link"));
    EXPECT_TRUE(fs::is_empty(victim));
}

TEST_F(OciPullerTest, AnArchivesTagIsLookedForInIt)
{
    image.add_layer({{.name = "a"}});
    image.write();
    const auto file = folder.path / "image.tar";
    ASSERT_TRUE(
        run_program({.argv = {find_program("skopeo").string(), "copy", "-q", "oci:" + (folder.path / "image").string(),
                              "oci-archive:" + file.string() + ":v1"}})
            .ok());
    EXPECT_EQ(failure(recipe("oci-archive:" + file.string() + ":v2"))->code(), ErrorCode::NotFound);
    EXPECT_EQ(pull(recipe("oci-archive:" + file.string() + ":v1")), PullOutcome::Made);
}

TEST_F(OciPullerTest, ACancelLeavesNothing)
{
    image.add_layer({{.name = "a"}});
    image.write();
    std::stop_source stop;
    progress.stop = stop.get_token();
    progress.stage = [&stop](const std::string& stage) {
        if (stage == "looking through the layers") {
            stop.request_stop();
        }
    };
    EXPECT_EQ(failure(recipe())->code(), ErrorCode::Cancelled);
}

TEST_F(OciPullerTest, APruneTakesNoBlobsWhileAnotherProcessPulls)
{
    const auto stray = cached("sha256:" + std::string(64, '5'));
    fs::create_directories(stray.parent_path());
    std::ofstream{stray} << "stray";
    {
        // As another process has it: by a descriptor of its own.
        const UniqueFd other{::open(cache.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
        ASSERT_EQ(::flock(other.get(), LOCK_SH), 0);
        try {
            puller.prune({}, progress);
            ADD_FAILURE() << "it was pruned";
        } catch (const Error& error) {
            EXPECT_EQ(error.code(), ErrorCode::InUse);
        }
        EXPECT_TRUE(fs::exists(stray));
        image.add_layer({{.name = "a"}});
        image.write();
        EXPECT_EQ(pull(recipe()), PullOutcome::Made) << "several may pull at once";
        fs::remove_all(draft);
        ASSERT_EQ(::flock(other.get(), LOCK_EX), 0);
        EXPECT_EQ(failure(recipe())->code(), ErrorCode::InUse);
    }
    EXPECT_EQ(puller.prune({}, progress).blobs, 4U);
}

TEST_F(OciPullerTest, WhatIsMadeAndNotTakenInYetIsNoRubbish)
{
    image.add_layer({{.name = "a"}});
    image.write();
    pull(recipe());
    EXPECT_EQ(puller.prune({{}, {draft}}, progress).drafts, 0U);
    EXPECT_TRUE(fs::exists(draft / "image.json"));
    forget_draft(draft);
    EXPECT_EQ(puller.prune({{}, {draft}}, progress).drafts, 1U);
    EXPECT_FALSE(fs::exists(draft));
}

TEST_F(OciPullerTest, APruneKeepsTheBlobsOfImagesThatAreThere)
{
    const auto layer = image.add_layer({{.name = "a"}});
    image.write();
    pull(recipe());
    const auto stray = cached("sha256:" + std::string(64, '5'));
    std::ofstream{stray} << "stray";
    fs::create_directories(folder.path / "images/.new-y/scratch");
    auto pruned = puller.prune({{draft}, {folder.path / "images/.new-y"}}, progress);
    EXPECT_EQ(pruned.blobs, 1U);
    EXPECT_EQ(pruned.bytes, 5U);
    EXPECT_EQ(pruned.drafts, 1U);
    EXPECT_FALSE(fs::exists(folder.path / "images/.new-y"));
    EXPECT_TRUE(fs::exists(cached(layer)));
    pruned = puller.prune({}, progress);
    EXPECT_EQ(pruned.blobs, 3U) << "manifest, configuration and layer";
    EXPECT_TRUE(fs::is_empty(cache / "sha256"));
    EXPECT_EQ(puller.prune({}, progress).blobs, 0U);
}

}  // namespace
}  // namespace banger::agent
