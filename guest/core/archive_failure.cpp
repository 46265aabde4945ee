// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/core/archive_failure.hpp"

#include <archive.h>

#include <cerrno>
#include <cstring>

namespace banger::guest {

std::string archive_complaint(const std::string& what, archive* handle)
{
    const char* words = archive_error_string(handle);
    const int error = archive_errno(handle);
    std::string text = what + ": " + (words != nullptr ? words : "damaged or unreadable");
    // EILSEQ is libarchive's word for a damaged archive, EINVAL for a wrong call; -1 is "something else".
    if (error > 0 && error != EILSEQ && error != EINVAL) {
        text += std::string{": "} + std::strerror(error);
    }
    return text;
}

Error archive_failure(const std::string& what, archive* handle)
{
    const int error = archive_errno(handle);
    return Error{error == ENOSPC || error == EDQUOT ? ErrorCode::NoSpace : ErrorCode::Failed,
                 archive_complaint(what, handle)};
}

}  // namespace banger::guest
