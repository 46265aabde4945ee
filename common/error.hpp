// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>

namespace banger {

/// What went wrong, as far as a caller may branch on it. One row of error_table() each.
enum class ErrorCode {
    InvalidArgument,
    NotFound,
    HostLacks,  ///< the host misses a program, a device or a right
    NotAuthorized,
    WrongState,     ///< the object exists, but not in a state that allows this
    AlreadyExists,  ///< name taken
    InUse,
    TimedOut,
    Cancelled,
    NoSpace,
    QuotaExceeded,  ///< of the broker's: /etc/banger/broker.toml
    Unavailable,    ///< bangerd, the guest or the bus does not answer
    CorruptData,    ///< a file or a message is damaged or not what it claims to be
    NotRunnable,    ///< the guest found the command but could not run it
    CommandNotFound,
    Failed,
    Internal,  ///< our own mistake; details are in the log, never in the reply
};

/// How one ErrorCode looks on the bus and on the command line.
struct ErrorInfo {
    ErrorCode code;
    std::string_view dbus_name;  ///< "dev.banger.Error.X"
    int exit_code;               ///< of the CLI; the list is in design.md, section 6, and banger(1)
    std::string_view hint;       ///< a sentence to print when the error carries no better one; may be empty
};

/// All codes, in the order of the enum.
std::span<const ErrorInfo> error_table() noexcept;
const ErrorInfo& error_info(ErrorCode code) noexcept;
/// The code with this D-Bus name; nullopt for a name of somebody else.
std::optional<ErrorCode> error_code_of(std::string_view dbus_name) noexcept;

/// Where an Error was made. std::source_location is not to be had with clang 14, Debian 12's, which fuzzing and clang-tidy need.
class SourceLocation {
public:
    static constexpr SourceLocation current(const char* file = __builtin_FILE(),
                                            unsigned line = __builtin_LINE()) noexcept
    {
        return {file, line};
    }
    constexpr const char* file_name() const noexcept { return file_; }
    constexpr unsigned line() const noexcept { return line_; }

private:
    constexpr SourceLocation(const char* file, unsigned line) noexcept : file_{file}, line_{line} {}
    const char* file_;
    unsigned line_;
};

/// The one exception type. what() is a sentence that is safe to show to this caller: what was wrong, why, and where there
/// is one the command that mends it.
class Error : public std::runtime_error {
public:
    Error(ErrorCode code, const std::string& sentence, std::optional<std::error_code> cause = std::nullopt,
          SourceLocation where = SourceLocation::current())
        : std::runtime_error{sentence}, code_{code}, cause_{cause}, where_{where}
    {
    }

    ErrorCode code() const noexcept { return code_; }
    const std::optional<std::error_code>& cause() const noexcept { return cause_; }
    const SourceLocation& where() const noexcept { return where_; }

private:
    ErrorCode code_;
    std::optional<std::error_code> cause_;
    SourceLocation where_;
};

/// An Error from errno: "<sentence>: <strerror>". ENOSPC and EDQUOT become NoSpace, ENOENT NotFound where
/// `code` is Failed.
[[nodiscard]] Error errno_error(const std::string& sentence, int errno_value, ErrorCode code = ErrorCode::Failed,
                                SourceLocation where = SourceLocation::current());

}  // namespace banger
