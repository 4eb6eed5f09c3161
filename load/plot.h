// A line plot as an SVG element, to stand in a page: no scripts, nothing loaded from elsewhere.

#ifndef HEARWIRE_LOAD_PLOT_H_
#define HEARWIRE_LOAD_PLOT_H_

#include <optional>
#include <string>
#include <vector>

namespace hearwire::load {

struct PlotPoint {
  double x = 0;
  double y = 0;
  bool hollow = false;  // Marks a point that did not pass.
};

struct PlotLine {
  std::string name;
  std::vector<PlotPoint> points;  // By rising x.
  int colour = 0;                 // 0 to 5: the page's class "line-N".
  bool dashed = false;
  bool markers = false;
};

struct Plot {
  std::string title;
  std::string x_name;  // With its unit.
  std::string y_name;
  bool log_x = false;  // Points at 0 or below are left out.
  bool log_y = false;
  // Labels of its own on the x axis, instead of round numbers.
  std::vector<std::pair<double, std::string>> x_labels = {};
  std::optional<double> y_bound = {};  // A line across.
  std::string y_bound_name = {};
  std::vector<PlotLine> lines;
};

// The plot, with a legend when it has several lines. Each point tells its values to a resting mouse. A
// sentence instead, when no line has a point.
std::string RenderPlot(const Plot& plot);

// Round numbers that cover [least, most], about `count` of them; powers of ten and their halves when logarithmic.
std::vector<double> Ticks(double least, double most, int count, bool logarithmic);

// With as many digits as tell something: "0.25", "12.3", "1,234".
std::string NumberText(double value);

// &, <, > and quotes written so that they stand for themselves in HTML.
std::string EscapeHtml(const std::string& text);

}  // namespace hearwire::load

#endif  // HEARWIRE_LOAD_PLOT_H_
