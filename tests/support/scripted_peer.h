#pragma once

// A peer on a loopback port that misbehaves as told: accepts and never answers,
// drips bytes, answers nonsense, closes. For tests of who must survive it.

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

namespace tocsin::testing {

struct PeerScript {
  std::string answer;                          // Sent after the first bytes from the client.
  bool answer_at_once = false;                 // Without waiting for the client.
  std::chrono::milliseconds between_bytes{0};  // Above zero: one byte at a time.
  bool repeat = false;                         // Sends `answer` over and over.
  bool close_after = false;                    // Otherwise the connection stays open.
};

class ScriptedPeer {
 public:
  explicit ScriptedPeer(PeerScript script);
  ~ScriptedPeer();

  int port() const { return port_; }
  int connections() const { return connections_; }

 private:
  void Serve(std::stop_token stop);
  void Answer(int client, const std::stop_token& stop);

  PeerScript script_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::jthread thread_;
};

}  // namespace tocsin::testing
