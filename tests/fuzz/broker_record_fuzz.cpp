// SPDX-License-Identifier: GPL-2.0-or-later
// The broker's journal, after whatever may have happened to its files: a record, or one that is told and left alone.
#include "broker/core/journal.hpp"
#include "broker/core/record_text.hpp"
#include "tests/fakes/broker_kernel.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

using namespace broker;

void check_record(std::string_view text)
{
    taken(
        [&] {
            const auto record = parse_record(text, "record");
            const auto written = record_text(record);
            const auto again = parse_record(written, "written");
            demand(record_text(again) == written, "a record written out is read back the same");
            demand(again.key == record.key && again.user == record.user && again.cow_limit == record.cow_limit &&
                       again.slot == record.slot && again.phase == record.phase && again.name == record.name &&
                       again.base_digest == record.base_digest && again.nat == record.nat &&
                       again.network == record.network,
                   "no member is read as another value than it has");
            demand(SandboxKey::parse(record.key.str()) == record.key, "its key can be a file's name");
        },
        ErrorCode::InvalidArgument);
}

/// Beside a sound one, under a name that the fuzzer chooses too.
void check_journal(std::string_view name, std::string_view text)
{
    const SandboxRecord sound{
        .key = SandboxKey::parse("1001-sound"), .user = "bob", .base_digest = "", .cow_limit = {}, .slot = 1};
    test::FakeKernel kernel;
    kernel.texts[std::string{name}] = text;
    kernel.texts["1001-sound.toml"] = record_text(sound);
    Journal journal{kernel.records()};
    const auto problems = journal.load();
    demand(journal.find(sound.key) != nullptr, "a damaged record harms no other");
    demand(problems.size() + journal.records().size() == kernel.texts.size(), "each file is a record or a problem");
    for (const auto& [key, record] : journal.records()) {
        demand(kernel.texts.contains(key.str() + ".toml"), "a record is in the file of its key");
        demand(!journal.is_damaged(key), "a record that was read is not damaged");
    }
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger::fuzz;
    const auto text = text_of({data, size});
    check_record(text);
    const auto end_of_name = std::min(text.find('\n'), text.size());
    check_journal(text.substr(0, end_of_name), text.substr(std::min(end_of_name + 1, text.size())));
    check_journal("1000-box.toml", text);
    return 0;
}
