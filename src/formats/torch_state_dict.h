// From the pickled object of a checkpoint to named tensors; shared by both layouts.
#pragma once

#include "formats/torch_tensors.h"
#include "formats/torch_zip.h"

namespace godwit::formats {

// The globals that checkpoints may name.
bool is_checkpoint_global(std::string_view name);

TorchCheckpoint state_dict_of(const pickle::Node& root, const FindStorage& find, const std::string& what);

}  // namespace godwit::formats
