#pragma once

// A relay on a loopback port in front of a real server. It passes every byte until
// it is told to be sick; then the connections that are open suffer as well as new
// ones. A connection that has suffered stays as it is: whoever waits for it to heal
// waits for ever. Thread-safe.

#include <atomic>
#include <chrono>
#include <thread>

namespace tocsin::testing {

class FaultyRelay {
 public:
  enum class Fault {
    kNone,
    kSilence,   // Accepts, takes whatever comes, never answers.
    kDrip,      // The server's answer, one byte every kBetweenBytes.
    kNonsense,  // Answers with bytes of no protocol.
    kCut,       // Passes one byte of the server's answer, then closes.
  };
  static constexpr std::chrono::milliseconds kBetweenBytes{100};

  explicit FaultyRelay(int server_port);
  ~FaultyRelay();
  FaultyRelay(const FaultyRelay&) = delete;
  FaultyRelay& operator=(const FaultyRelay&) = delete;

  int port() const { return port_; }
  void Set(Fault fault) { fault_ = fault; }

  // How many connections have suffered so far.
  int victims() const { return victims_; }

 private:
  void Accept(const std::stop_token& stop);
  void Serve(int client, const std::stop_token& stop);
  Fault Pass(int client, int server, const std::stop_token& stop);
  void Suffer(Fault fault, int client, int server, const std::stop_token& stop);

  const int server_port_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<Fault> fault_{Fault::kNone};
  std::atomic<int> victims_{0};
  std::jthread thread_;
};

}  // namespace tocsin::testing
