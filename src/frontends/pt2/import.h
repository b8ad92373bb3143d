// The graph of a .pt2 archive that was read already.
#pragma once

#include "formats/pt2/pt2.h"
#include "frontends/frontend.h"

namespace godwit::frontends {

// The first program of the archive. Throws as import_pt2(path) does.
Imported import_pt2(const formats::pt2::Archive& archive, const ImportOptions& options = {});

}  // namespace godwit::frontends
