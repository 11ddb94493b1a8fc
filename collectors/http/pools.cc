#include "collectors/http/pools.h"

#include <algorithm>
#include <initializer_list>
#include <limits>

#include "daemon/base/text.h"

namespace tocsin::collectors::http {
namespace {

// What SQLAlchemy uses if nobody says otherwise.
constexpr double kSqlAlchemyDefaultMaxOverflow = 10;
constexpr double kNanosecondsPerSecond = 1e9;

using Names = std::initializer_list<std::string_view>;

std::optional<double> First(const JsonValue& object, Names names) {
  for (const std::string_view name : names) {
    if (const auto member = object.Member(name)) {
      if (const auto number = member->Number()) return number;
    }
  }
  return std::nullopt;
}

// The number after `words` in a sentence such as "Pool size: 5  Current Overflow: -4".
std::optional<double> NumberAfter(std::string_view sentence, std::string_view words) {
  const std::size_t at = sentence.find(words);
  if (at == std::string_view::npos) return std::nullopt;
  std::string_view rest = TrimSpace(sentence.substr(at + words.size()));
  return ParseDouble(rest.substr(0, rest.find_first_not_of("-0123456789")));
}

struct SqlAlchemyFields {
  std::optional<double> size, checked_out, checked_in, overflow, max_overflow;
};

SqlAlchemyFields ReadSqlAlchemyFields(const JsonValue& value) {
  if (const auto status = value.Text()) {
    return {NumberAfter(*status, "Pool size:"),
            NumberAfter(*status, "Current Checked out connections:"),
            NumberAfter(*status, "Connections in pool:"), NumberAfter(*status, "Current Overflow:"),
            std::nullopt};
  }
  return {First(value, {"size", "pool_size"}),
          First(value, {"checked_out", "checkedout", "checked_out_connections"}),
          First(value, {"checked_in", "checkedin", "checked_in_connections"}),
          First(value, {"overflow", "current_overflow"}), First(value, {"max_overflow"})};
}

std::optional<PoolNumbers> ReadSqlAlchemy(const JsonValue& value,
                                          const PoolExtraction& extraction) {
  SqlAlchemyFields fields = ReadSqlAlchemyFields(value);
  if (!fields.checked_out && fields.size && fields.overflow && fields.checked_in) {
    fields.checked_out = *fields.size + *fields.overflow - *fields.checked_in;
  }
  if (!fields.size || !fields.checked_out) return std::nullopt;
  PoolNumbers numbers;
  numbers.in_use = std::max(0.0, *fields.checked_out);
  if (!fields.max_overflow) fields.max_overflow = extraction.max_overflow;
  numbers.capacity_assumed = !fields.max_overflow;
  const double max_overflow = fields.max_overflow.value_or(kSqlAlchemyDefaultMaxOverflow);
  // -1 is SQLAlchemy's word for an overflow without bound, and size 0 for such a pool.
  numbers.capacity = max_overflow < 0 || *fields.size == 0 ? std::numeric_limits<double>::infinity()
                                                           : *fields.size + max_overflow;
  numbers.size = fields.size;
  numbers.idle = fields.checked_in;
  numbers.overflow = fields.overflow;
  return numbers;
}

std::optional<PoolNumbers> ReadHikariCp(const JsonValue& value) {
  const auto active = First(value, {"active", "activeConnections", "active_connections"});
  if (!active) return std::nullopt;
  PoolNumbers numbers;
  numbers.in_use = *active;
  numbers.size = First(value, {"total", "totalConnections", "total_connections"});
  numbers.idle = First(value, {"idle", "idleConnections", "idle_connections"});
  numbers.waiting = First(value, {"pending", "threadsAwaitingConnection", "waiting"});
  const auto max =
      First(value, {"max", "maximumPoolSize", "maxPoolSize", "maxConnections", "max_connections"});
  numbers.capacity_assumed = !max;
  numbers.capacity = max.value_or(std::max(numbers.size.value_or(0), numbers.in_use));
  return numbers;
}

std::optional<PoolNumbers> ReadGoSql(const JsonValue& value) {
  const auto in_use = First(value, {"InUse", "in_use"});
  if (!in_use) return std::nullopt;
  PoolNumbers numbers;
  numbers.in_use = *in_use;
  numbers.idle = First(value, {"Idle", "idle"});
  numbers.size = First(value, {"OpenConnections", "open_connections", "open"});
  numbers.waits_total = First(value, {"WaitCount", "wait_count"});
  if (const auto wait = First(value, {"WaitDuration", "wait_duration"})) {
    numbers.wait_seconds_total = *wait / kNanosecondsPerSecond;
  }
  const auto max = First(value, {"MaxOpenConnections", "max_open_connections", "max_open"});
  numbers.capacity_assumed = !max;
  // 0 is database/sql's word for no bound.
  numbers.capacity = max && *max > 0 ? *max : std::numeric_limits<double>::infinity();
  return numbers;
}

std::optional<PoolNumbers> ReadGeneric(const JsonValue& value) {
  const auto in_use = First(value, {"in_use", "used", "active", "checked_out", "checkedout",
                                    "acquired", "busy", "inUse"});
  if (!in_use) return std::nullopt;
  PoolNumbers numbers;
  numbers.in_use = *in_use;
  numbers.idle = First(value, {"idle", "available", "free", "checked_in"});
  numbers.size = First(value, {"size", "pool_size", "open", "total"});
  numbers.overflow = First(value, {"overflow"});
  numbers.waiting = First(value, {"waiting", "pending", "queued"});
  auto capacity = First(value, {"capacity", "max", "max_size", "limit", "max_connections"});
  if (const auto more = First(value, {"max_overflow"}); !capacity && more && numbers.size) {
    capacity = *numbers.size + *more;
  }
  numbers.capacity_assumed = !capacity;
  numbers.capacity = capacity.value_or(
      std::max(numbers.size.value_or(0), numbers.in_use + numbers.idle.value_or(0)));
  return numbers;
}

std::optional<PoolNumbers> ReadOne(const JsonValue& value, const PoolExtraction& extraction) {
  std::optional<PoolNumbers> numbers;
  switch (extraction.flavour) {
    case PoolFlavour::kSqlAlchemy: numbers = ReadSqlAlchemy(value, extraction); break;
    case PoolFlavour::kHikariCp: numbers = ReadHikariCp(value); break;
    case PoolFlavour::kGoSql: numbers = ReadGoSql(value); break;
    case PoolFlavour::kGeneric: numbers = ReadGeneric(value); break;
  }
  if (!numbers) return std::nullopt;
  if (extraction.capacity) {
    numbers->capacity = *extraction.capacity;
    numbers->capacity_assumed = false;
  }
  // A pool that says 0 of 0 is not full: nothing may divide by its capacity.
  if (!(numbers->capacity > 0)) numbers->capacity = std::max(1.0, numbers->in_use);
  return numbers;
}

std::string TextOf(const JsonValue& object, Names names) {
  for (const std::string_view name : names) {
    if (const auto member = object.Member(name)) {
      if (auto text = member->Scalar(); text && *text != "null") return *text;
    }
  }
  return {};
}

class LabelledWriter {
 public:
  LabelledWriter(model::MetricBatch& batch, const std::pair<std::string, std::string>& key)
      : batch_(batch) {
    labels_.emplace_back("pool", key.first);
    if (!key.second.empty()) labels_.emplace_back("pid", key.second);
  }
  void Add(std::string_view name, std::string_view help, std::optional<double> value,
           model::MetricType type = model::MetricType::kGauge) {
    if (!value) return;
    batch_.AddSample(batch_.DeclareFamily(name, help, type), name, labels_, *value);
  }

 private:
  model::MetricBatch& batch_;
  std::vector<model::LabelView> labels_;
};

}  // namespace

std::vector<PoolReading> ReadPools(const JsonDocument& document, const PoolExtraction& extraction) {
  std::vector<PoolReading> readings;
  const auto place = document.root().At(extraction.pointer);
  if (!place) return readings;
  const std::string process = TextOf(document.root(), {"pid", "worker_pid"});
  const auto take = [&](const JsonValue& value, const std::string& name) {
    auto numbers = ReadOne(value, extraction);
    if (!numbers) return false;
    PoolReading reading{TextOf(value, {"name", "pool", "pool_name"}),
                        TextOf(value, {"pid", "worker_pid"}), std::move(*numbers)};
    if (reading.pool.empty()) reading.pool = name;
    if (reading.pid.empty()) reading.pid = process;
    readings.push_back(std::move(reading));
    return true;
  };
  if (take(*place, extraction.name)) return readings;
  for (const auto& [name, child] : place->Children()) {
    take(child, name.empty() ? extraction.name : name);
  }
  return readings;
}

void PoolMemory::Remember(std::vector<PoolReading> readings, SteadyTime now) {
  saturated_ = false;
  for (PoolReading& reading : readings) {
    entries_[{std::move(reading.pool), std::move(reading.pid)}] = {reading.numbers, now};
  }
  std::erase_if(entries_, [&](const auto& entry) {
    const bool answers_alone = entry.first.second.empty();
    return entry.second.seen_at + (answers_alone ? Millis(0) : kMemory) < now;
  });
  while (entries_.size() > kMaxPools) {
    entries_.erase(std::min_element(
        entries_.begin(), entries_.end(),
        [](const auto& a, const auto& b) { return a.second.seen_at < b.second.seen_at; }));
    ++forgotten_;
  }
}

void PoolMemory::AssumeSaturated(const std::vector<PoolExtraction>& pools, SteadyTime now) {
  saturated_ = true;
  if (!entries_.empty()) return;
  for (const PoolExtraction& pool : pools) {
    PoolNumbers numbers;
    numbers.capacity = numbers.in_use = pool.capacity.value_or(1);
    numbers.capacity_assumed = !pool.capacity;
    entries_[{pool.name, ""}] = {numbers, now};
  }
}

void PoolMemory::Forget(SteadyTime now) {
  std::erase_if(entries_, [&](const auto& entry) { return entry.second.seen_at + kMemory < now; });
}

void PoolMemory::Write(model::MetricBatch& batch) const {
  using model::MetricType;
  for (const auto& [key, entry] : entries_) {
    const PoolNumbers& numbers = entry.numbers;
    // Of a pool without bound nobody knows when it is full.
    const bool full = saturated_ && numbers.capacity < std::numeric_limits<double>::infinity();
    LabelledWriter writer(batch, key);
    writer.Add("app_pool_in_use", "Connections of the application's pool that are in use.",
               full ? std::max(numbers.capacity, numbers.in_use) : numbers.in_use);
    writer.Add("app_pool_capacity",
               "Connections the application's pool can have at most, overflow included.",
               numbers.capacity);
    writer.Add("app_pool_idle", "Connections of the pool that are open and free.",
               full ? (numbers.idle ? std::optional<double>(0) : std::nullopt) : numbers.idle);
    writer.Add("app_pool_size", "Connections the pool keeps, without overflow.", numbers.size);
    writer.Add("app_pool_overflow",
               "Connections beyond the pool's size; negative while fewer than its size are open.",
               numbers.overflow);
    writer.Add("app_pool_waiting", "Callers that wait for a connection.", numbers.waiting);
    writer.Add("app_pool_waits_total", "Connections that had to be waited for.",
               numbers.waits_total, MetricType::kCounter);
    writer.Add("app_pool_wait_seconds_total", "Time waited for connections.",
               numbers.wait_seconds_total, MetricType::kCounter);
    writer.Add("tocsin_pool_saturation_assumed",
               "1 while the health page does not answer in time and its last known pool is "
               "counted as fully used.",
               full ? 1 : 0);
    writer.Add("tocsin_pool_capacity_assumed",
               "1 if the page does not say the pool's capacity and a usual value is taken.",
               numbers.capacity_assumed ? 1 : 0);
  }
}

}  // namespace tocsin::collectors::http
