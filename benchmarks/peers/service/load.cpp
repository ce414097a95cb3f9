// Load on a server of the prediction protocol, on loopback: load PORT BODIES CLIENTS SECONDS
// [poll_ms] [token] A closed loop: each client posts a query, asks for its state every poll_ms
// until it is ready, and downloads the answer, with a new connection a call as the real client
// does. One thread a client; bodies are read beforehand; answers are counted, not parsed. One JSON
// line: requests and samples a second, quantiles of the whole round in ms, polls, failures.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// The answer's status, 0 if the connection broke; its body in `out`.
class Call {
 public:
  explicit Call(int port) : port_(port) {}

  int operator()(const std::string& head, const std::string* body, std::string& out) {
    const int line = socket(AF_INET, SOCK_STREAM, 0);
    const int code = line < 0 ? 0 : exchange(line, head, body, out);
    if (line >= 0) close(line);
    return code;
  }

 private:
  int exchange(int line, const std::string& head, const std::string* body, std::string& out) {
    const int one = 1;
    setsockopt(line, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    const timeval patience{60, 0};
    setsockopt(line, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    sockaddr_in end{};
    end.sin_family = AF_INET;
    end.sin_port = htons(static_cast<std::uint16_t>(port_));
    end.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(line, reinterpret_cast<sockaddr*>(&end), sizeof end) != 0) return 0;
    std::string whole = head + "Connection: close\r\n";
    if (body)
      whole += "Content-Type: application/json\r\nContent-Length: " + std::to_string(body->size()) +
               "\r\n";
    if (!put(line, whole + "\r\n") || (body && !put(line, *body))) return 0;
    return get(line, out);
  }

  static bool put(int line, const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t sent = send(line, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      at += static_cast<std::size_t>(sent);
    }
    return true;
  }

  int get(int line, std::string& out) {
    buffer_.clear();
    constexpr std::size_t kPiece = 1 << 18;
    for (;;) {
      const std::size_t at = buffer_.size();
      buffer_.resize(at + kPiece);
      const ssize_t got = recv(line, buffer_.data() + at, kPiece, 0);
      buffer_.resize(at + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
      if (got < 0) return 0;
      if (got == 0) break;
    }
    const std::size_t end = buffer_.find("\r\n\r\n");
    if (end == std::string::npos) return 0;
    out.assign(buffer_, end + 4);
    return std::atoi(buffer_.c_str() + 9);
  }

  const int port_;
  std::string buffer_;
};

struct Client {
  std::vector<double> seconds;
  long polls = 0, bad = 0, refused = 0;
  double bytes = 0;
};

struct Settings {
  int port, poll_ms;
  double seconds;
  std::string token;
  std::vector<std::string> bodies;
};

std::string text_of(const std::string& json, const std::string& name) {
  std::size_t at = json.find('"' + name + '"');
  if (at == std::string::npos) return {};
  at = json.find('"', json.find(':', at)) + 1;
  return json.substr(at, json.find('"', at) - at);
}

void run(Client& client, const Settings& settings, std::size_t number, Clock::time_point begin) {
  const std::string host =
      " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(settings.port) + "\r\nAccept: */*\r\n";
  const std::string mine = host + "Authorization: Bearer " + settings.token + "\r\n";
  const auto rest = [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(settings.poll_ms));
  };
  Call call(settings.port);
  std::string out;
  while (since(begin) < settings.seconds) {
    const auto start = Clock::now();
    const std::string& body = settings.bodies[number++ % settings.bodies.size()];
    const int code =
        call("POST /api/models/gem-1-bulk_predict-metadata/predict" + mine, &body, out);
    if (code == 429 || code == 503) ++client.refused;
    if (code != 200) {
      client.bad += code != 429 && code != 503;
      rest();
      continue;
    }
    const std::string asked = "GET /api/model-queries/" + text_of(out, "modelQueryId") + "/status";
    std::string state = "running", link;
    while (state == "running" && since(begin) < settings.seconds + 60) {
      ++client.polls;
      state = call(asked + mine, nullptr, out) == 200 ? text_of(out, "status") : "lost";
      if (state == "running") rest();
    }
    if (state == "ready") link = text_of(out, "downloadUrl");
    const std::size_t path = link.find('/', link.find("//") + 2);
    if (state != "ready" || call("GET " + link.substr(path) + host, nullptr, out) != 200 ||
        out.size() < 1000) {
      ++client.bad;
      continue;
    }
    client.seconds.push_back(since(start));
    client.bytes += static_cast<double>(out.size());
  }
}

int samples_of(const std::string& body) {
  int samples = 0;
  for (std::size_t at = 0; (at = body.find("\"counts\"", at)) != std::string::npos; ++at) ++samples;
  return samples;
}

}  // namespace

int main(int count, char** words) {
  if (count < 5) {
    std::fprintf(stderr, "load PORT BODIES CLIENTS SECONDS [poll_ms] [token]\n");
    return 64;
  }
  Settings settings{std::atoi(words[1]),
                    count > 5 ? std::atoi(words[5]) : 100,
                    std::atof(words[4]),
                    count > 6 ? words[6] : "secret",
                    {}};
  for (const auto& entry : std::filesystem::directory_iterator(words[2])) {
    std::stringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    settings.bodies.push_back(text.str());
  }
  std::vector<Client> clients(static_cast<std::size_t>(std::atoi(words[3])));
  const auto begin = Clock::now();
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < clients.size(); ++i)
      threads.emplace_back([&, i] { run(clients[i], settings, 7 * i, begin); });
  }
  const double seconds = since(begin);
  Client all;
  for (const Client& each : clients) {
    all.seconds.insert(all.seconds.end(), each.seconds.begin(), each.seconds.end());
    all.polls += each.polls;
    all.bad += each.bad;
    all.refused += each.refused;
    all.bytes += each.bytes;
  }
  if (all.seconds.empty()) {
    std::fprintf(stderr, "error: no request was answered, %ld failed\n", all.bad);
    return 70;
  }
  std::sort(all.seconds.begin(), all.seconds.end());
  const auto n = static_cast<double>(all.seconds.size());
  const auto quantile = [&](double p) {
    return 1e3 * all.seconds[std::min(all.seconds.size() - 1, static_cast<std::size_t>(p * n))];
  };
  rusage used;
  getrusage(RUSAGE_SELF, &used);
  const double cpu = static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                     1e-6 * static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
  const int samples = samples_of(settings.bodies[0]);
  std::printf(
      "{\"clients\": %zu, \"samples_a_request\": %d, \"seconds\": %.1f, \"requests\": %.0f, "
      "\"requests_s\": %.2f, \"samples_s\": %.2f, \"p50_ms\": %.1f, \"p99_ms\": %.1f, "
      "\"polls_a_request\": %.2f, \"answer_kB\": %.0f, \"failed\": %ld, \"refused\": %ld, "
      "\"generator_cores\": %.2f}\n",
      clients.size(), samples, seconds, n, n / seconds, samples * n / seconds, quantile(0.5),
      quantile(0.99), static_cast<double>(all.polls) / n, all.bytes / 1e3 / n, all.bad, all.refused,
      cpu / seconds);
}
