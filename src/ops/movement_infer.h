// Inference functions of the movement rows; ops/movement.cpp computes them.
#pragma once

#include "ops/infer.h"

namespace godwit::ops::movement {

infer::Types shape(InferContext& c);
infer::Types reshape(InferContext& c);
infer::Types transpose(InferContext& c);
infer::Types broadcast(InferContext& c);
infer::Types expand_dims(InferContext& c);
infer::Types squeeze(InferContext& c);
infer::Types concat(InferContext& c);
infer::Types split(InferContext& c);
infer::Types slice(InferContext& c);
infer::Types slice_update(InferContext& c);
infer::Types pad(InferContext& c);
infer::Types flip(InferContext& c);
infer::Types roll(InferContext& c);
infer::Types tile(InferContext& c);
infer::Types repeat(InferContext& c);
infer::Types unfold(InferContext& c);
infer::Types as_strided(InferContext& c);
infer::Types diagonal(InferContext& c);

}  // namespace godwit::ops::movement
