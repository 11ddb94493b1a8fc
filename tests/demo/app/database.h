#pragma once

// One connection of the booking application to its database, and the statements
// the application knows. Not thread-safe: whoever holds the connection uses it.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/result.h"

namespace tocsin::demo {

struct Slot {
  std::string starts_at;  // "2026-11-23 09:15".
  int minutes = 0;
};

struct DashboardDay {
  std::string day;
  std::int64_t appointments = 0;
  std::int64_t revenue_cents = 0;
};

class Database {
 public:
  // `dsn` as libpq takes it. Errors: kUnavailable.
  static Result<std::unique_ptr<Database>> Connect(const std::string& dsn);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // The user's id, or nothing if the address or the password is wrong.
  Result<std::optional<std::int64_t>> Authenticate(const std::string& email,
                                                   const std::string& password);
  // What is already taken of a barber's day.
  Result<std::vector<Slot>> TakenSlots(int barber, const std::string& day);
  // The appointment's id, or nothing if the slot is taken.
  Result<std::optional<std::int64_t>> Book(std::int64_t user, int barber,
                                           const std::string& starts_at);
  Result<std::vector<DashboardDay>> Dashboard(int barber);
  // Errors: kNotFound for an appointment that does not exist or is paid.
  Result<> Pay(std::int64_t appointment, std::int64_t cents);

  // False once the connection is lost; it is then of no further use.
  bool usable() const;

 private:
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tocsin::demo
