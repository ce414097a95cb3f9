// Load on a server of the prediction protocol, on loopback: load PORT BODIES CLIENTS SECONDS
// [poll_ms] [token] A closed loop: each client posts a query, asks for its state every poll_ms
// until it is ready, and downloads the answer, with a new connection a call as the real client
// does. One thread a client; bodies are read beforehand. It shares the machine with the server, so
// it does little: of sixteen answers a client reads one and counts its numbers, and has the kernel
// drop the bytes of the others, whose length it compares with what was announced. One JSON line:
// requests and samples a second, quantiles of the whole round in ms, polls, failures.
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
#include <string_view>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

/// One call a connection.
class Call {
 public:
  explicit Call(int port) : port_(port) {}

  /// The answer's status, 0 if the connection broke or the body has not the announced length.
  int operator()(const std::string& head, const std::string* body, bool read = true) {
    const int line = socket(AF_INET, SOCK_STREAM, 0);
    const int code = line < 0 ? 0 : exchange(line, head, body, read);
    if (line >= 0) close(line);
    return code;
  }
  /// Of the last answer; only its beginning if it was not to be read.
  std::string_view body() const { return {buffer_.data() + head_, have_ - head_}; }
  std::size_t bytes() const { return bytes_; }

 private:
  int exchange(int line, const std::string& head, const std::string* body, bool read) {
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
    return get(line, read);
  }

  static bool put(int line, const std::string& text) {
    for (std::size_t at = 0; at < text.size();) {
      const ssize_t sent = send(line, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (sent <= 0) return false;
      at += static_cast<std::size_t>(sent);
    }
    return true;
  }

  int get(int line, bool read) {
    have_ = head_ = 0;
    while (head_ == 0) {
      if (!more(line, 0)) return 0;
      const std::size_t end = std::string_view(buffer_.data(), have_).find("\r\n\r\n");
      if (end != std::string_view::npos) head_ = end + 4;
    }
    std::string head(buffer_.data(), head_);
    std::transform(head.begin(), head.end(), head.begin(), ::tolower);
    const std::size_t at = head.find("content-length:");
    if (at == std::string::npos) return 0;
    const std::size_t announced = std::strtoull(head.c_str() + at + 15, nullptr, 10);
    std::size_t dropped = 0;
    while (have_ - head_ + dropped < announced) {
      const ssize_t got =
          read ? more(line, announced)
               : recv(line, nullptr, announced - (have_ - head_) - dropped, MSG_TRUNC);
      if (got <= 0) return 0;
      if (!read) dropped += static_cast<std::size_t>(got);
    }
    bytes_ = have_ - head_ + dropped;
    return bytes_ == announced ? std::atoi(head.c_str() + 9) : 0;
  }

  /// Into the buffer, which grows to hold a body of `announced` bytes.
  ssize_t more(int line, std::size_t announced) {
    constexpr std::size_t kPiece = 16384;
    const std::size_t wanted = std::max(head_ + announced, have_ + kPiece);
    if (buffer_.size() < wanted) buffer_.resize(wanted);
    const ssize_t got = recv(line, buffer_.data() + have_, buffer_.size() - have_, 0);
    have_ += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    return got;
  }

  const int port_;
  std::vector<char> buffer_;
  std::size_t have_ = 0, head_ = 0, bytes_ = 0;
};

struct Client {
  std::vector<double> seconds;
  long polls = 0, bad = 0, refused = 0, read = 0;
  double bytes = 0;
};

struct Settings {
  int port, poll_ms;
  double seconds;
  std::string token;
  std::vector<std::string> bodies;
  long numbers = 0;  ///< of all lists of counts of a body, and so of its answer
};

std::string text_of(std::string_view json, const std::string& name) {
  std::size_t at = json.find('"' + name + '"');
  if (at == std::string::npos) return {};
  at = json.find('"', json.find(':', at)) + 1;
  return std::string(json.substr(at, json.find('"', at) - at));
}

/// Of all lists of counts.
long numbers_of(std::string_view json) {
  long numbers = 0;
  constexpr std::string_view kName = "\"counts\":";
  for (std::size_t at = json.find(kName); at != std::string_view::npos; at = json.find(kName, at)) {
    const std::size_t begin = json.find('[', at), end = json.find(']', at);
    if (end == std::string_view::npos) return -1;
    numbers += 1 + std::count(json.begin() + static_cast<std::ptrdiff_t>(begin),
                              json.begin() + static_cast<std::ptrdiff_t>(end), ',');
    at = end;
  }
  return numbers;
}

void run(Client& client, const Settings& settings, std::size_t number, Clock::time_point begin) {
  const std::string host =
      " HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(settings.port) + "\r\nAccept: */*\r\n";
  const std::string mine = host + "Authorization: Bearer " + settings.token + "\r\n";
  const auto rest = [&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(settings.poll_ms));
  };
  Call call(settings.port);
  while (since(begin) < settings.seconds) {
    const auto start = Clock::now();
    const std::string& body = settings.bodies[number++ % settings.bodies.size()];
    const int code = call("POST /api/models/gem-1-bulk_predict-metadata/predict" + mine, &body);
    if (code == 429 || code == 503) ++client.refused;
    if (code != 200) {
      client.bad += code != 429 && code != 503;
      rest();
      continue;
    }
    const std::string asked =
        "GET /api/model-queries/" + text_of(call.body(), "modelQueryId") + "/status";
    std::string state = "running", link;
    while (state == "running" && since(begin) < settings.seconds + 60) {
      ++client.polls;
      state = call(asked + mine, nullptr) == 200 ? text_of(call.body(), "status") : "lost";
      if (state == "running") rest();
    }
    if (state == "ready") link = text_of(call.body(), "downloadUrl");
    const std::size_t path = link.find('/', link.find("//") + 2);
    const bool read = client.seconds.size() % 16 == 0;
    if (state != "ready" || call("GET " + link.substr(path) + host, nullptr, read) != 200 ||
        call.bytes() < 1000 || (read && numbers_of(call.body()) != settings.numbers)) {
      ++client.bad;
      continue;
    }
    client.seconds.push_back(since(start));
    client.bytes += static_cast<double>(call.bytes());
    client.read += read;
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
                    {},
                    0};
  for (const auto& entry : std::filesystem::directory_iterator(words[2])) {
    std::stringstream text;
    text << std::ifstream(entry.path()).rdbuf();
    settings.bodies.push_back(text.str());
  }
  settings.numbers = numbers_of(settings.bodies[0]);
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
    all.read += each.read;
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
      "\"polls_a_request\": %.2f, \"answer_kB\": %.0f, \"read\": %ld, \"failed\": %ld, "
      "\"refused\": %ld, \"generator_cores\": %.2f}\n",
      clients.size(), samples, seconds, n, n / seconds, samples * n / seconds, quantile(0.5),
      quantile(0.99), static_cast<double>(all.polls) / n, all.bytes / 1e3 / n, all.read, all.bad,
      all.refused, cpu / seconds);
}
