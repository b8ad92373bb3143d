// The casts that PyTorch inserts inside an autocast region.
#pragma once

#include "frontends/aten/context.h"

namespace godwit::frontends::aten {

// Casts the tensor arguments of one call by the rules of session.autocast (the CPU lists of PyTorch).
void autocast_arguments(Session& session, const Schema& schema, Values& arguments);

}  // namespace godwit::frontends::aten
