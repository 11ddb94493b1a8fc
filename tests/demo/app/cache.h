#pragma once

// The application's cache in Redis. A cache that does not answer is a miss, never
// an error. Thread-safe: each caller borrows a connection.

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

struct redisContext;

namespace tocsin::demo {

class Cache {
 public:
  explicit Cache(int port) : port_(port) {}

  std::optional<std::string> Get(const std::string& key);
  void Set(const std::string& key, const std::string& value, std::chrono::seconds time_to_live);
  void Delete(const std::string& key);

 private:
  struct Close {
    void operator()(redisContext* context) const;
  };
  using Connection = std::unique_ptr<redisContext, Close>;

  // One command; its answer if that is a string. A connection that failed is closed.
  std::optional<std::string> Command(const std::vector<std::string>& words);
  Connection Borrow();

  const int port_;
  std::mutex mutex_;
  std::vector<Connection> idle_;
};

}  // namespace tocsin::demo
