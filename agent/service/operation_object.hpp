// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <agent1_adaptor.hpp>
#include <map>
#include <memory>
#include <vector>

#include "agent/core/operation.hpp"
#include "agent/service/options.hpp"

namespace banger::agent {

/// dev.banger.Agent1.Operation for one Operation.
class OperationObject final : public sdbus::AdaptorInterfaces<dev::banger::Agent1::Operation_adaptor,
                                                              sdbus::Properties_adaptor, sdbus::ManagedObject_adaptor> {
public:
    using Result = sdbus::Result<VariantMap>;

    static sdbus::ObjectPath path_of(std::uint64_t id);
    OperationObject(sdbus::IConnection& connection, OperationPtr operation);
    ~OperationObject();

private:
    void Cancel() override;
    void Wait(Result&& result) override;
    std::string Kind() override { return operation_->kind(); }
    std::string Target() override { return operation_->target(); }
    std::string Stage() override;
    double Fraction() override { return operation_->fraction(); }
    std::string State() override { return std::string{to_string(operation_->state())}; }
    sdbus::Struct<std::string, std::string> Error() override;

    void on_change(Operation::Change change);
    void answer_waiting(Result& result) const;

    OperationPtr operation_;
    std::vector<Result> waiting_;
};

}  // namespace banger::agent
