#include "parity/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace godwit::parity {
namespace {

constexpr double kWidth = 860, kHeight = 360;
constexpr double kLeft = 80, kRight = 20, kTop = 40, kBottom = 50;
constexpr double kSmallest = 1e-12;  // the lowest value that a logarithmic axis shows
constexpr std::array<const char*, 4> kColours = {"#1b6ca8", "#d1603d", "#4b8f29", "#7d4f9e"};

struct Range {
  double low = 0, high = 1;
};

// Maps data to pixels.
class Axes {
 public:
  Axes(Range x, Range y, bool log_y) : x_(x), y_(y), log_y_(log_y) {}

  double x(double v) const { return kLeft + (v - x_.low) / (x_.high - x_.low) * (kWidth - kLeft - kRight); }
  double y(double v) const {
    double t = (level(v) - y_.low) / (y_.high - y_.low);
    return kHeight - kBottom - t * (kHeight - kTop - kBottom);
  }
  double level(double v) const { return log_y_ ? std::log10(std::max(v, kSmallest)) : v; }
  double value(double level) const { return log_y_ ? std::pow(10.0, level) : level; }

  const Range x_, y_;
  const bool log_y_;
};

Range widened(double low, double high) {
  if (!(low <= high)) return {0, 1};
  double margin = high > low ? (high - low) * 0.05 : std::max(std::abs(high) * 0.1, 0.5);
  return {low - margin, high + margin};
}

Axes axes_of(const Plot& plot) {
  double low_x = INFINITY, high_x = -INFINITY, low_y = INFINITY, high_y = -INFINITY;
  auto see_y = [&](double v) {
    double level = plot.log_y ? std::log10(std::max(v, kSmallest)) : v;
    low_y = std::min(low_y, level);
    high_y = std::max(high_y, level);
  };
  for (const Series& s : plot.series) {
    for (size_t i = 0; i < s.x.size(); ++i) {
      if (!std::isfinite(s.x[i]) || !std::isfinite(s.y[i])) continue;
      low_x = std::min(low_x, s.x[i]);
      high_x = std::max(high_x, s.x[i]);
      see_y(s.y[i]);
    }
  }
  if (plot.threshold) see_y(*plot.threshold);
  return {widened(low_x, high_x), widened(low_y, high_y), plot.log_y};
}

std::string text(double x, double y, const std::string& anchor, const std::string& content) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor, content);
}

std::string grid(const Axes& axes) {
  constexpr int kLines = 5;
  std::string out;
  for (int i = 0; i <= kLines; ++i) {
    double share = static_cast<double>(i) / kLines;
    double level = axes.y_.low + share * (axes.y_.high - axes.y_.low);
    double y = axes.y(axes.value(level));
    out += fmt::format("<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#ddd\"/>\n", kLeft,
                       kWidth - kRight, y, y);
    out += text(kLeft - 6, y + 4, "end", fmt::format("{:.3g}", axes.value(level)));
    double x = axes.x_.low + share * (axes.x_.high - axes.x_.low);
    out += text(axes.x(x), kHeight - kBottom + 18, "middle", fmt::format("{:.3g}", x));
  }
  return out;
}

std::string line(const Series& s, const Axes& axes, const char* colour) {
  std::string points;
  for (size_t i = 0; i < s.x.size(); ++i) {
    if (!std::isfinite(s.x[i]) || !std::isfinite(s.y[i])) continue;
    points += fmt::format("{:.1f},{:.1f} ", axes.x(s.x[i]), axes.y(s.y[i]));
  }
  return fmt::format("<polyline fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\" points=\"{}\"/>\n", colour, points);
}

}  // namespace

std::string to_svg(const Plot& plot) {
  Axes axes = axes_of(plot);
  std::string out = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" "
      "font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"#fff\"/>\n",
      kWidth, kHeight);
  out += text(kWidth / 2, 20, "middle", plot.title) + grid(axes);
  out += text(kWidth / 2, kHeight - 10, "middle", plot.x_label);
  out += text(10, kTop - 12, "start", plot.y_label);
  if (plot.threshold) {
    double y = axes.y(*plot.threshold);
    out += fmt::format(
        "<line x1=\"{}\" x2=\"{}\" y1=\"{:.1f}\" y2=\"{:.1f}\" stroke=\"#b00\" stroke-dasharray=\"6 4\"/>\n", kLeft,
        kWidth - kRight, y, y);
  }
  for (size_t i = 0; i < plot.series.size(); ++i) {
    const char* colour = kColours[i % kColours.size()];
    out += line(plot.series[i], axes, colour);
    out += fmt::format("<g fill=\"{}\">{}</g>", colour,
                       text(kWidth - kRight, kTop - 12 + 14 * static_cast<double>(i), "end", plot.series[i].name));
  }
  return out + "</svg>\n";
}

}  // namespace godwit::parity
