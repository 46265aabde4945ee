// SPDX-License-Identifier: GPL-2.0-or-later
// Of the standard library, what most files include. They include it themselves, too: this is for the compiler's time alone
// (BANGER_PRECOMPILE in CMakeLists.txt).
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>
