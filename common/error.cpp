// SPDX-License-Identifier: GPL-2.0-or-later
#include "common/error.hpp"

#include <array>
#include <cerrno>

namespace banger {
namespace {

constexpr std::array table{
    ErrorInfo{ErrorCode::InvalidArgument, "dev.banger.Error.InvalidArgument", 2, ""},
    ErrorInfo{ErrorCode::NotFound, "dev.banger.Error.NotFound", 3, ""},
    ErrorInfo{ErrorCode::HostLacks, "dev.banger.Error.HostLacks", 4, "banger doctor says what this host has"},
    ErrorInfo{ErrorCode::NotAuthorized, "dev.banger.Error.NotAuthorized", 5, ""},
    ErrorInfo{ErrorCode::WrongState, "dev.banger.Error.WrongState", 6, ""},
    ErrorInfo{ErrorCode::AlreadyExists, "dev.banger.Error.AlreadyExists", 6, ""},
    ErrorInfo{ErrorCode::InUse, "dev.banger.Error.InUse", 6, ""},
    ErrorInfo{ErrorCode::TimedOut, "dev.banger.Error.TimedOut", 7, ""},
    ErrorInfo{ErrorCode::Cancelled, "dev.banger.Error.Cancelled", 1, ""},
    ErrorInfo{ErrorCode::NoSpace, "dev.banger.Error.NoSpace", 1, "df -h ~ shows the space left"},
    ErrorInfo{ErrorCode::QuotaExceeded, "dev.banger.Error.QuotaExceeded", 1,
              "an administrator sets limits in /etc/banger/broker.toml"},
    ErrorInfo{ErrorCode::Unavailable, "dev.banger.Error.Unavailable", 1, "banger daemon status tells how bangerd is"},
    ErrorInfo{ErrorCode::CorruptData, "dev.banger.Error.CorruptData", 1, ""},
    ErrorInfo{ErrorCode::NotRunnable, "dev.banger.Error.NotRunnable", 126, ""},
    ErrorInfo{ErrorCode::CommandNotFound, "dev.banger.Error.CommandNotFound", 127, ""},
    ErrorInfo{ErrorCode::Failed, "dev.banger.Error.Failed", 1, ""},
    ErrorInfo{ErrorCode::Internal, "dev.banger.Error.Internal", 1,
              "banger daemon status names the log with the details"},
};

}  // namespace

std::span<const ErrorInfo> error_table() noexcept { return table; }

const ErrorInfo& error_info(ErrorCode code) noexcept { return table[static_cast<std::size_t>(code)]; }

std::optional<ErrorCode> error_code_of(std::string_view dbus_name) noexcept
{
    for (const auto& row : table) {
        if (row.dbus_name == dbus_name) {
            return row.code;
        }
    }
    return std::nullopt;
}

Error errno_error(const std::string& sentence, int errno_value, ErrorCode code, SourceLocation where)
{
    const std::error_code cause{errno_value, std::generic_category()};
    if (code == ErrorCode::Failed) {
        if (errno_value == ENOSPC || errno_value == EDQUOT) {
            code = ErrorCode::NoSpace;
        } else if (errno_value == ENOENT) {
            code = ErrorCode::NotFound;
        }
    }
    return Error{code, sentence + ": " + cause.message(), cause, where};
}

}  // namespace banger
