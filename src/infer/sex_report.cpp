#include "infer/sex_report.h"

#include <cctype>
#include <cmath>

#include "base/format.h"
#include "io/csv.h"

namespace cellmill::infer {
namespace {

constexpr const char* kNames[] = {"XIST", "RPS4Y1", "DDX3Y"};
constexpr double kExpressed = 1;  // per million

/// "F", "female" and "Female" are one.
bool same_sex(const std::string& a, const std::string& b) {
  return !a.empty() && !b.empty() &&
         std::tolower(static_cast<unsigned char>(a.front())) ==
             std::tolower(static_cast<unsigned char>(b.front()));
}

std::string told_by(const double* marker) {
  std::string absent;
  for (int m = 0; m < 3; ++m)
    if (std::isnan(marker[m])) absent += (absent.empty() ? "" : ", ") + std::string(kNames[m]);
  if (!absent.empty()) return "marker absent: " + absent;
  const double x = marker[0], y = marker[1] + marker[2];
  if (x < kExpressed && y < kExpressed) return "neither is expressed";
  return x > y ? "female" : "male";
}

}  // namespace

std::vector<std::string> sex_markers() {
  return {"XIST|ENSG00000229807", "RPS4Y1|ENSG00000129824", "DDX3Y|ENSG00000067048"};
}

SexReport sex_report(const PredictedField& sex, const std::vector<std::string>& samples,
                     const std::vector<std::string>& labels, const std::vector<double>& markers) {
  SexReport report;
  for (std::size_t i = 0; i < samples.size(); ++i)
    report.rows.push_back({samples[i],
                           sex.text(i),
                           labels[i],
                           sex.probability[i],
                           {markers.begin() + 3 * i, markers.begin() + 3 * (i + 1)},
                           told_by(&markers[3 * i])});
  for (std::size_t m = 0; m < 3 && !samples.empty(); ++m)
    if (std::isnan(markers[m])) report.absent.push_back(kNames[m]);
  return report;
}

std::string text_of(const SexReport& report) {
  std::int64_t labelled = 0, right = 0, told = 0, agree = 0;
  for (const auto& row : report.rows) {
    labelled += !row.label.empty();
    right += same_sex(row.label, row.predicted);
    const bool says = row.markers_say == "female" || row.markers_say == "male";
    told += says;
    agree += says && same_sex(row.markers_say, row.predicted);
  }
  std::string text = fmt::format("sex: {} samples; ", report.rows.size());
  text += labelled ? fmt::format("{} of {} labels agree with the prediction; ", right, labelled)
                   : std::string("no labels; ");
  if (!report.absent.empty())
    return text + fmt::format("marker absent: {}: nothing is said by the markers",
                              fmt::join(report.absent, ", "));
  return text +
         fmt::format("XIST, RPS4Y1 and DDX3Y tell the sex of {}, {} as predicted", told, agree);
}

std::string csv_of(const SexReport& report) {
  std::string text = "sample,predicted,probability,label,XIST,RPS4Y1,DDX3Y,markers_say\n";
  for (const auto& row : report.rows) {
    text += fmt::format("{},{},{:.4f},{}", io::csv_text(row.sample), io::csv_text(row.predicted),
                        row.probability, io::csv_text(row.label));
    for (const double value : row.markers)
      text += std::isnan(value) ? ",absent" : fmt::format(",{:.2f}", value);
    text += "," + io::csv_text(row.markers_say) + "\n";
  }
  return text;
}

}  // namespace cellmill::infer
