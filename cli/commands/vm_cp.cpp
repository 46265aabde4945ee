// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/vm_cp.hpp"

#include <memory>

#include "cli/copy/transfer.hpp"
#include "cli/view/meter.hpp"

namespace banger::cli {
namespace {

struct CopyCommand {
    std::vector<std::string> paths;
    bool archive{false};
    bool follow{false};
    bool quiet{false};
};

/// Sources and target, each side of one kind.
struct Request {
    std::vector<Endpoint> sources;
    Endpoint target;
    bool into_guest;
    std::string vm;
};

Request parse(const std::vector<std::string>& paths)
{
    if (paths.size() < 2) {
        throw Error{ErrorCode::InvalidArgument,
                    "cp wants at least one source and a target: banger vm cp FILE calm-otter:/root/"};
    }
    Request request{{}, parse_endpoint(paths.back()), false, ""};
    for (std::size_t index = 0; index + 1 < paths.size(); ++index) {
        request.sources.push_back(parse_endpoint(paths[index]));
    }
    request.into_guest = request.target.vm.has_value();
    request.vm = request.into_guest ? *request.target.vm : request.sources.front().vm.value_or("");
    for (const auto& source : request.sources) {
        if (request.into_guest ? source.vm.has_value() : source.vm != request.vm || request.vm.empty()) {
            throw Error{ErrorCode::InvalidArgument,
                        request.into_guest || request.vm.empty()
                            ? "one side of a copy is a VM (calm-otter:/path), the other this host"
                            : "all sources of one copy must be in the same VM"};
        }
        if (source.is_stream() && request.sources.size() > 1) {
            throw Error{ErrorCode::InvalidArgument, "- (a tar archive) goes with no other source"};
        }
    }
    return request;
}

/// A stream has no names of its own, so options about them don't apply.
bool copy_stream(VmProxy& vm, const Request& request)
{
    if (request.into_guest && request.sources.front().is_stream()) {
        stream_in(vm, request.target.path);
        return true;
    }
    if (!request.into_guest && request.target.is_stream() && request.sources.size() == 1) {
        stream_out(vm, request.sources.front().path);
        return true;
    }
    return false;
}

int copy(const CopyCommand& command, const std::vector<std::string>& tail)
{
    auto paths = command.paths;
    paths.insert(paths.end(), tail.begin(), tail.end());
    const auto request = parse(paths);
    const auto agent = Agent::connect(WhenAbsent::Start);
    const auto vm = agent->find_vm(request.vm);
    if (copy_stream(*vm, request)) {
        return 0;
    }
    const CopyOptions options{command.archive ? Owners::Archive : Owners::Receiver,
                              command.follow ? SourceLinks::Follow : SourceLinks::Keep, request.sources.size() > 1};
    Failures failures;
    for (const auto& source : request.sources) {
        Meter meter{source.path, command.quiet};
        const Passed passed = [&meter](std::size_t bytes) { meter.pass(bytes); };
        try {
            request.into_guest ? copy_in(*vm, source.path, request.target.path, options, passed)
                               : copy_out(*vm, source.path, request.target.path, options, passed);
        } catch (const Error& error) {
            failures.add(error);
        }
    }
    return failures.exit_code();
}

}  // namespace

void add_vm_cp(Command vm, Context& context)
{
    const auto command = std::make_shared<CopyCommand>();
    const auto app = add_command(
        vm, context, "cp", "Copy files and folders between this host and a VM",
        [command, &context] { return copy(*command, context.tail); }, Tail::Paths);
    app.option("PATH", command->paths,
               "sources, then the target; VM:PATH is in a VM, - a tar archive on standard input or output")
        .each([&context](const std::string& path) {
            if (!parse_endpoint(path).vm) {
                context.paths.push_back(path);
            }
        });
    app.flag("-a,--archive", command->archive, "keep owners, and setuid, setgid and sticky bits");
    app.flag("-L,--follow", command->follow, "follow a symlink that is named as a source on this host");
    app.flag("-q,--quiet", command->quiet, "no progress");
    app.footer(
        "As cp -a does: modes, times, links, holes and extended attributes are kept; an existing folder is copied "
        "into,\n"
        "and SRC/. means what is in SRC. Examples:\n"
        "  banger vm cp notes.txt calm-otter:          into /root\n"
        "  banger vm cp src/. calm-otter:/srv/app      what is in src\n"
        "  banger vm cp calm-otter:/var/log logs       out of the VM\n"
        "  tar c . | banger vm cp - calm-otter:/srv    a tar archive");
}

}  // namespace banger::cli
