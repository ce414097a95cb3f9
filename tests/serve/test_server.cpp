// A server of the test predictor: test_server PORT FOLDER [name=value...], ends at SIGTERM with 0.
// Says "listening on http://ADDRESS:PORT". Names: genes, delay_ms, tokens, audit, samples, queue,
// rows, hold, connections, address, certificate, key, head_seconds, body_seconds, keep_hours.
#include <map>

#include "base/error.h"
#include "base/log.h"
#include "base/stop.h"
#include "serve/server.h"
#include "test_predictor.h"

int main(int count, char** words) {
  using namespace cellmill;
  std::map<std::string, std::string> given;
  for (int i = 3; i < count; ++i) {
    const std::string word = words[i];
    given[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
  }
  const auto number = [&](const std::string& name, double standard) {
    return given.contains(name) ? std::stod(given[name]) : standard;
  };
  serve::ServeOptions options;
  options.server.port = std::stoi(words[1]);
  options.folder = words[2];
  if (given.contains("address")) options.server.address = given["address"];
  options.server.certificate = given["certificate"];
  options.server.private_key = given["key"];
  options.server.connections = static_cast<std::int64_t>(number("connections", 512));
  options.server.head_seconds = number("head_seconds", 10);
  options.server.body_seconds = number("body_seconds", 60);
  options.service.hold_seconds = number("hold", 20);
  options.service.limits.samples = static_cast<std::int64_t>(number("samples", 64));
  options.batch.queue_rows = static_cast<std::int64_t>(number("queue", 512));
  options.batch.rows = static_cast<std::int64_t>(number("rows", 32));
  options.keep_hours = number("keep_hours", 24);
  options.tokens = given["tokens"];
  options.audit = given["audit"];
  install_stop_signals();
  try {
    const auto genes = static_cast<std::size_t>(number("genes", 60));
    std::vector<std::pair<std::string, std::unique_ptr<serve::Predictor>>> models;
    for (const char* name : {"gem-1-bulk", "gem-1-sc"})
      models.emplace_back(
          name, std::make_unique<serve::TestPredictor>(genes, std::string(name) == "gem-1-bulk",
                                                       number("delay_ms", 0)));
    serve::serve(options, std::move(models), [] { return stop_requested() != 0; });
  } catch (const Error& error) {
    log::last_words(error.text());
    return static_cast<int>(error.code());
  }
  return 0;
}
