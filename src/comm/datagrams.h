#pragma once
// Small messages between ranks over UDP, beside MPI: they may be lost, but arrive whole, and cost
// their receiver nothing until he looks. Every message carries the world's token; strangers' are
// dropped. A peer has several addresses (a host has several networks): messages go to all of them
// until it has been heard, then to the one that it was heard from. One thread at a time.
#include <netinet/in.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace cellmill::comm {

class Datagrams {
 public:
  /// Binds a port of its own. Throws Error (74) with the system's words.
  Datagrams();
  ~Datagrams();
  Datagrams(const Datagrams&) = delete;
  /// "127.0.0.1:4711 10.0.0.3:4711": where peers reach this one; loopback first.
  std::string addresses() const;
  /// The addresses of each rank, in order of rank; `token` is the same on all.
  void connect(std::uint64_t token, int rank, const std::vector<std::string>& addresses);

  void send(int rank, const std::string& message);
  struct Arrival {
    int rank = -1;
    bool gone = false;  ///< instead of a message: nobody listens any more where it was heard from
    std::string message;
  };
  std::optional<Arrival> receive();
  /// Until something can be received, `wake` was called, or the time is over.
  void wait(double seconds);
  /// Any thread.
  void wake();

 private:
  struct Peer {
    std::vector<sockaddr_in> candidates;
    std::optional<sockaddr_in> heard;
  };
  std::optional<Arrival> refusal();
  int socket_ = -1, waker_ = -1;
  std::uint64_t token_ = 0;
  int rank_ = 0;
  std::vector<Peer> peers_;
};

}  // namespace cellmill::comm
