#pragma once

// The rows of a query's answer. Views are valid as long as any copy lives.
// Cheap to copy; not thread-safe.

#include <memory>
#include <optional>
#include <string_view>

struct pg_result;  // libpq's.

namespace tocsin::collectors::postgres {

class Rows {
 public:
  explicit Rows(std::shared_ptr<const pg_result> answer) : answer_(std::move(answer)) {}

  int size() const;
  int columns() const;
  std::string_view ColumnName(int column) const;  // Requires: column < columns().
  // NULL, and what the server did not send, reads as empty.
  std::string_view Text(int row, int column) const;
  bool IsNull(int row, int column) const;
  // Nothing if it is NULL or not a number.
  std::optional<double> Number(int row, int column) const;

 private:
  bool Has(int row, int column) const;

  std::shared_ptr<const pg_result> answer_;
};

}  // namespace tocsin::collectors::postgres
