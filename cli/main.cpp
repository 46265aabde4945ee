// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/command_line.hpp"
#include "cli/connect/proxies.hpp"
#include "cli/view/output.hpp"

#include <csignal>
#include <exception>
#include <new>

namespace {

using namespace banger;
using namespace banger::cli;

int fail(const Error& error, const Context& context)
{
    report(error);
    return exit_code_of(error, context.exit_rule);
}

}  // namespace

int main(int argc, char** argv)
{
    hold_standard_streams();
    std::signal(SIGPIPE, SIG_IGN);
    Context context;
    try {
        return run_command_line(context, {argv + 1, argv + argc});
    } catch (const Error& error) {
        return fail(error, context);
    } catch (const sdbus::Error& error) {
        return fail(agent_error(error), context);
    } catch (const std::bad_alloc&) {
        complain("out of memory");
    } catch (const std::exception& failure) {
        complain(failure.what());
    } catch (...) {
        complain("failed for a reason that it doesn't know");
    }
    return exit_code_of(Error{ErrorCode::Internal, ""}, context.exit_rule);
}
