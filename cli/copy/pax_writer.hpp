// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <archive.h>

#include <string>

#include "common/c_ptr.hpp"

namespace banger::cli {

using PaxWriter = c_ptr<archive, archive_write_free>;

/// A pax archive that is written to `fd` as it grows; names are bytes. Throws as fail_to_pack().
PaxWriter open_pax_writer(int fd);

/// Throws what libarchive has to say: Unavailable when the other side takes no more, NotFound, Failed. `what` begins the sentence.
[[noreturn]] void fail_to_pack(const std::string& what, archive* handle);

}  // namespace banger::cli
