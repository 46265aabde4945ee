// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/runtime.hpp"

#include "cli/commands/creation.hpp"
#include "cli/commands/making.hpp"

#include "cli/view/output.hpp"
#include "common/error.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>

namespace banger::cli {
namespace {

constexpr int exit_not_whole = 1;

struct FetchCommand {
    MakeReport report;
    std::string from;
    std::string manifest;
};

struct PackageCommand {
    MakeReport report;
    std::string output{"dist/banger-runtime.tar.gz"};
    std::string image;
    std::string docker_image;
    std::string kernel;
};

/// bangerd has a working directory of its own. Nothing stays nothing.
std::string whole_path(const std::string& path)
{
    return path.empty() ? path : std::filesystem::absolute(path).lexically_normal().string();
}

/// The Manager's rows, printed; whether all of them are ok.
template <typename Rows>
bool print_rows(const Rows& rows, const ListingOptions& options)
{
    Listing listing{{{"name", "NAME"},
                     {"version", "VERSION"},
                     {"state", "STATE"},
                     {"path", "PATH"},
                     {"origin", "ORIGIN"},
                     {"problem", "PROBLEM"}}};
    for (const auto& row : rows) {
        const std::vector<std::string> fields{row.template get<0>(), row.template get<1>(), row.template get<3>(),
                                              row.template get<2>(), row.template get<4>(), row.template get<5>()};
        listing.add(fields, {fields.begin(), fields.end()});
    }
    listing.print(options, LongLines::Whole);
    return std::all_of(rows.begin(), rows.end(), [](const auto& row) { return row.template get<3>() == "ok"; });
}

int show(const ListingOptions& options)
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    print_rows(translated([&] { return agent->manager().ListRuntime(); }), options);
    return 0;
}

int verify(const ListingOptions& options)
{
    const auto agent = Agent::connect(WhenAbsent::Start);
    const bool whole = print_rows(translated([&] { return agent->manager().VerifyRuntime(); }), options);
    return whole ? 0 : exit_not_whole;
}

std::string describe(const VariantMap& result)
{
    if (const auto warnings = text_of(result, "warnings"); !warnings.empty()) {
        complain(warnings);
    }
    const auto fetched = text_of(result, "fetched");
    const auto missing = text_of(result, "missing");
    const auto registered = text_of(result, "registered");
    return (fetched.empty() ? "nothing was to be fetched" : "fetched and checked: " + fetched) +
           (missing.empty() ? "" : "; still missing, as it isn't there: " + missing) +
           (registered.empty() ? "" : "; now there: " + registered);
}

int fetch(const FetchCommand& command)
{
    const auto from = whole_path(command.from);
    const auto manifest = whole_path(command.manifest);
    const auto begin = [&](ManagerProxy& manager) {
        return manifest.empty() ? manager.FetchRuntime(from) : manager.FetchBundle(manifest);
    };
    return make_one(command.report, "runtime", begin, describe);
}

/// https://reproducible-builds.org/specs/source-date-epoch/: the time of what is built, where somebody says one.
std::int64_t time_of_files()
{
    const char* text = std::getenv("SOURCE_DATE_EPOCH");
    if (text == nullptr || *text == '\0') {
        return 0;
    }
    std::int64_t seconds = 0;
    const std::string_view digits{text};
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), seconds);
    if (problem != std::errc{} || end != digits.data() + digits.size() || seconds < 0) {
        throw Error{ErrorCode::InvalidArgument, "SOURCE_DATE_EPOCH must be a number of seconds since 1970"};
    }
    return seconds;
}

/// An archive's line is one that `sha256sum --check` reads.
std::string describe_bundle(const VariantMap& result)
{
    const auto parts = text_of(result, "parts");
    const auto sum = text_of(result, "sha256");
    if ((" " + parts + " ").find(" firecracker ") == std::string::npos) {
        remark("there is no Firecracker in it, as none was fetched; banger runtime fetch gets it");
    }
    remark("parts: " + parts);
    return sum.empty() ? text_of(result, "path") : sum + "  " + text_of(result, "path");
}

int package(const PackageCommand& command)
{
    VariantMap map{{"output", sdbus::Variant{whole_path(command.output)}},
                   {"modified", sdbus::Variant{time_of_files()}}};
    const auto put = [&map](const char* key, const std::string& name) {
        if (!name.empty()) {
            map.emplace(key, sdbus::Variant{name});
        }
    };
    put("image", command.image);
    put("docker_image", command.docker_image);
    put("kernel", command.kernel);
    return make_one(
        command.report, "bundle", [&](ManagerProxy& manager) { return manager.PackageRuntime(map); }, describe_bundle);
}

void add_package_command(Command runtime, Context& context)
{
    const auto command = std::make_shared<PackageCommand>();
    const auto app = add_command(runtime, context, "package", "Put Firecracker, kernel and images into one archive",
                                 [command] { return package(*command); });
    note_paths(context,
               app.option("--output", command->output, "the archive, or a folder/ (dist/banger-runtime.tar.gz)")
                   .value_name("FILE|FOLDER/")
                   .not_empty());
    app.option("--image", command->image, "its rootfs (the default image)").value_name("NAME");
    app.option("--docker-image", command->docker_image, "its rootfs-docker (debian-docker)").value_name("NAME");
    app.option("--kernel", command->kernel, "its kernel (the default one)").value_name("NAME");
    command->report.add_to(app);
}

void add_listing_command(Command noun, Context& context, const std::string& verb, const std::string& description,
                         int (*action)(const ListingOptions&))
{
    const auto options = std::make_shared<ListingOptions>();
    const auto app = add_command(noun, context, verb, description, [options, action] { return action(*options); });
    options->add_to(app, ListingOptions::Quiet::No);
}

}  // namespace

void add_runtime_commands(Command runtime, Context& context)
{
    const auto command = std::make_shared<FetchCommand>();
    const auto app = add_command(runtime, context, "fetch", "Get Firecracker and jailer, or a bundle, and check them",
                                 [command] { return fetch(*command); });
    const auto from =
        app.option("--from", command->from, "a program, an archive with it, or a folder with either; not the network")
            .value_name("FILE|FOLDER")
            .not_empty();
    note_paths(context, from);
    note_paths(context,
               app.option("--manifest", command->manifest, "a runtime-bundle.toml that names a bundle: fetch that")
                   .value_name("FILE")
                   .not_empty()
                   .excludes(from));
    command->report.add_to(app);
    add_package_command(runtime, context);
    add_listing_command(runtime, context, "show", "Tell what is there", show);
    add_listing_command(runtime, context, "verify", "Compare each checksum; exit code 1 unless all hold", verify);
}

}  // namespace banger::cli
