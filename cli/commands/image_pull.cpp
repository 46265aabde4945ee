// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/image_pull.hpp"

#include "cli/commands/creation.hpp"
#include "cli/commands/making.hpp"
#include "common/size.hpp"

#include <filesystem>
#include <memory>
#include <string_view>

namespace banger::cli {
namespace {

struct ImagePullCommand {
    MakeReport report;
    std::string source;
    std::string name;
    std::string size;
    bool force{false};
};

struct CachePruneCommand {
    MakeReport report;
    bool all{false};
};

std::uint64_t count_in(const VariantMap& result, const std::string& key)
{
    const auto at = result.find(key);
    return at != result.end() && at->second.containsValueOfType<std::uint64_t>() ? at->second.get<std::uint64_t>() : 0;
}

bool was_made(const VariantMap& result)
{
    const auto at = result.find("built");
    return at == result.end() || !at->second.containsValueOfType<bool>() || at->second.get<bool>();
}

int pull_image(const ImagePullCommand& command)
{
    VariantMap map{{"source", sdbus::Variant{absolute_source(command.source)}}};
    if (!command.name.empty()) {
        map.emplace("name", sdbus::Variant{command.name});
    }
    if (!command.size.empty()) {
        map.emplace("size_bytes", sdbus::Variant{ByteSize::parse(command.size).bytes()});
    }
    if (command.force) {
        map.emplace("force", sdbus::Variant{true});
    }
    return make_one(
        command.report, command.name.empty() ? command.source : "image " + command.name,
        [&](ManagerProxy& manager) { return manager.PullImage(map); },
        [](const VariantMap& result) {
            return "image " + text_of(result, "name") + (was_made(result) ? " is pulled: " : " was there already: ") +
                   brief_origin(text_of(result, "origin"));
        });
}

int prune_cache(const CachePruneCommand& command)
{
    const VariantMap map{{"all", sdbus::Variant{command.all}}};
    return make_one(
        command.report, "the cache of images", [&](ManagerProxy& manager) { return manager.PruneImageCache(map); },
        [](const VariantMap& result) {
            const auto drafts = count_in(result, "drafts");
            return "removed " + std::to_string(count_in(result, "blobs")) + " blobs, " +
                   ByteSize{count_in(result, "bytes")}.to_string() +
                   (drafts > 0 ? ", and " + std::to_string(drafts) + " unfinished images or kernels" : "");
        });
}

/// Of a source that is a file or a folder; empty: it is none.
std::string_view file_scheme_of(const std::string& source)
{
    for (const std::string_view scheme : {"oci:", "oci-archive:"}) {
        if (source.starts_with(scheme)) {
            return scheme;
        }
    }
    return {};
}

/// Without its tag.
std::string path_behind(std::string_view scheme, const std::string& source)
{
    const auto rest = source.substr(scheme.size());
    return rest.substr(0, rest.find(':'));
}

}  // namespace

std::string brief_origin(const std::string& origin)
{
    constexpr std::string_view mark = "@sha256:";
    constexpr std::size_t digits = 12;
    const auto at = origin.rfind(mark);
    return at == std::string::npos ? origin : origin.substr(0, at + mark.size() + digits);
}

std::string absolute_source(const std::string& source)
{
    const auto scheme = file_scheme_of(source);
    if (scheme.empty()) {
        return source;
    }
    const auto path = path_behind(scheme, source);
    return std::string{scheme} + std::filesystem::absolute(path).lexically_normal().string() +
           source.substr(scheme.size() + path.size());
}

void add_image_pull(Command image, Context& context)
{
    const auto command = std::make_shared<ImagePullCommand>();
    const auto app = add_command(image, context, "pull", "Make an image of an OCI image, as docker has them",
                                 [command] { return pull_image(*command); });
    app.option("SOURCE", command->source, "docker://HOST/NAME:TAG, oci:FOLDER or oci-archive:FILE")
        .required()
        .each([&context](const std::string& source) {
            if (const auto scheme = file_scheme_of(source); !scheme.empty()) {
                context.paths.push_back(path_behind(scheme, source));
            }
        });
    app.option("--name", command->name, "its name (the last word of the source)").value_name("NAME");
    app.option("--size", command->size, "of its file system (16G)").value_name("SIZE");
    app.flag("-f,--force", command->force, "pull it again although it is there; replace another one of that name");
    command->report.add_to(app);
    app.footer(
        "Needs skopeo and umoci. Credentials are those of skopeo login. A pull that was cut off goes on with the "
        "layers\n"
        "that it has; what is still the same at its source is not downloaded again. Examples:\n"
        "  banger image pull docker://alpine:3.20\n"
        "  banger vm run --rm --image alpine -- cat /etc/os-release");
}

void add_image_cache(Command image, Context& context)
{
    const auto cache = image.subcommand("cache", "What was downloaded for images");
    cache.require_subcommand();
    const auto command = std::make_shared<CachePruneCommand>();
    const auto app = add_command(cache, context, "prune", "Remove downloads that no image was made of, and drafts",
                                 [command] { return prune_cache(*command); });
    app.flag("-a,--all", command->all,
             "also those of images that are there; they spare a download when such an image changes");
    command->report.add_to(app);
}

}  // namespace banger::cli
