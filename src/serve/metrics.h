#pragma once
// Counters of the service, in Prometheus' text format. Any thread.
#include <array>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace cellmill::serve {

class Metrics {
 public:
  /// `route` is one of a fixed set, never a client's text.
  void request(const std::string& route, int status, double seconds, std::uint64_t sent);
  void batch(const std::string& model, std::size_t rows, double seconds);
  void job(const std::string& event);  ///< accepted, ready, failed, refused
  void gauge(const std::string& name, const std::string& label, double value);
  std::string text() const;

 private:
  struct Histogram {
    std::array<std::uint64_t, 14> below = {};  // as many as there are bounds, and one for all
    double sum = 0;
    std::uint64_t count = 0;
    void add(double value, const std::array<double, 14>& bounds);
  };
  void write(std::string& out, const std::string& name, const std::string& label,
             const Histogram& histogram, const std::array<double, 14>& bounds) const;

  mutable std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::uint64_t> requests_;
  std::map<std::string, Histogram> seconds_, batch_rows_, batch_seconds_;
  std::map<std::string, std::uint64_t> jobs_;
  std::map<std::string, std::map<std::string, double>> gauges_;
  std::uint64_t sent_ = 0;
};

}  // namespace cellmill::serve
