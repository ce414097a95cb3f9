#include "comm/datagrams.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <sstream>

#include "base/error.h"
#include "base/format.h"

namespace cellmill::comm {
namespace {

struct Header {
  std::uint64_t token;
  std::int32_t rank;
};

bool same(const sockaddr_in& a, const sockaddr_in& b) {
  return a.sin_addr.s_addr == b.sin_addr.s_addr && a.sin_port == b.sin_port;
}

sockaddr* plain(sockaddr_in& address) { return reinterpret_cast<sockaddr*>(&address); }

[[noreturn]] void refuse(const char* what) {
  throw Error(Exit::kIo, fmt::format("no channel for heartbeats: {}: {}", what, strerror(errno)));
}

}  // namespace

Datagrams::Datagrams()
    : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
      waker_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (socket_ < 0 || waker_ < 0) refuse("socket");
  const int on = 1;  // an answer "nobody listens there" is kept for us
  if (setsockopt(socket_, SOL_IP, IP_RECVERR, &on, sizeof on) != 0) refuse("setsockopt");
  sockaddr_in any{};
  any.sin_family = AF_INET;
  if (bind(socket_, plain(any), sizeof any) != 0) refuse("bind");
}

Datagrams::~Datagrams() {
  ::close(socket_);
  ::close(waker_);
}

std::string Datagrams::addresses() const {
  sockaddr_in own{};
  socklen_t length = sizeof own;
  getsockname(socket_, plain(own), &length);
  std::string loopback, others;
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) != 0) return {};
  for (const ifaddrs* one = all; one; one = one->ifa_next) {
    if (!one->ifa_addr || one->ifa_addr->sa_family != AF_INET || !(one->ifa_flags & IFF_UP))
      continue;
    std::array<char, INET_ADDRSTRLEN> text{};
    inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in*>(one->ifa_addr)->sin_addr, text.data(),
              text.size());
    auto& list = one->ifa_flags & IFF_LOOPBACK ? loopback : others;
    list += fmt::format("{}:{} ", text.data(), ntohs(own.sin_port));
  }
  freeifaddrs(all);
  return loopback + others;
}

void Datagrams::connect(std::uint64_t token, int rank, const std::vector<std::string>& addresses) {
  token_ = token;
  rank_ = rank;
  for (const auto& list : addresses) {
    Peer peer;
    std::istringstream words(list);
    for (std::string word; words >> word;) {
      const auto colon = word.find(':');
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_port = htons(static_cast<std::uint16_t>(std::stoi(word.substr(colon + 1))));
      inet_pton(AF_INET, word.substr(0, colon).c_str(), &address.sin_addr);
      peer.candidates.push_back(address);
    }
    peers_.push_back(peer);
  }
}

void Datagrams::send(int rank, const std::string& message) {
  const Header header{token_, rank_};
  std::string bytes(reinterpret_cast<const char*>(&header), sizeof header);
  bytes += message;
  auto& peer = peers_[static_cast<std::size_t>(rank)];
  const auto to = [&](sockaddr_in address) {
    // A refusal of an earlier message may come out here, once; then the message has not gone.
    for (int attempt = 0; attempt < 2; ++attempt)
      if (sendto(socket_, bytes.data(), bytes.size(), 0, plain(address), sizeof address) >= 0)
        break;
  };
  if (peer.heard) return to(*peer.heard);
  for (const auto& candidate : peer.candidates) to(candidate);
}

std::optional<Datagrams::Arrival> Datagrams::receive() {
  std::array<char, 1 << 16> buffer;
  for (;;) {
    sockaddr_in from{};
    socklen_t length = sizeof from;
    const auto n = recvfrom(socket_, buffer.data(), buffer.size(), 0, plain(from), &length);
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) return refusal();
      if (auto gone = refusal()) return gone;
      continue;
    }
    Header header{};
    if (n < static_cast<ssize_t>(sizeof header)) continue;
    std::memcpy(&header, buffer.data(), sizeof header);
    if (header.token != token_ || header.rank < 0 || header.rank >= static_cast<int>(peers_.size()))
      continue;
    peers_[static_cast<std::size_t>(header.rank)].heard = from;
    return Arrival{
        header.rank, false,
        std::string(buffer.data() + sizeof header, static_cast<std::size_t>(n) - sizeof header)};
  }
}

std::optional<Datagrams::Arrival> Datagrams::refusal() {
  for (;;) {
    sockaddr_in to{};
    std::array<char, 512> control;
    msghdr about{};
    about.msg_name = &to;
    about.msg_namelen = sizeof to;
    about.msg_control = control.data();
    about.msg_controllen = control.size();
    if (recvmsg(socket_, &about, MSG_ERRQUEUE) < 0) return {};
    for (cmsghdr* part = CMSG_FIRSTHDR(&about); part; part = CMSG_NXTHDR(&about, part)) {
      if (part->cmsg_level != SOL_IP || part->cmsg_type != IP_RECVERR) continue;
      sock_extended_err error{};
      std::memcpy(&error, CMSG_DATA(part), sizeof error);
      if (error.ee_errno != ECONNREFUSED) continue;  // unreachable: a network may come back
      for (std::size_t r = 0; r < peers_.size(); ++r)
        if (peers_[r].heard && same(*peers_[r].heard, to))
          return Arrival{static_cast<int>(r), true, {}};
    }
  }
}

void Datagrams::wait(double seconds) {
  std::array<pollfd, 2> both = {{{socket_, POLLIN, 0}, {waker_, POLLIN, 0}}};
  poll(both.data(), both.size(), static_cast<int>(1000 * seconds));
  eventfd_t ignored;
  eventfd_read(waker_, &ignored);
}

void Datagrams::wake() { eventfd_write(waker_, 1); }

}  // namespace cellmill::comm
