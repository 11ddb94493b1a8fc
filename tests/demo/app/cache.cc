#include "tests/demo/app/cache.h"

#include <hiredis/hiredis.h>

#include <utility>

namespace tocsin::demo {
namespace {

constexpr timeval kTimeout{.tv_sec = 1, .tv_usec = 0};

}  // namespace

void Cache::Close::operator()(redisContext* context) const { redisFree(context); }

Cache::Connection Cache::Borrow() {
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      Connection connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
  }
  Connection connection(redisConnectWithTimeout("127.0.0.1", port_, kTimeout));
  if (!connection || connection->err != 0) return nullptr;
  redisSetTimeout(connection.get(), kTimeout);
  return connection;
}

std::optional<std::string> Cache::Command(const std::vector<std::string>& words) {
  Connection connection = Borrow();
  if (!connection) return std::nullopt;
  std::vector<const char*> arguments;
  std::vector<std::size_t> lengths;
  for (const auto& word : words) {
    arguments.push_back(word.data());
    lengths.push_back(word.size());
  }
  auto* reply = static_cast<redisReply*>(redisCommandArgv(
      connection.get(), static_cast<int>(words.size()), arguments.data(), lengths.data()));
  if (reply == nullptr) return std::nullopt;
  std::optional<std::string> answer;
  if (reply->type == REDIS_REPLY_STRING) answer.emplace(reply->str, reply->len);
  freeReplyObject(reply);
  const std::lock_guard lock(mutex_);
  idle_.push_back(std::move(connection));
  return answer;
}

std::optional<std::string> Cache::Get(const std::string& key) { return Command({"GET", key}); }

void Cache::Set(const std::string& key, const std::string& value,
                std::chrono::seconds time_to_live) {
  Command({"SET", key, value, "EX", std::to_string(time_to_live.count())});
}

void Cache::Delete(const std::string& key) { Command({"DEL", key}); }

}  // namespace tocsin::demo
