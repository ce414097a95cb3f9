#include "base/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>

#include "base/log.h"

namespace cellmill {
namespace {

constexpr double kWindow = 30;      // seconds that the rate is taken over
constexpr double kRedraw = 0.1;     // seconds between two drawings of the bar
constexpr std::size_t kCells = 20;  // of the bar

std::size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::string left_text(const ProgressView& view) {
  if (view.rate <= 0 || view.total <= view.done) return {};
  return ", " + duration_text(static_cast<double>(view.total - view.done) / view.rate) + " left";
}

std::int64_t percent(const ProgressView& view) {
  return static_cast<std::int64_t>(100.0 * static_cast<double>(view.done) /
                                   static_cast<double>(view.total));
}

}  // namespace

std::string duration_text(double seconds) {
  const auto s = static_cast<std::int64_t>(std::llround(seconds));
  if (s < 3600) return fmt::format("{}:{:02}", s / 60, s % 60);
  const std::string clock = fmt::format("{}:{:02}:{:02}", s / 3600 % 24, s / 60 % 60, s % 60);
  return s < 86400 ? clock : fmt::format("{} d {}", s / 86400, clock);
}

std::string rate_text(double rate) {
  return rate < 100 ? fmt::format("{:.3g}", rate) : fmt::format("{:.0f}", rate);
}

std::string progress_line(const ProgressView& view) {
  std::string text = fmt::format("{}: {}", view.title, view.done);
  if (view.total > 0) text += fmt::format(" of {}", view.total);
  text += " " + view.unit;
  if (view.total > 0) text += fmt::format(" ({}%)", percent(view));
  if (view.rate > 0) text += fmt::format(", {} {}/s", rate_text(view.rate), view.unit);
  text += left_text(view);
  return view.extra.empty() ? text : text + ", " + view.extra;
}

std::string progress_bar(const ProgressView& view, std::size_t width) {
  std::string text = view.title;
  if (view.total > 0) {
    const double share = static_cast<double>(view.done) / static_cast<double>(view.total);
    const auto full = std::min(kCells, static_cast<std::size_t>(share * kCells));
    text += fmt::format(" [{}{}] {}% {}/{}", std::string(full, '#'),
                        std::string(kCells - full, ' '), percent(view), view.done, view.total);
  } else {
    text += fmt::format(" {}", view.done);
  }
  text += " " + view.unit;
  if (view.rate > 0) text += fmt::format(", {}/s", rate_text(view.rate));
  text += left_text(view);
  if (!view.extra.empty()) text += ", " + view.extra;
  return text.substr(0, width);
}

Progress::Progress(ProgressOptions options)
    : options_(std::move(options)),
      bar_(options_.display == ProgressOptions::Display::kBar ||
           (options_.display == ProgressOptions::Display::kAuto && isatty(STDERR_FILENO))),
      shown_(log::speaks()),
      done_(options_.start),
      recent_{{0.0, options_.start}} {}

Progress::Progress(std::string title, std::int64_t total, std::string unit)
    : Progress(ProgressOptions{std::move(title), total, std::move(unit)}) {}

Progress::~Progress() {
  if (bar_ && shown_) log::status("");
}

double Progress::rate(double now) const {
  const auto& [then, done] = recent_.front();
  return now > then ? static_cast<double>(done_ - done) / (now - then) : 0;
}

void Progress::update(std::int64_t done, const std::string& extra) {
  done_ = done;
  if (!shown_) return;
  const double now = watch_.seconds();
  if (now - last_shown_ < (bar_ ? kRedraw : options_.interval)) return;
  last_shown_ = now;
  const ProgressView view{options_.title, options_.unit, extra, done, options_.total, rate(now)};
  if (bar_)
    log::status(progress_bar(view, terminal_width() - 1));
  else
    log::info("{}", progress_line(view));
  recent_.emplace_back(now, done);
  while (recent_.size() > 1 && now - recent_.front().first > kWindow) recent_.pop_front();
}

void Progress::finish() {
  if (!shown_) return;
  if (bar_) log::status("");
  const double seconds = watch_.seconds();
  const std::int64_t done = done_ - options_.start;
  log::info("{}: {} {} in {} ({} {}/s)", options_.title, done, options_.unit,
            duration_text(seconds), rate_text(static_cast<double>(done) / std::max(seconds, 1e-9)),
            options_.unit);
}

}  // namespace cellmill
