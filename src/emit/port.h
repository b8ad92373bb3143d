// What the public headers say of a graph's inputs and outputs.
#pragma once

#include <string>

#include "base/error.h"
#include "godwit/model.h"
#include "ir/graph.h"

namespace godwit::emit {

// Throws UsageError for a sequence.
inline Model::Port port_of(const std::string& name, const ir::Value& value) {
  require<UsageError>(!value.type.sequence, "{} is a sequence of tensors; godwit::Model takes and gives tensors only",
                      name);
  Model::Port port{name, value.dtype(), {}};
  for (const ir::Dim& d : value.shape()) port.shape.push_back(d.str());
  return port;
}

}  // namespace godwit::emit
