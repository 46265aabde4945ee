// SPDX-License-Identifier: GPL-2.0-or-later
#include "guest/wire/cbor.hpp"

#include "common/error.hpp"

#include <algorithm>

namespace banger::wire {
namespace {

using nlohmann::json;

/// Builds a json, and stops the parser (which recurses) before hostile input can exhaust the stack or the memory.
class LimitedBuilder : public nlohmann::json_sax<json> {
public:
    explicit LimitedBuilder(json& root) : dom_{root, false} {}

    bool null() override { return one() && dom_.null(); }
    bool boolean(bool value) override { return one() && dom_.boolean(value); }
    bool number_integer(number_integer_t value) override { return one() && dom_.number_integer(value); }
    bool number_unsigned(number_unsigned_t value) override { return one() && dom_.number_unsigned(value); }
    bool number_float(number_float_t value, const string_t& text) override
    {
        return one() && dom_.number_float(value, text);
    }
    bool string(string_t& value) override { return one() && dom_.string(value); }
    bool binary(binary_t& value) override { return one() && dom_.binary(value); }
    bool start_object(std::size_t size) override { return enter(size) && dom_.start_object(size); }
    bool key(string_t& value) override { return dom_.key(value); }
    bool end_object() override { return leave() && dom_.end_object(); }
    bool start_array(std::size_t size) override { return enter(size) && dom_.start_array(size); }
    bool end_array() override { return leave() && dom_.end_array(); }
    bool parse_error(std::size_t /*position*/, const std::string& /*token*/, const json::exception& /*error*/) override
    {
        return false;
    }

private:
    static constexpr int max_depth = 8;
    static constexpr std::size_t max_values = 4096;

    bool one() { return ++values_ <= max_values; }
    bool enter(std::size_t size)
    {
        return one() && ++depth_ <= max_depth && (size == static_cast<std::size_t>(-1) || size <= max_values);
    }
    bool leave()
    {
        --depth_;
        return true;
    }

    nlohmann::detail::json_sax_dom_parser<json> dom_;
    int depth_{0};
    std::size_t values_{0};
};

/// Whether text and bytes "of unknown length" (RFC 8949, 3.2.3) hold whole pieces alone, as they have to. nlohmann/json (3.11) takes such ones
/// as pieces of others, too, and calls itself for each, without asking the builder: 32 KiB of 0x7f exhausted the stack. No tree is needed to
/// see that: each item is a head, what belongs to the head, and then the next one. What isn't CBOR at all is the parser's to refuse.
class PieceCheck {
public:
    explicit PieceCheck(ByteView payload) : left_{payload} {}

    bool holds()
    {
        while (!left_.empty()) {
            const unsigned head = left_.front();
            left_ = left_.subspan(1);
            if (!take(head >> kind_shift, head & detail_bits)) {
                return false;
            }
        }
        return true;
    }

private:
    static constexpr unsigned kind_shift = 5;
    static constexpr unsigned detail_bits = 0x1f;
    static constexpr unsigned bytes_kind = 2;
    static constexpr unsigned text_kind = 3;
    static constexpr unsigned other_kind = 7;
    static constexpr unsigned one_byte = 24;  // of an argument behind the head; 25, 26, 27: two, four, eight
    static constexpr unsigned eight_bytes = 27;
    static constexpr unsigned unknown_length = 31;

    bool take(unsigned kind, unsigned detail)
    {
        const bool is_string = kind == bytes_kind || kind == text_kind;
        if (in_pieces_ && kind == other_kind && detail == unknown_length) {  // "break"
            in_pieces_ = false;
            return true;
        }
        if (in_pieces_ && (!is_string || detail == unknown_length)) {
            return false;
        }
        if (is_string && detail == unknown_length) {
            in_pieces_ = true;
            return true;
        }
        const auto argument = take_argument(detail);
        skip(is_string ? argument : 0);
        return true;
    }

    std::uint64_t take_argument(unsigned detail)
    {
        if (detail < one_byte || detail > eight_bytes) {
            return detail;
        }
        const std::size_t size = std::size_t{1} << (detail - one_byte);
        std::uint64_t argument = 0;
        for (const auto byte : left_.first(std::min(size, left_.size()))) {
            argument = argument << 8U | byte;
        }
        skip(size);
        return argument;
    }

    void skip(std::uint64_t count) { left_ = left_.subspan(std::min<std::uint64_t>(count, left_.size())); }

    ByteView left_;
    bool in_pieces_{false};
};

std::string bytes_of(const json& value, std::string_view name)
{
    std::string result;
    if (value.is_binary()) {
        const auto& binary = value.get_binary();
        result.assign(binary.begin(), binary.end());
    } else if (value.is_string()) {
        result = value.get<std::string>();
    } else {
        bad_field(name, "is not a byte string");
    }
    if (result.find('\0') != std::string::npos) {
        bad_field(name, "holds a NUL byte");
    }
    return result;
}

}  // namespace

json decode_map(ByteView payload)
{
    json root;
    LimitedBuilder builder{root};
    bool whole = false;
    try {
        whole = PieceCheck{payload}.holds() &&
                json::sax_parse(payload.begin(), payload.end(), &builder, json::input_format_t::cbor);
    } catch (const json::exception&) {
        whole = false;
    }
    if (!whole || !root.is_object()) {
        throw Error{ErrorCode::CorruptData, "A message over the guest channel is not a CBOR map within its limits"};
    }
    return root;
}

void bad_field(std::string_view name, std::string_view problem)
{
    throw Error{ErrorCode::CorruptData, "A message over the guest channel is damaged: the field " + std::string{name} +
                                            " " + std::string{problem}};
}

json byte_string(std::string_view bytes) { return json::binary(Bytes(bytes.begin(), bytes.end())); }

json sentence(std::string_view text) { return byte_string(text.substr(0, max_sentence)); }

json byte_strings(const std::vector<std::string>& list)
{
    json result = json::array();
    for (const auto& item : list) {
        result.push_back(byte_string(item));
    }
    return result;
}

Fields::Fields(const json& map) : map_{&map}
{
    if (!map.is_object()) {
        bad_field("(outermost)", "is not a map");
    }
}

const json* Fields::find(std::string_view name) const
{
    const auto entry = map_->find(std::string{name});
    return entry == map_->end() ? nullptr : &*entry;
}

const json& Fields::get(std::string_view name) const
{
    const auto* value = find(name);
    if (value == nullptr) {
        bad_field(name, "is missing");
    }
    return *value;
}

std::string Fields::text(std::string_view name) const
{
    if (!get(name).is_string()) {
        bad_field(name, "is not text");
    }
    return bytes_of(get(name), name);
}

std::string Fields::bytes(std::string_view name) const { return bytes_of(get(name), name); }

std::string Fields::sentence(std::string_view name) const
{
    auto line = bytes(name).substr(0, max_sentence);
    std::replace(line.begin(), line.end(), '\n', '?');
    return line;
}

std::vector<std::string> Fields::byte_list(std::string_view name) const
{
    const auto& list = get(name);
    if (!list.is_array()) {
        bad_field(name, "is not a list");
    }
    std::vector<std::string> result;
    for (const auto& item : list) {
        result.push_back(bytes_of(item, name));
    }
    return result;
}

std::vector<std::string> Fields::text_list(std::string_view name) const { return byte_list(name); }

bool Fields::flag(std::string_view name) const
{
    if (!get(name).is_boolean()) {
        bad_field(name, "is not true or false");
    }
    return get(name).get<bool>();
}

Fields Fields::map(std::string_view name) const
{
    if (!get(name).is_object()) {
        bad_field(name, "is not a map");
    }
    return Fields{get(name)};
}

Bytes to_bytes(const json& map) { return json::to_cbor(map); }

}  // namespace banger::wire
