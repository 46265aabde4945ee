// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/commands/vm_transfer.hpp"

#include "cli/commands/creation.hpp"
#include "cli/commands/making.hpp"
#include "cli/connect/environment.hpp"
#include "cli/output_file.hpp"
#include "cli/remote/companion.hpp"
#include "cli/view/output.hpp"

#include <cerrno>
#include <memory>
#include <optional>

#include <fcntl.h>
#include <unistd.h>

namespace banger::cli {
namespace {

constexpr std::string_view stream_name = "-";

struct ArchiveExport {
    MakeReport report;
    std::string name;
    std::string output;
    bool stop{false};
    bool with_image{false};
    bool plain{false};
    bool force{false};

    bool is_stream() const { return output == stream_name; }
    std::string file() const { return output.empty() ? name + (plain ? ".vm.tar" : ".vm.tar.gz") : output; }
    OutputFile::Existing existing() const
    {
        return force ? OutputFile::Existing::Replace : OutputFile::Existing::Refuse;
    }
};

struct ArchiveImport {
    MakeReport report;
    std::string file;
    std::string name;
    std::string kernel;
    std::string sha256;
    bool with_image{false};
    bool new_identity{false};
    bool allow_host_loopback{false};

    bool is_stream() const { return file == stream_name; }
};

/// A copy of a descriptor for bangerd; the file stays ours, too.
sdbus::UnixFd lend(int fd)
{
    constexpr int above_standard_streams = 3;
    UniqueFd copy{::fcntl(fd, F_DUPFD_CLOEXEC, above_standard_streams)};
    if (!copy) {
        throw errno_error("can't pass the archive on", errno);
    }
    return bus::give_fd(std::move(copy));
}

bool is_set_in(const VariantMap& result, const std::string& key)
{
    const auto at = result.find(key);
    return at != result.end() && at->second.containsValueOfType<bool>() && at->second.get<bool>();
}

void remark_hard_end(const ArchiveExport& command, const VariantMap& result)
{
    if (result.contains("clean") && !is_set_in(result, "clean")) {
        remark(command.name + " did not shut down in time and was ended; what it had not synced is not in the archive");
    }
}

/// A file's line is one that `sha256sum --check` reads. A stream's is beside it.
void report_export(const ArchiveExport& command, const VariantMap& result)
{
    const auto sum = text_of(result, "sha256");
    if (command.is_stream()) {
        if (!command.report.quiet) {
            remark("sha256 " + sum);
        }
    } else if (command.report.json) {
        auto object = object_of(result);
        object["path"] = command.file();
        print_json(object);
    } else {
        print(sum + "  " + command.file() + "\n");
    }
}

/// What a guest has written would be commands to it.
void refuse_terminal(const ArchiveExport& command)
{
    if (command.is_stream() && is_shown()) {
        throw Error{ErrorCode::InvalidArgument,
                    "an archive is nothing for a terminal; name a file, or the program that reads it: "
                    "banger vm export " +
                        command.name + " -o - | ssh HOST banger vm import -"};
    }
}

int export_vm(const ArchiveExport& command)
{
    refuse_terminal(command);
    std::optional<OutputFile> file;
    if (!command.is_stream()) {
        file.emplace(command.file(), command.existing());
    }
    const VariantMap options{{"stop", sdbus::Variant{command.stop}},
                             {"with_image", sdbus::Variant{command.with_image}},
                             {"plain", sdbus::Variant{command.plain}}};
    const auto made = watch_one(command.report, command.name, [&](ManagerProxy& manager) {
        return manager.ExportVm(command.name, options, lend(file ? file->fd() : STDOUT_FILENO));
    });
    if (made.signal) {
        return exit_code_of_signal(*made.signal);
    }
    remark_hard_end(command, made.result);
    if (file) {
        file->commit();
    }
    report_export(command, made.result);
    return 0;
}

/// The file is this host's: the other one writes to its standard output.
int export_there(const ArchiveExport& command, const SshHost& host)
{
    refuse_terminal(command);
    std::vector<std::string> words{"vm", "export", "--output", std::string{stream_name}};
    const auto put = [&words](bool wanted, const char* option) {
        if (wanted) {
            words.emplace_back(option);
        }
    };
    put(command.stop, "--stop");
    put(command.with_image, "--with-image");
    put(command.plain, "--plain");
    put(command.report.json, "--json");
    put(command.report.quiet, "--quiet");
    words.push_back(command.name);
    auto argv = ssh_words(host, RemoteTerminal::None, words);
    if (command.is_stream()) {
        become_ssh(std::move(argv));
    }
    OutputFile file{command.file(), command.existing()};
    SignalInbox signals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    Companion ssh{"ssh", std::move(argv), {STDIN_FILENO, file.fd(), STDERR_FILENO}};
    const int code = ssh.wait(signals, -1);
    if (code == 0) {
        file.commit();
        auto object = JsonValue::object();
        object["path"] = command.file();
        command.report.json ? print_json(object) : print(command.file() + "\n");
    }
    return code;
}

UniqueFd open_input(const ArchiveImport& command)
{
    if (command.is_stream()) {
        if (is_terminal(STDIN_FILENO)) {
            throw Error{ErrorCode::InvalidArgument, "- is an archive on standard input, and that is a terminal"};
        }
        return UniqueFd{::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)};
    }
    UniqueFd file{::open(command.file.c_str(), O_RDONLY | O_CLOEXEC)};
    if (!file) {
        throw errno_error("can't read " + command.file, errno);
    }
    return file;
}

VariantMap import_options_of(const ArchiveImport& command)
{
    VariantMap options{{"with_image", sdbus::Variant{command.with_image}},
                       {"new_identity", sdbus::Variant{command.new_identity}},
                       {"allow_host_loopback", sdbus::Variant{command.allow_host_loopback}}};
    put_settings(options);
    put_text(options, "name", command.name);
    put_text(options, "kernel", command.kernel);
    put_text(options, "sha256", command.sha256);
    return options;
}

int import_vm(const ArchiveImport& command)
{
    const auto input = open_input(command);
    const auto [result, signal] = watch_one(command.report, command.file, [&](ManagerProxy& manager) {
        return manager.ImportVm(import_options_of(command), lend(input.get()));
    });
    if (signal) {
        return exit_code_of_signal(*signal);
    }
    if (command.report.json) {
        print_json(object_of(result));
        return 0;
    }
    if (is_set_in(result, "other_kernel")) {
        remark("the kernel that it had is not here; it boots with " + text_of(result, "kernel"));
    }
    if (const auto image = text_of(result, "image"); !image.empty()) {
        remark("its image is here now: " + image);
    }
    print(text_of(result, "name") + "\n");
    return 0;
}

/// As export_there(): the other one reads its standard input.
int import_there(const ArchiveImport& command, const SshHost& host)
{
    std::vector<std::string> words{"vm", "import", std::string{stream_name}};
    const auto put = [&words](const std::string& value, const char* option) {
        if (!value.empty()) {
            words.insert(words.end(), {option, value});
        }
    };
    const auto put_flag = [&words](bool wanted, const char* option) {
        if (wanted) {
            words.emplace_back(option);
        }
    };
    put(command.name, "--name");
    put(command.kernel, "--kernel");
    put(command.sha256, "--sha256");
    put_flag(command.with_image, "--with-image");
    put_flag(command.new_identity, "--new-identity");
    put_flag(command.allow_host_loopback, "--allow-host-loopback");
    put_flag(command.report.json, "--json");
    put_flag(command.report.quiet, "--quiet");
    const auto input = open_input(command);
    if (::dup2(input.get(), STDIN_FILENO) < 0) {
        throw errno_error("can't read " + command.file, errno);
    }
    become_ssh(ssh_words(host, RemoteTerminal::None, words));
}

}  // namespace

void add_vm_export(Command vm, Context& context)
{
    const auto command = std::make_shared<ArchiveExport>();
    const auto app = add_command(vm, context, "export", "Write a stopped VM, disks and all, into one archive",
                                 [command] { return export_vm(*command); });
    app.option("NAME", command->name, "the VM's name or id").required();
    app.option("-o,--output", command->output, "where it goes (NAME.vm.tar.gz); -: standard output")
        .value_name("FILE")
        .not_empty();
    app.flag("--stop", command->stop, "shut the VM down first, where it runs");
    app.flag("--with-image", command->with_image,
             "with the image that it was made of, for new VMs; it needs none itself");
    app.flag("--plain", command->plain, "without gzip: faster, and larger");
    app.flag("-f,--force", command->force, "in place of a file that exists");
    command->report.add_to(app);
    app.footer(
        "Prints the archive's sha256, as sha256sum does. Who has the archive has all that is in the VM. Examples:\n"
        "  banger vm export --stop calm-otter -o otter.vm.tar.gz\n"
        "  banger vm export calm-otter -o - | ssh HOST banger vm import -\n"
        "  banger -H ssh://HOST vm import otter.vm.tar.gz");
    context.there[app.path()] = [command](const SshHost& host) { return export_there(*command, host); };
}

void add_vm_import(Command vm, Context& context)
{
    const auto command = std::make_shared<ArchiveImport>();
    const auto app = add_command(vm, context, "import", "Make a VM of an archive that vm export has written",
                                 [command] { return import_vm(*command); });
    app.option("FILE", command->file, "the archive; -: standard input").required().not_empty();
    app.option("--name", command->name, "its name here (the one that it had)").value_name("NAME").not_empty();
    app.option("--kernel", command->kernel, "what it boots (the kernel that it had, else the default one)")
        .value_name("KERNEL")
        .not_empty();
    app.option("--sha256", command->sha256, "refuse any other archive").value_name("DIGITS").not_empty();
    app.flag("--with-image", command->with_image, "take the image that is in it, too");
    app.flag("--new-identity", command->new_identity,
             "another machine id and other host keys at its next boot, where the VM lives on elsewhere");
    app.flag("--allow-host-loopback", command->allow_host_loopback, "the guest may reach this host's own addresses");
    command->report.add_to(app);
    app.footer(
        "The VM is stopped, and has the VMM and the network that this host has. What is in an archive is somebody's "
        "system:\nboot it as you would any other VM of theirs.");
    context.there[app.path()] = [command](const SshHost& host) { return import_there(*command, host); };
}

}  // namespace banger::cli
