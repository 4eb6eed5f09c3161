#include "load/plot.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

namespace hearwire::load {
namespace {

constexpr double kWidth = 680, kHeight = 300;
constexpr double kLeft = 62, kRight = 18, kTop = 12, kBottom = 46;
constexpr int kMostMarkers = 60;

// From values to places along one side of the plot.
class Axis {
 public:
  Axis(double least, double most, bool logarithmic, double from, double to)
      : least_(Shape(least, logarithmic)),
        most_(Shape(most, logarithmic)),
        logarithmic_(logarithmic),
        from_(from),
        to_(to) {
    if (most_ <= least_) most_ = least_ + 1;
  }

  double At(double value) const {
    return from_ + (to_ - from_) * (Shape(value, logarithmic_) - least_) / (most_ - least_);
  }

 private:
  static double Shape(double value, bool logarithmic) { return logarithmic ? std::log10(value) : value; }

  double least_;
  double most_;
  bool logarithmic_;
  double from_;
  double to_;
};

struct Range {
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();
  void Include(double value) {
    least = std::min(least, value);
    most = std::max(most, value);
  }
};

// The lines' names above the plot, none where there is one line. *bottom: where they end.
std::string Legend(const Plot& plot, double* bottom) {
  constexpr double kSample = 26, kCharacter = 6.7, kGap = 20, kRow = 20;
  *bottom = 0;
  if (plot.lines.size() < 2) return "";
  std::string svg;
  double x = kLeft, y = kRow / 2;
  for (const PlotLine& line : plot.lines) {
    const double width = kSample + 6 + kCharacter * static_cast<double>(line.name.size());
    if (x > kLeft && x + width > kWidth) {
      x = kLeft;
      y += kRow;
    }
    absl::StrAppend(&svg, absl::StrFormat("<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" class=\"line-%d%s\"/>",
                                          x, x + kSample, y, y, line.colour, line.dashed ? " dashed" : ""));
    absl::StrAppend(&svg, absl::StrFormat("<text class=\"name\" x=\"%.1f\" y=\"%.1f\">%s</text>\n", x + kSample + 6,
                                          y + 4, EscapeHtml(line.name)));
    x += width + kGap;
  }
  *bottom = y + kRow / 2;
  return svg;
}

std::string RenderLine(const PlotLine& line, const Axis& x, const Axis& y) {
  std::string path;
  for (const PlotPoint& point : line.points) {
    absl::StrAppend(&path, path.empty() ? "M" : "L", absl::StrFormat("%.1f %.1f", x.At(point.x), y.At(point.y)));
  }
  std::string svg =
      absl::StrCat("<path d=\"", path, "\" class=\"line-", line.colour, line.dashed ? " dashed" : "", "\"/>\n");
  const bool visible = line.markers || line.points.size() <= kMostMarkers;
  for (const PlotPoint& point : line.points) {
    if (!visible) break;
    absl::StrAppend(
        &svg, "<circle class=\"dot-", line.colour, point.hollow ? " hollow" : "", "\"",
        absl::StrFormat(" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\">", x.At(point.x), y.At(point.y), line.markers ? 3.5 : 1.8),
        "<title>", EscapeHtml(line.name), ": ", NumberText(point.y), " at ", NumberText(point.x),
        point.hollow ? " (not passed)" : "", "</title></circle>\n");
  }
  return svg;
}

// Without the points that the axes cannot show.
Plot Showable(Plot plot) {
  for (PlotLine& line : plot.lines) {
    std::erase_if(line.points, [&](const PlotPoint& point) {
      return !std::isfinite(point.x) || !std::isfinite(point.y) || (plot.log_x && point.x <= 0) ||
             (plot.log_y && point.y <= 0);
    });
  }
  std::erase_if(plot.lines, [](const PlotLine& line) { return line.points.empty(); });
  return plot;
}

// A linear axis ends at a tick; a logarithmic one a little beyond its values.
void Round(Range* range, bool logarithmic) {
  if (logarithmic) {
    range->least /= 1.15;
    range->most *= 1.15;
    return;
  }
  range->least = std::min(range->least, 0.0);
  const std::vector<double> ticks = Ticks(range->least, range->most, 5, false);
  if (ticks.size() > 1 && ticks.back() < range->most) range->most = ticks.back() + ticks[1] - ticks[0];
}

}  // namespace

std::vector<double> Ticks(double least, double most, int count, bool logarithmic) {
  std::vector<double> ticks;
  if (logarithmic) {
    const bool few = std::log10(most / least) < 2.5;
    for (int power = static_cast<int>(std::floor(std::log10(least))); power <= std::ceil(std::log10(most)); ++power) {
      for (const double digit : {1.0, 2.0, 5.0}) {
        const double tick = digit * std::pow(10.0, power);
        if ((digit == 1 || few) && tick >= least && tick <= most) ticks.push_back(tick);
      }
    }
    return ticks;
  }
  if (most <= least) return {least};
  const double raw = (most - least) / count;
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  double step = 10 * power;
  for (const double digit : {1.0, 2.0, 5.0}) {
    if (digit * power >= raw) {
      step = digit * power;
      break;
    }
  }
  const auto first = static_cast<int64_t>(std::ceil(least / step - 1e-9));
  const auto last = static_cast<int64_t>(std::floor(most / step + 1e-9));
  for (int64_t i = first; i <= last; ++i) ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

std::string NumberText(double value) {
  const double size = std::fabs(value);
  if (size < 1000 || size >= 1e15) {
    return size >= 100 ? absl::StrFormat("%.0f", value) : absl::StrFormat("%.3g", value);
  }
  const std::string digits = absl::StrFormat("%.0f", size);
  std::string text = value < 0 ? "-" : "";
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string EscapeHtml(const std::string& text) {
  return absl::StrReplaceAll(text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string RenderPlot(const Plot& wanted) {
  const Plot plot = Showable(wanted);
  const std::string heading = absl::StrCat("<h2>", EscapeHtml(plot.title), "</h2>\n");
  if (plot.lines.empty()) return heading + "<p>Nothing was measured.</p>\n";
  Range along, up;
  for (const PlotLine& line : plot.lines) {
    for (const PlotPoint& point : line.points) {
      along.Include(point.x);
      up.Include(point.y);
    }
  }
  if (plot.y_bound) up.Include(*plot.y_bound);
  for (const auto& [value, text] : plot.x_labels) along.Include(value);
  if (plot.x_labels.empty()) Round(&along, plot.log_x);
  Round(&up, plot.log_y);
  const Axis x(along.least, along.most, plot.log_x, kLeft, kWidth - kRight);
  double top = 0;
  const std::string legend = Legend(plot, &top);
  top += kTop;
  const Axis y(up.least, up.most, plot.log_y, kHeight - kBottom, top);

  std::string svg = absl::StrFormat("<svg viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"%s\">\n", kWidth, kHeight,
                                    EscapeHtml(plot.title));
  for (const double tick : Ticks(up.least, up.most, 5, plot.log_y)) {
    absl::StrAppend(&svg, absl::StrFormat("<line class=\"grid\" x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\"/>", kLeft,
                                          kWidth - kRight, y.At(tick), y.At(tick)));
    absl::StrAppend(&svg, absl::StrFormat("<text class=\"y\" x=\"%g\" y=\"%.1f\">%s</text>\n", kLeft - 8,
                                          y.At(tick) + 4, NumberText(tick)));
  }
  std::vector<std::pair<double, std::string>> labels = plot.x_labels;
  if (labels.empty()) {
    for (const double tick : Ticks(along.least, along.most, 8, plot.log_x)) labels.emplace_back(tick, NumberText(tick));
  }
  for (const auto& [value, text] : labels) {
    absl::StrAppend(&svg, absl::StrFormat("<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%g\" y2=\"%g\"/>",
                                          x.At(value), x.At(value), top, kHeight - kBottom));
    absl::StrAppend(&svg, absl::StrFormat("<text class=\"x\" x=\"%.1f\" y=\"%g\">%s</text>\n", x.At(value),
                                          kHeight - kBottom + 17, EscapeHtml(text)));
  }
  if (plot.y_bound) {
    absl::StrAppend(&svg, absl::StrFormat("<line class=\"bound\" x1=\"%g\" x2=\"%g\" y1=\"%.1f\" y2=\"%.1f\"/>", kLeft,
                                          kWidth - kRight, y.At(*plot.y_bound), y.At(*plot.y_bound)));
    absl::StrAppend(&svg, absl::StrFormat("<text class=\"bound-name\" x=\"%g\" y=\"%.1f\">%s</text>\n", kLeft + 6,
                                          y.At(*plot.y_bound) - 5, EscapeHtml(plot.y_bound_name)));
  }
  for (const PlotLine& line : plot.lines) svg += RenderLine(line, x, y);
  absl::StrAppend(&svg, absl::StrFormat("<text class=\"x name\" x=\"%g\" y=\"%g\">%s</text>\n",
                                        (kLeft + kWidth - kRight) / 2, kHeight - 8, EscapeHtml(plot.x_name)));
  absl::StrAppend(&svg, absl::StrFormat("<text class=\"x name\" transform=\"translate(14 %g) rotate(-90)\">%s</text>\n",
                                        (top + kHeight - kBottom) / 2, EscapeHtml(plot.y_name)));
  return heading + svg + legend + "</svg>\n";
}

}  // namespace hearwire::load
