#include "server/telemetry/process_metrics.h"

#include <prometheus/metric_family.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <system_error>

namespace hearwire {
namespace {

using ::prometheus::MetricFamily;
using ::prometheus::MetricType;

void Append(const char* name, const char* help, MetricType type, double value, std::vector<MetricFamily>* families) {
  MetricFamily family;
  family.name = name;
  family.help = help;
  family.type = type;
  family.metric.resize(1);
  if (type == MetricType::Counter) {
    family.metric[0].counter.value = value;
  } else {
    family.metric[0].gauge.value = value;
  }
  families->push_back(std::move(family));
}

// Fields of /proc/self/stat, proc(5): 22 is the start in ticks after boot, 23 the virtual memory in bytes, 24 the
// resident one in pages.
struct Stat {
  double start_ticks = 0;
  double virtual_bytes = 0;
  double resident_pages = 0;
};

std::optional<Stat> ReadStat() {
  std::ifstream file("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const size_t name_end = text.rfind(')');  // The program's name, field 2, may hold anything.
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 3; i < 22; ++i) fields >> skipped;
  Stat stat;
  fields >> stat.start_ticks >> stat.virtual_bytes >> stat.resident_pages;
  if (!fields) return std::nullopt;
  return stat;
}

// Seconds since the epoch at boot.
double BootTime() {
  std::ifstream file("/proc/stat");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("btime ", 0) == 0) return std::stod(line.substr(6));
  }
  return 0;
}

}  // namespace

std::vector<MetricFamily> ProcessMetrics::Collect() const {
  std::vector<MetricFamily> families;
  timespec cpu;
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0) {
    Append("process_cpu_seconds_total", "User and system CPU time spent.", MetricType::Counter,
           static_cast<double>(cpu.tv_sec) + 1e-9 * static_cast<double>(cpu.tv_nsec), &families);
  }
  if (const std::optional<Stat> stat = ReadStat()) {
    static const double boot_time = BootTime();
    Append("process_resident_memory_bytes", "Resident memory.", MetricType::Gauge,
           stat->resident_pages * static_cast<double>(sysconf(_SC_PAGESIZE)), &families);
    Append("process_virtual_memory_bytes", "Virtual memory.", MetricType::Gauge, stat->virtual_bytes, &families);
    Append("process_start_time_seconds", "Start of the process, in seconds since the epoch.", MetricType::Gauge,
           boot_time + stat->start_ticks / static_cast<double>(sysconf(_SC_CLK_TCK)), &families);
  }
  std::error_code error;
  std::filesystem::directory_iterator entry("/proc/self/fd", error);
  if (!error) {
    double open = -1;  // The iterator's own does not count.
    for (; entry != std::filesystem::directory_iterator() && !error; entry.increment(error)) ++open;
    Append("process_open_fds", "Open file descriptors.", MetricType::Gauge, open, &families);
  }
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    Append("process_max_fds", "Most file descriptors that may be open.", MetricType::Gauge,
           static_cast<double>(limit.rlim_cur), &families);
  }
  return families;
}

}  // namespace hearwire
