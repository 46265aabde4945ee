// SPDX-License-Identifier: GPL-2.0-or-later
#include "agent/core/vm/name_maker.hpp"

#include <array>
#include <random>
#include <string>

namespace banger::agent {
namespace {

constexpr std::array qualities{
    "able",  "amber",  "brave", "brisk",  "calm", "clear", "clever", "cosy",  "crisp",  "deft",   "eager", "early",
    "fair",  "fleet",  "fresh", "gentle", "glad", "grand", "happy",  "hardy", "keen",   "kind",   "light", "lively",
    "lucky", "mellow", "merry", "mild",   "neat", "noble", "plain",  "prime", "proud",  "quick",  "quiet", "ready",
    "ruby",  "sage",   "sharp", "silent", "slim", "smart", "snug",   "solid", "spry",   "steady", "still", "sunny",
    "swift", "tidy",   "true",  "vivid",  "warm", "wise",  "witty",  "young", "bright", "bold",   "cool",  "free"};
constexpr std::array animals{"ant",   "badger", "bat",   "bear",  "beaver", "bee",   "bison", "boar", "cat",   "cod",
                             "crab",  "crane",  "crow",  "deer",  "dove",   "duck",  "eagle", "eel",  "elk",   "falcon",
                             "finch", "fox",    "frog",  "gecko", "goat",   "goose", "gull",  "hare", "hawk",  "heron",
                             "horse", "ibex",   "jay",   "kite",  "koala",  "lark",  "lemur", "lion", "lynx",  "mole",
                             "moose", "moth",   "mouse", "newt",  "otter",  "owl",   "panda", "puma", "quail", "raven",
                             "robin", "seal",   "shrew", "stoat", "stork",  "swan",  "tern",  "toad", "trout", "wren"};
constexpr int tries_without_number = 40;
constexpr std::size_t numbers = 10000;

}  // namespace

VmName make_name(const std::function<bool(const VmName&)>& is_taken,
                 const std::function<std::size_t(std::size_t)>& random)
{
    for (int attempt = 0;; ++attempt) {
        auto text = std::string{qualities[random(qualities.size())]} + "-" + animals[random(animals.size())];
        if (attempt >= tries_without_number) {
            text += "-" + std::to_string(random(numbers));
        }
        auto name = VmName::parse(text);
        if (!is_taken(name)) {
            return name;
        }
    }
}

VmName make_name(const std::function<bool(const VmName&)>& is_taken)
{
    std::random_device device;
    return make_name(is_taken, [&](std::size_t count) { return device() % count; });
}

}  // namespace banger::agent
