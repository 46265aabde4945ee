// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/boot/cmdline.hpp"
#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {
namespace {

std::string cmdline_of(const guest::BootOptions& options)
{
    const auto word = [](const char* key, const std::string& value) {
        return std::string{" banger."} + key + "=\"" + value + "\"";
    };
    return word("root", options.root) + word("modules", options.modules) + word("work", options.work) +
           word("hostname", options.hostname) + word("channel", options.channel) + word("init", options.init) +
           word("poweroff", options.reset_to_power_off ? "reset" : "") + word("probe", options.probe ? "1" : "") +
           word("first-boot", options.first_boot ? "1" : "");
}

}  // namespace
}  // namespace banger::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    using namespace banger::fuzz;
    const auto options = banger::guest::parse_cmdline(text_of({data, size}));
    for (const auto* value : {&options.root, &options.modules, &options.work, &options.hostname, &options.channel}) {
        demand(value->find('"') == std::string::npos, "quotes are taken off");
    }
    const auto written = cmdline_of(options);
    demand(cmdline_of(banger::guest::parse_cmdline(written)) == written, "options written out are read back the same");
    demand(cmdline_of(banger::guest::parse_cmdline("quiet console=ttyS0" + written + " panic=-1 x.banger.root=no")) ==
               written,
           "what is for others changes nothing");
    return 0;
}
