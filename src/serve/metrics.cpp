#include "serve/metrics.h"

#include "base/format.h"

namespace cellmill::serve {
namespace {

constexpr std::array<double, 14> kSeconds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                             0.25,  0.5,    1,     2.5,  5,     10,   30};
constexpr std::array<double, 14> kRows = {1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 512};

void head(std::string& out, const char* name, const char* kind, const char* help) {
  out += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, kind, help);
}

}  // namespace

void Metrics::Histogram::add(double value, const std::array<double, 14>& bounds) {
  for (std::size_t i = 0; i < bounds.size(); ++i) below[i] += value <= bounds[i];
  sum += value;
  ++count;
}

void Metrics::request(const std::string& route, int status, double seconds, std::uint64_t sent) {
  std::lock_guard lock(mutex_);
  ++requests_[{route, status}];
  seconds_[route].add(seconds, kSeconds);
  sent_ += sent;
}

void Metrics::batch(const std::string& model, std::size_t rows, double seconds) {
  std::lock_guard lock(mutex_);
  batch_rows_[model].add(static_cast<double>(rows), kRows);
  batch_seconds_[model].add(seconds, kSeconds);
}

void Metrics::job(const std::string& event) {
  std::lock_guard lock(mutex_);
  ++jobs_[event];
}

void Metrics::gauge(const std::string& name, const std::string& label, double value) {
  std::lock_guard lock(mutex_);
  gauges_[name][label] = value;
}

void Metrics::write(std::string& out, const std::string& name, const std::string& label,
                    const Histogram& histogram, const std::array<double, 14>& bounds) const {
  for (std::size_t i = 0; i < bounds.size(); ++i)
    out +=
        fmt::format("{}_bucket{{{},le=\"{}\"}} {}\n", name, label, bounds[i], histogram.below[i]);
  out +=
      fmt::format("{0}_bucket{{{1},le=\"+Inf\"}} {2}\n{0}_sum{{{1}}} {3}\n{0}_count{{{1}}} {2}\n",
                  name, label, histogram.count, histogram.sum);
}

std::string Metrics::text() const {
  std::lock_guard lock(mutex_);
  std::string out;
  head(out, "cellmill_http_requests_total", "counter", "Requests answered, by route and status.");
  for (const auto& [key, count] : requests_)
    out += fmt::format("cellmill_http_requests_total{{route=\"{}\",status=\"{}\"}} {}\n", key.first,
                       key.second, count);
  head(out, "cellmill_http_request_seconds", "histogram",
       "From the head of a request to its answer.");
  for (const auto& [route, histogram] : seconds_)
    write(out, "cellmill_http_request_seconds", fmt::format("route=\"{}\"", route), histogram,
          kSeconds);
  head(out, "cellmill_http_sent_bytes_total", "counter", "Bytes of answers' bodies.");
  out += fmt::format("cellmill_http_sent_bytes_total {}\n", sent_);
  head(out, "cellmill_jobs_total", "counter", "Jobs, by what happened to them.");
  for (const auto& [event, count] : jobs_)
    out += fmt::format("cellmill_jobs_total{{event=\"{}\"}} {}\n", event, count);
  head(out, "cellmill_batch_samples", "histogram", "Samples of a pass through the model.");
  for (const auto& [model, histogram] : batch_rows_)
    write(out, "cellmill_batch_samples", fmt::format("model=\"{}\"", model), histogram, kRows);
  head(out, "cellmill_batch_seconds", "histogram", "Time of a pass through the model.");
  for (const auto& [model, histogram] : batch_seconds_)
    write(out, "cellmill_batch_seconds", fmt::format("model=\"{}\"", model), histogram, kSeconds);
  for (const auto& [name, values] : gauges_) {
    head(out, name.c_str(), "gauge", "At this moment.");
    for (const auto& [label, value] : values)
      out += label.empty() ? fmt::format("{} {}\n", name, value)
                           : fmt::format("{}{{{}}} {}\n", name, label, value);
  }
  return out;
}

}  // namespace cellmill::serve
