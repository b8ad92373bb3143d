// Boxes: selection and pooling. The size of a selection depends on the data, so both run on the host.
#pragma once

#include "ops/op.h"

namespace godwit::ops {

// boxes (B, N, 4): two opposite corners y, x, y, x in any order, or with center x, y, width, height; scores (B, C, N).
// -> i64 (n, 3) of batch, class, box: per batch and class by falling score, boxes above score_threshold that overlap
// no better one by more than iou_threshold.
array nms(const array& boxes, const array& scores, int max_per_class, double iou_threshold, double score_threshold,
          bool center);

// x (N, C, H, W), boxes (R, 4) as x1, y1, x2, y2 times scale, batch_indices (R) -> (R, C, height, width).
// mode "avg" or "max" (ONNX's: the largest weighted corner); sampling points per bin and axis, 0 as many as elements;
// half_pixel shifts boxes by half an element.
array roi_align(const array& x, const array& boxes, const array& batch_indices, const std::string& mode, int height,
                int width, double scale, int sampling, bool half_pixel);

}  // namespace godwit::ops
