#pragma once

// The application's connection pool, as web frameworks have one: up to `size`
// connections are kept, up to `max_overflow` more are opened under load and closed
// again, and whoever finds all in use waits, then fails. Thread-safe.

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "tests/demo/app/database.h"

namespace tocsin::demo {

class ConnectionPool {
 public:
  struct Options {
    std::string dsn;
    int size = 20;
    int max_overflow = 40;
    std::chrono::milliseconds checkout_timeout{30'000};
  };

  // The numbers as SQLAlchemy's QueuePool counts them: `overflow` is negative
  // until `size` connections have been opened.
  struct Status {
    int size = 0;
    int max_overflow = 0;
    int checked_in = 0;
    int checked_out = 0;
    int overflow = 0;
  };

  // A connection checked out; its destructor checks it in.
  class Lease {
   public:
    Lease(ConnectionPool* pool, std::unique_ptr<Database> database)
        : pool_(pool), database_(std::move(database)) {}
    ~Lease() {
      if (database_) pool_->CheckIn(std::move(database_));
    }
    Lease(Lease&&) noexcept = default;
    Lease& operator=(Lease&&) = delete;
    Database* operator->() { return database_.get(); }

   private:
    ConnectionPool* pool_;
    std::unique_ptr<Database> database_;
  };

  explicit ConnectionPool(Options options) : options_(std::move(options)) {}

  // Errors: kResourceExhausted after the checkout timeout, kUnavailable when the
  // database does not let us in.
  Result<Lease> CheckOut();

  Status status() const;

 private:
  void CheckIn(std::unique_ptr<Database> database);
  void Forget();  // A connection that was counted as checked out is gone.

  const Options options_;
  mutable std::mutex mutex_;
  std::condition_variable freed_;
  std::vector<std::unique_ptr<Database>> idle_;
  int checked_out_ = 0;
};

}  // namespace tocsin::demo
