// Host tensors belong to the public interface.
#pragma once

#include "godwit/tensor.h"  // IWYU pragma: export
