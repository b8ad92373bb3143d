// Element types belong to the public interface.
#pragma once

#include "godwit/dtype.h"  // IWYU pragma: export
