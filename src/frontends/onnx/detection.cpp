// Boxes.
#include "frontends/onnx/common.h"
#include "frontends/onnx/registry.h"

namespace godwit::frontends::onnx {
namespace {

Values non_max_suppression(Call& c) {
  const ir::Dim most = c.has(2) ? c.dim(2) : ir::Dim(0);
  const double overlap = c.has(3) ? c.constant(3) : 0.0;
  const double score = c.has(4) ? c.constant(4) : -3.4e38;
  return {c.op("nms", {as_wide(c, c.in(0)), as_wide(c, c.in(1))},
               {{"max_per_class", most},
                {"iou_threshold", overlap},
                {"score_threshold", score},
                {"center", c.flag("center_point_box")}})};
}

Values roi_align(Call& c) {
  const std::string mode = c.text("coordinate_transformation_mode", c.opset < 16 ? "output_half_pixel" : "half_pixel");
  if (mode != "half_pixel" && mode != "output_half_pixel") c.fail("unknown coordinate_transformation_mode '{}'", mode);
  return {c.op("roi_align", {c.in(0), c.in(1), c.cast(c.in(2), DType::i64)},
               {{"mode", c.text("mode", "avg")},
                {"height", ir::Dim(c.integer("output_height", 1))},
                {"width", ir::Dim(c.integer("output_width", 1))},
                {"scale", c.real("spatial_scale", 1.0)},
                {"sampling", ir::Dim(c.integer("sampling_ratio", 0))},
                {"half_pixel", mode == "half_pixel"}})};
}

}  // namespace

Rows detection_rows() { return {{"NonMaxSuppression", non_max_suppression}, {"RoiAlign", roi_align}}; }

}  // namespace godwit::frontends::onnx
