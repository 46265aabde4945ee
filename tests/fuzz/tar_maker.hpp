// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "tests/fuzz/harness.hpp"

namespace banger::fuzz {

/// A tar stream out of the fuzzer's choices: headers whose checksums hold, with names that lead astray.
class TarMaker {
public:
    void add(Choices& choices)
    {
        constexpr std::string_view types{"0125346gxLK"};
        const auto type = types[choices.byte() % types.size()];
        const auto name = path(choices);
        const auto link = path(choices);
        const auto mode = choices.number() & 07777U;
        auto data = type == '0' ? choices.text() : std::string{};
        if (type == 'x' || type == 'g') {
            data = record("path", name) + record("linkpath", link) + record("SCHILY.xattr.user.x", "1");
        } else if (type == 'L' || type == 'K') {
            data = name + '\0';
        }
        put_header(type, name, link, mode, data.size());
        put_data(data);
    }

    const std::vector<std::uint8_t>& finish()
    {
        bytes_.resize(bytes_.size() + 2 * block, 0);
        return bytes_;
    }

private:
    static constexpr std::size_t block = 512;

    /// Up to four components, the first of them perhaps none: absolute.
    static std::string path(Choices& choices)
    {
        constexpr std::array parts{"a", "b", "c", "..", ".", "", "outside", "canary", "jail", "link", "src"};
        std::string path;
        const auto shape = choices.byte();
        for (unsigned i = 0; i <= shape % 4U; ++i) {
            const auto choice = choices.byte();
            path += choice == 0xff ? choices.text() : parts[choice % parts.size()];
            path += i < shape % 4U || (shape & 0x80U) != 0 ? "/" : "";
        }
        return (shape & 0x40U) != 0 ? "/" + path : path;
    }

    /// pax(1): "LENGTH KEY=VALUE\n", where the length counts itself.
    static std::string record(const std::string& key, const std::string& value)
    {
        const auto rest = " " + key + "=" + value + "\n";
        std::size_t size = rest.size() + 1;
        while (std::to_string(size).size() + rest.size() != size) {
            ++size;
        }
        return std::to_string(size) + rest;
    }

    static void put(std::array<char, block>& header, std::size_t at, std::size_t size, std::string_view value)
    {
        std::memcpy(header.data() + at, value.data(), std::min(size, value.size()));
    }
    static std::string octal(std::size_t value, std::size_t digits)
    {
        std::string text(digits, '0');
        for (auto at = text.rbegin(); at != text.rend(); ++at, value /= 8) {
            *at = static_cast<char>('0' + value % 8);
        }
        return text;
    }

    void put_header(char type, std::string_view name, std::string_view link, std::size_t mode, std::size_t size)
    {
        std::array<char, block> header{};
        put(header, 0, 100, name);
        put(header, 100, 8, octal(mode, 7));
        put(header, 108, 8, octal(0, 7));
        put(header, 116, 8, octal(0, 7));
        put(header, 124, 12, octal(size, 11));
        put(header, 136, 12, octal(1'000'000'000, 11));
        put(header, 148, 8, "        ");
        header[156] = type;
        put(header, 157, 100, link);
        put(header, 257, 8, std::string_view{"ustar\00000", 8});
        std::size_t sum = 0;
        for (const char c : header) {
            sum += static_cast<unsigned char>(c);
        }
        put(header, 148, 8, octal(sum, 6) + std::string("\0 ", 2));
        bytes_.insert(bytes_.end(), header.begin(), header.end());
    }

    void put_data(std::string_view data)
    {
        bytes_.insert(bytes_.end(), data.begin(), data.end());
        bytes_.resize((bytes_.size() + block - 1) / block * block, 0);
    }

    std::vector<std::uint8_t> bytes_;
};

/// Shape: a mode; 0 is a tar stream as it is, else entries to make one of.
inline std::vector<std::uint8_t> make_tar(Choices& choices)
{
    if (choices.byte() == 0) {
        const auto rest = choices.rest();
        return {rest.begin(), rest.end()};
    }
    TarMaker tar;
    while (choices.any()) {
        tar.add(choices);
    }
    return tar.finish();
}

}  // namespace banger::fuzz
