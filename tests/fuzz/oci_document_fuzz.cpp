// SPDX-License-Identifier: GPL-2.0-or-later
// What a registry says: references as users write them, manifests, indexes, and configurations that end up as a command in a guest.
#include <nlohmann/json.hpp>

#include "agent/core/image/image_command.hpp"
#include "agent/core/image/oci_manifest.hpp"
#include "agent/core/image/oci_source.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

void check_document(std::string_view text)
{
    taken(
        [&] {
            const auto document = agent::parse_oci_document(text);
            if (const auto* choice = std::get_if<agent::OciChoice>(&document)) {
                demand(agent::is_oci_digest(choice->digest), "a choice is a digest");
                return;
            }
            const auto& manifest = std::get<agent::OciManifest>(document);
            demand(!manifest.layers.empty() && manifest.layers.size() <= 500, "there are layers, and not too many");
            demand(agent::is_oci_digest(manifest.config.digest), "a configuration is named by its digest");
            std::uint64_t sum = 0;
            for (const auto& layer : manifest.layers) {
                demand(agent::is_oci_digest(layer.digest), "a layer is named by its digest, which is a file's name");
                demand(sum + layer.size >= sum, "sizes add up");
                sum += layer.size;
            }
            demand(manifest.packed_size() == sum, "to the whole");
        },
        ErrorCode::CorruptData);
}

void check_command(const agent::ImageConfig& config)
{
    agent::GuestCommand command;
    command.argv = {{'x'}};
    taken([&] { agent::apply_image(command, config, {true, true, true}, "x"); }, ErrorCode::InvalidArgument);
    std::size_t bytes = 0;
    for (const auto& word : command.argv) {
        bytes += word.size();
        demand(std::find(word.begin(), word.end(), 0) == word.end(), "no word has a NUL");
    }
    demand(command.argv.size() <= 1001 && bytes <= (128U << 10U) + 1, "a command fits a message");
    demand(command.stop_signal >= 0 && command.stop_signal <= 64, "a stop signal is one");
    demand(command.cwd.empty() || command.cwd.front() == '/', "a folder is an absolute path");
    for (const auto& entry : command.env) {
        const auto sign = std::find(entry.begin(), entry.end(), '=');
        demand(sign != entry.end() && sign != entry.begin(), "a variable has a name and a value");
    }
}

void check_config(std::string_view text)
{
    taken(
        [&] {
            const auto document = agent::parse_oci_json(text, "x");
            taken([&] { agent::check_oci_platform(document); }, ErrorCode::CorruptData);
            const auto config = agent::image_config_of_oci(document);
            demand(agent::image_config_of(agent::to_json(config)) == config, "what is kept is read back the same");
            check_command(config);
        },
        ErrorCode::CorruptData);
}

void check_source(std::string_view text)
{
    taken(
        [&] {
            const auto source = agent::parse_oci_source(text);
            demand(source.digest.empty() || agent::is_oci_digest(source.digest), "a digest is one");
            demand(source.name.empty() || ArtifactName::parse(source.name).str() == source.name, "a name is one");
            if (source.kind != agent::OciSource::Kind::Registry) {
                demand(source.path.starts_with('/'), "a path is absolute");
                return;
            }
            demand(source.reference.starts_with("docker://" + source.registry + "/"), "a reference names its registry");
            demand(source.reference.find_first_of(" \t\n@;'\"\\") == std::string::npos, "and has plain letters alone");
            const auto again = agent::parse_oci_source(source.reference);
            demand(again.reference == source.reference && again.loopback == source.loopback, "it stands for itself");
        },
        ErrorCode::InvalidArgument);
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger::fuzz;
    const auto text = text_of({data, size});
    check_source(text);
    check_document(text);
    check_config(text);
    return 0;
}
