#include "tests/demo/app/connection_pool.h"

#include <utility>

namespace tocsin::demo {

Result<ConnectionPool::Lease> ConnectionPool::CheckOut() {
  std::unique_ptr<Database> database;
  {
    std::unique_lock lock(mutex_);
    const int limit = options_.size + options_.max_overflow;
    const auto free = [&] { return !idle_.empty() || checked_out_ < limit; };
    if (!freed_.wait_for(lock, options_.checkout_timeout, free)) {
      return Error{ErrorCode::kResourceExhausted,
                   "pool limit of " + std::to_string(options_.size) + " overflow " +
                       std::to_string(options_.max_overflow) + " reached, connection timed out"};
    }
    ++checked_out_;
    if (!idle_.empty()) {
      database = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!database) {
    auto opened = Database::Connect(options_.dsn);
    if (!opened.ok()) {
      Forget();
      return opened.error();
    }
    database = std::move(opened).value();
  }
  return Lease(this, std::move(database));
}

void ConnectionPool::CheckIn(std::unique_ptr<Database> database) {
  {
    const std::lock_guard lock(mutex_);
    --checked_out_;
    const bool keep = database->usable() && static_cast<int>(idle_.size()) < options_.size;
    if (keep) idle_.push_back(std::move(database));
  }
  freed_.notify_one();
}

void ConnectionPool::Forget() {
  {
    const std::lock_guard lock(mutex_);
    --checked_out_;
  }
  freed_.notify_one();
}

ConnectionPool::Status ConnectionPool::status() const {
  const std::lock_guard lock(mutex_);
  const int idle = static_cast<int>(idle_.size());
  return {.size = options_.size,
          .max_overflow = options_.max_overflow,
          .checked_in = idle,
          .checked_out = checked_out_,
          .overflow = idle + checked_out_ - options_.size};
}

}  // namespace tocsin::demo
