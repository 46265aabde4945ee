// SPDX-License-Identifier: GPL-2.0-or-later
#include "broker/service/failure.hpp"

#include "common/denial.hpp"

namespace banger::broker {

Failure failure_of(std::exception_ptr thrown) noexcept
{
    const Error ours{ErrorCode::Internal, "a mistake in banger-broker; its journal has the details"};
    try {
        std::rethrow_exception(std::move(thrown));
    } catch (const Error& error) {
        return {error,
                with_denial_hint(error.what())};  // for the journal: to callers the host's guards are nobody's business
    } catch (const std::exception& error) {
        return {ours, error.what()};
    } catch (...) {
        return {ours, "an exception of an unknown type"};
    }
}

}  // namespace banger::broker
