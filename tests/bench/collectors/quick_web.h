#pragma once

// A web server for thousands of short connections a second, on one thread of its own:
// answers every request with the same page and closes, but for paths below /hung, which
// it reads and never answers.

#include <atomic>
#include <thread>
#include <unordered_map>

#include "daemon/base/result.h"

namespace tocsin::bench {

class QuickWeb {
 public:
  // Runs on the processor `cpu` alone; -1: on any.
  explicit QuickWeb(int cpu);
  ~QuickWeb();
  QuickWeb(const QuickWeb&) = delete;
  QuickWeb& operator=(const QuickWeb&) = delete;

  int port() const { return port_; }

 private:
  void Run(int cpu);
  void Accept();
  void Answer(int peer);

  int listener_ = -1;
  int epoll_ = -1;
  int port_ = 0;
  std::unordered_map<int, std::string> requests_;  // By connection; of the thread alone.
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace tocsin::bench
