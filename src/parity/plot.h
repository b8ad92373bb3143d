// Line plots as SVG text, for reports that need no other file.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace godwit::parity {

struct Series {
  std::string name;
  std::vector<double> x, y;  // equally long; elements that are not finite are left out
};

struct Plot {
  std::string title, x_label, y_label;
  bool log_y = false;  // values at or below zero lie on the lower edge
  std::vector<Series> series;
  std::optional<double> threshold;  // a dashed horizontal line
};

std::string to_svg(const Plot& plot);

}  // namespace godwit::parity
