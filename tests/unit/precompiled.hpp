// SPDX-License-Identifier: GPL-2.0-or-later
// As common/precompiled.hpp, for tests.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include "common/precompiled.hpp"
