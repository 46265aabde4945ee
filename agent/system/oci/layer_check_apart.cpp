// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/system/oci/layer_check_apart.hpp"

#include <sys/resource.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <new>
#include <nlohmann/json.hpp>

#include "agent/system/subprocess.hpp"
#include "common/error.hpp"
#include "common/text.hpp"

namespace banger::agent {
namespace {

using nlohmann::json;

constexpr unsigned packings = 3;
// zstd's usual greatest window is 8 MiB and libarchive takes up to 128; the rest is the program and its libraries.
constexpr rlim_t memory_limit = rlim_t{512} << 20U;

/// Of the address space: what a stream makes a library ask for ends there. Sanitizers map terabytes.
void limit_ourselves()
{
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    const rlimit memory{memory_limit, memory_limit};
    ::setrlimit(RLIMIT_AS, &memory);
#endif
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_FSIZE, &none);  // of files alone: the answer goes into a pipe
    ::setrlimit(RLIMIT_CORE, &none);
}

json question_of(const std::vector<LayerFile>& layers, const LayerBounds& bounds)
{
    auto list = json::array();
    for (const auto& layer : layers) {
        list.push_back({{"file", layer.file.string()},
                        {"digest", layer.blob.digest},
                        {"size", layer.blob.size},
                        {"packing", static_cast<unsigned>(layer.blob.packing)}});
    }
    return {{"bytes", bounds.bytes}, {"entries", bounds.entries}, {"layers", std::move(list)}};
}

std::vector<LayerFile> layers_of(const json& question)
{
    std::vector<LayerFile> layers;
    for (const auto& layer : question.at("layers")) {
        const auto packing = layer.at("packing").get<unsigned>();
        layers.push_back({layer.at("file").get<std::string>(),
                          {.digest = layer.at("digest").get<std::string>(),
                           .size = layer.at("size").get<std::uint64_t>(),
                           .packing = static_cast<OciDescriptor::Packing>(packing % packings)}});
    }
    return layers;
}

json answer_to_question(const std::filesystem::path& file)
{
    std::ifstream stream{file};
    const auto question = json::parse(std::string{std::istreambuf_iterator<char>{stream}, {}});
    const LayerBounds bounds{question.at("bytes").get<std::uint64_t>(), question.at("entries").get<std::uint64_t>()};
    const auto layers = layers_of(question);
    try {
        const auto verdict = check_layers(layers, bounds, {});
        return {{"bytes", verdict.bytes}, {"entries", verdict.entries}, {"wrong_blob", verdict.wrong_blob}};
    } catch (const Error& error) {
        return {{"error", error_info(error.code()).dbus_name}, {"message", to_utf8(error.what())}};
    }
}

/// Throws what the other process met.
LayerVerdict verdict_of(const json& answer)
{
    if (answer.contains("error")) {
        const auto code = error_code_of(answer.at("error").get<std::string>());
        throw Error{code.value_or(ErrorCode::Failed), answer.at("message").get<std::string>()};
    }
    return {answer.at("bytes").get<std::uint64_t>(), answer.at("entries").get<std::uint64_t>(),
            answer.at("wrong_blob").get<std::string>()};
}

}  // namespace

LayerVerdict check_layers_apart(const std::vector<LayerFile>& layers, const LayerBounds& bounds,
                                const std::filesystem::path& scratch, const std::stop_token& stop)
{
    const auto file = scratch / "layers.json";
    std::ofstream question{file};
    question << question_of(layers, bounds);
    question.close();
    if (!question) {
        throw errno_error("can't write " + file.string(), errno);
    }
    json answer;
    const auto take = [&answer](std::string_view line) {
        auto document = json::parse(line, nullptr, false);
        if (document.is_object()) {
            answer = std::move(document);
        }
    };
    // The link, not what it leads to: the program may have been replaced since we began.
    const auto result = run_program(
        {.argv = {"/proc/self/exe", "--check-layers", file.string()}, .on_line = take, .stop = stop, .gentle = true});
    if (answer.is_null() || !result.ok()) {
        throw Error{ErrorCode::CorruptData,
                    "the image's layers can't be read: what reads them ended" +
                        (result.signal != 0 ? " by signal " + std::to_string(result.signal) : " before its answer") +
                        ", as it does where they want more than 512 MiB of memory"};
    }
    try {
        return verdict_of(answer);
    } catch (const json::exception&) {
        throw Error{ErrorCode::Internal, "the check of the layers gave no sense"};
    }
}

int answer_layer_check(const std::filesystem::path& question)
{
    limit_ourselves();
    try {
        std::printf("%s\n", answer_to_question(question).dump().c_str());
        return std::fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    } catch (const std::bad_alloc&) {
        return EXIT_FAILURE;
    } catch (const json::exception&) {
        return EXIT_FAILURE;
    }
}

}  // namespace banger::agent
