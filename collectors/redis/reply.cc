#include "collectors/redis/reply.h"

#include <hiredis/hiredis.h>
#include <hiredis/read.h>

#include <fmt/format.h>

namespace tocsin::collectors::redis {
namespace {

// hiredis builds a reply through these. An array's elements are made with it, and
// the parser's object for an element is a pointer into it; only the root is owned.
Reply* Place(const redisReadTask* task) {
  if (task->parent == nullptr) return new Reply;
  auto* parent = static_cast<Reply*>(task->parent->obj);
  return &parent->elements[static_cast<std::size_t>(task->idx)];
}

void* CreateString(const redisReadTask* task, char* text, std::size_t size) {
  Reply* reply = Place(task);
  reply->type = task->type == REDIS_REPLY_ERROR    ? Reply::Type::kError
                : task->type == REDIS_REPLY_STATUS ? Reply::Type::kStatus
                                                   : Reply::Type::kString;
  reply->text.assign(text, size);
  return reply;
}

// A null pointer makes the parser stop with an error.
void* CreateArray(const redisReadTask* task, int size) {
  auto& left = *static_cast<int*>(task->privdata);
  if (size > left) {
    left = -1;
    return nullptr;
  }
  left -= size;
  Reply* reply = Place(task);
  reply->type = Reply::Type::kArray;
  reply->elements.resize(static_cast<std::size_t>(size));
  return reply;
}

void* CreateInteger(const redisReadTask* task, long long value) {
  Reply* reply = Place(task);
  reply->type = Reply::Type::kInteger;
  reply->integer = value;
  return reply;
}

void* CreateNil(const redisReadTask* task) { return Place(task); }

void FreeObject(void* object) { delete static_cast<Reply*>(object); }

// hiredis keeps a pointer to the table and does not write through it.
redisReplyObjectFunctions* Functions() {
  static redisReplyObjectFunctions functions = {CreateString, CreateArray, CreateInteger, CreateNil,
                                                FreeObject};
  return &functions;
}

}  // namespace

std::string_view Reply::ErrorWord() const {
  if (!IsError()) return {};
  return std::string_view(text).substr(0, text.find(' '));
}

const Reply* Reply::FindPair(std::string_view name) const {
  for (std::size_t i = 0; i + 1 < elements.size(); i += 2) {
    if (elements[i].IsText() && elements[i].text == name) return &elements[i + 1];
  }
  return nullptr;
}

void ReplyReader::Deleter::operator()(redisReader* reader) const { redisReaderFree(reader); }

ReplyReader::ReplyReader() : reader_(redisReaderCreateWithFunctions(Functions())) {
  TOCSIN_CHECK(reader_ != nullptr);
  reader_->privdata = &elements_left_;
}

ReplyReader::~ReplyReader() = default;

Result<> ReplyReader::Feed(std::string_view bytes) {
  bytes_ += bytes.size();
  if (bytes_ > kMaxReplyBytes) {
    return Error{ErrorCode::kResourceExhausted,
                 fmt::format("a reply is longer than {} bytes", kMaxReplyBytes)};
  }
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) {
    return Error{ErrorCode::kCorruption, reader_->errstr};
  }
  return {};
}

Result<std::optional<Reply>> ReplyReader::Next() {
  void* object = nullptr;
  if (redisReaderGetReply(reader_.get(), &object) != REDIS_OK) {
    if (elements_left_ < 0) {
      return Error{ErrorCode::kResourceExhausted,
                   fmt::format("a reply has more than {} elements", kMaxReplyElements)};
    }
    return Error{ErrorCode::kCorruption, fmt::format("not Redis' protocol: {}", reader_->errstr)};
  }
  if (object == nullptr) return std::optional<Reply>();
  std::unique_ptr<Reply> reply(static_cast<Reply*>(object));
  elements_left_ = kMaxReplyElements;
  // What lies in the parser's buffer beyond this reply belongs to the next.
  bytes_ = reader_->len - reader_->pos;
  return std::optional<Reply>(std::move(*reply));
}

std::string FormatCommand(const std::vector<std::string>& words) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const std::string& word : words) {
    texts.push_back(word.data());
    sizes.push_back(word.size());
  }
  char* bytes = nullptr;
  int size =
      redisFormatCommandArgv(&bytes, static_cast<int>(words.size()), texts.data(), sizes.data());
  TOCSIN_CHECK(size > 0);
  std::string request(bytes, static_cast<std::size_t>(size));
  redisFreeCommand(bytes);
  return request;
}

}  // namespace tocsin::collectors::redis
