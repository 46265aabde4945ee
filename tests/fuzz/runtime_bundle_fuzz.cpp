// SPDX-License-Identifier: GPL-2.0-or-later
// runtime-bundle.toml: whatever is in it, bangerd gets a manifest it may act on, or one sentence with file and line.
#include "agent/core/runtime/bundle.hpp"
#include "common/error.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

void check(const agent::RuntimeSource& source)
{
    const auto member = "/" + agent::member_of(source) + "/";
    demand(member.find("//") == std::string::npos && member.find("/../") == std::string::npos, "a member stays inside");
    if (const auto* archive = std::get_if<agent::ArchiveSource>(&source)) {
        demand(archive->url.starts_with("https://"), "a URL is one of https");
    } else {
        const auto& pip = std::get<agent::PipSource>(source);
        demand(!pip.requirement.starts_with('-') && pip.requirement.find("==") != std::string::npos,
               "pip gets NAME==VERSION");
        demand(!pip.python.empty() && !pip.python.starts_with('-'), "pip gets a version of Python");
    }
}

void check(const agent::BundleSource& archive)
{
    const auto& url = archive.url;
    demand(!url.empty() && url.find('\n') == std::string::npos && url.find('\0') == std::string::npos, "one line");
    if (url.find("://") != std::string::npos) {
        demand(url.starts_with("https://") || url.starts_with("http://") || url.starts_with("file:///"),
               "a URL is of a kind that we know");
    } else if (!url.starts_with('/')) {
        demand(("/" + url + "/").find("/../") == std::string::npos, "a relative path leads nowhere else");
    }
}

void check(const agent::RuntimeBundle& bundle)
{
    demand(ArtifactName::parse(bundle.version).str() == bundle.version, "the version is a folder's name");
    demand(!bundle.programs.empty() || bundle.archive, "there is a program or a bundle");
    if (bundle.archive) {
        check(*bundle.archive);
    }
    for (const auto& program : bundle.programs) {
        demand(ArtifactName::parse(program.name).str() == program.name, "a program's name is a file's name");
        demand(!program.sources.empty(), "a program has a source");
        for (const auto& source : program.sources) {
            check(source);
        }
    }
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger;
    try {
        fuzz::check(agent::parse_bundle(fuzz::text_of({data, size}), "b.toml", agent::UrlSchemes::HttpsOnly));
    } catch (const Error& error) {
        fuzz::demand(error.code() == ErrorCode::InvalidArgument, error.what());
        const std::string_view sentence = error.what();
        fuzz::demand(sentence.starts_with("b.toml:") && sentence.size() > 7 && sentence[7] >= '1' && sentence[7] <= '9',
                     "a refusal begins with file and line");
    }
    return 0;
}
