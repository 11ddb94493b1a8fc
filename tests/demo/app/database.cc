#include "tests/demo/app/database.h"

#include <pqxx/pqxx>

namespace tocsin::demo {

struct Database::Impl {
  explicit Impl(const std::string& dsn) : connection(dsn) {}
  pqxx::connection connection;
  bool usable = true;

  // Runs `work` and turns libpqxx's exceptions into an Error.
  template <class T, class Work>
  Result<T> Guard(Work work) {
    try {
      return work();
    } catch (const pqxx::broken_connection& error) {
      usable = false;
      return Error{ErrorCode::kUnavailable, error.what()};
    } catch (const std::exception& error) {
      usable = connection.is_open();
      return Error{ErrorCode::kUnavailable, error.what()};
    }
  }
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::~Database() = default;

Result<std::unique_ptr<Database>> Database::Connect(const std::string& dsn) {
  try {
    return std::unique_ptr<Database>(new Database(std::make_unique<Impl>(dsn)));
  } catch (const std::exception& error) {
    return Error{ErrorCode::kUnavailable, error.what()};
  }
}

bool Database::usable() const { return impl_->usable; }

Result<std::optional<std::int64_t>> Database::Authenticate(const std::string& email,
                                                           const std::string& password) {
  using Found = std::optional<std::int64_t>;
  return impl_->Guard<Found>([&]() -> Result<Found> {
    pqxx::nontransaction work(impl_->connection);
    const auto rows = work.exec_params(
        "SELECT id FROM users WHERE email = $1"
        " AND password_hash = encode(sha256(convert_to(salt || $2, 'UTF8')), 'hex')",
        email, password);
    if (rows.empty()) return Found();
    return Found(rows[0][0].as<std::int64_t>());
  });
}

Result<std::vector<Slot>> Database::TakenSlots(int barber, const std::string& day) {
  return impl_->Guard<std::vector<Slot>>([&]() -> Result<std::vector<Slot>> {
    pqxx::nontransaction work(impl_->connection);
    std::vector<Slot> slots;
    for (const auto& row : work.exec_params(
             "SELECT to_char(starts_at, 'YYYY-MM-DD HH24:MI'), minutes FROM appointments"
             " WHERE barber_id = $1 AND starts_at >= $2::date AND starts_at < $2::date + 1"
             " AND state <> 'cancelled' ORDER BY starts_at",
             barber, day)) {
      slots.push_back({row[0].as<std::string>(), row[1].as<int>()});
    }
    return slots;
  });
}

Result<std::optional<std::int64_t>> Database::Book(std::int64_t user, int barber,
                                                   const std::string& starts_at) {
  using Booked = std::optional<std::int64_t>;
  return impl_->Guard<Booked>([&]() -> Result<Booked> {
    pqxx::work work(impl_->connection);
    const auto rows = work.exec_params(
        "INSERT INTO appointments (user_id, barber_id, starts_at, minutes, state)"
        " VALUES ($1, $2, $3::timestamp, 15, 'booked')"
        " ON CONFLICT (barber_id, starts_at) DO NOTHING RETURNING id",
        user, barber, starts_at);
    work.commit();
    if (rows.empty()) return Booked();
    return Booked(rows[0][0].as<std::int64_t>());
  });
}

Result<std::vector<DashboardDay>> Database::Dashboard(int barber) {
  return impl_->Guard<std::vector<DashboardDay>>([&]() -> Result<std::vector<DashboardDay>> {
    pqxx::nontransaction work(impl_->connection);
    std::vector<DashboardDay> days;
    for (const auto& row : work.exec_params(
             "SELECT a.starts_at::date, count(*), coalesce(sum(p.cents), 0) FROM appointments a"
             " LEFT JOIN payments p ON p.appointment_id = a.id"
             " WHERE a.barber_id = $1 AND a.starts_at > now() - interval '14 days'"
             " GROUP BY 1 ORDER BY 1",
             barber)) {
      days.push_back(
          {row[0].as<std::string>(), row[1].as<std::int64_t>(), row[2].as<std::int64_t>()});
    }
    return days;
  });
}

Result<> Database::Pay(std::int64_t appointment, std::int64_t cents) {
  return impl_->Guard<Ok>([&]() -> Result<> {
    pqxx::work work(impl_->connection);
    const auto paid = work.exec_params(
        "UPDATE appointments SET state = 'paid' WHERE id = $1 AND state = 'booked' RETURNING id",
        appointment);
    if (paid.empty()) return Error{ErrorCode::kNotFound, "no such unpaid appointment"};
    work.exec_params("INSERT INTO payments (appointment_id, cents, paid_at) VALUES ($1, $2, now())",
                     appointment, cents);
    work.commit();
    return {};
  });
}

}  // namespace tocsin::demo
