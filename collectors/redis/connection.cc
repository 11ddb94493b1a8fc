#include "collectors/redis/connection.h"

#include <array>

#include <fmt/format.h>

namespace tocsin::collectors::redis {

ErrorCode ErrorCodeOf(const Reply& reply) {
  constexpr std::string_view kDenials[] = {"NOAUTH", "NOPERM", "WRONGPASS", "DENIED"};
  for (std::string_view denial : kDenials) {
    if (reply.ErrorWord() == denial) return ErrorCode::kPermissionDenied;
  }
  return ErrorCode::kUnavailable;
}

Result<std::unique_ptr<Connection>> Connection::Open(const RedisAddress& address,
                                                     const Deadline& deadline) {
  TOCSIN_ASSIGN_OR_RETURN(auto stream, OpenStream(address, deadline));
  std::unique_ptr<Connection> connection(new Connection(std::move(stream)));
  TOCSIN_RETURN_IF_ERROR(connection->LogIn(address, deadline));
  return connection;
}

Result<> Connection::LogIn(const RedisAddress& address, const Deadline& deadline) {
  std::vector<Command> commands;
  const bool authenticate = !address.password.empty() || !address.user.empty();
  if (authenticate) {
    Command command{"AUTH"};
    if (!address.user.empty()) command.push_back(address.user);
    command.push_back(address.password.Reveal());
    commands.push_back(std::move(command));
  }
  if (address.database != 0) commands.push_back({"SELECT", std::to_string(address.database)});
  // A courtesy to whoever reads CLIENT LIST; a Redis that refuses it is fine.
  commands.push_back({"CLIENT", "SETNAME", "tocsin"});

  TOCSIN_ASSIGN_OR_RETURN(std::vector<Reply> replies, Run(commands, deadline));
  std::size_t next = 0;
  if (authenticate) {
    const Reply& reply = replies[next++];
    // Only the first word: Redis quotes the arguments of commands it does not know.
    if (reply.IsError()) {
      return Error{ErrorCode::kPermissionDenied,
                   fmt::format("login refused: {}", reply.ErrorWord())};
    }
  }
  if (address.database != 0 && replies[next].IsError()) {
    return Error{ErrorCodeOf(replies[next]), "cannot select the database: " + replies[next].text};
  }
  return {};
}

Result<std::vector<Reply>> Connection::Run(const std::vector<Command>& commands,
                                           const Deadline& deadline) {
  std::string request;
  for (const Command& command : commands) request += FormatCommand(command);
  TOCSIN_RETURN_IF_ERROR(stream_->Write(request, deadline));
  std::vector<Reply> replies;
  replies.reserve(commands.size());
  while (replies.size() < commands.size()) {
    TOCSIN_ASSIGN_OR_RETURN(Reply reply, ReadReply(deadline));
    replies.push_back(std::move(reply));
  }
  return replies;
}

Result<Reply> Connection::ReadReply(const Deadline& deadline) {
  std::array<char, 16 << 10> chunk;
  while (true) {
    TOCSIN_ASSIGN_OR_RETURN(std::optional<Reply> reply, reader_.Next());
    if (reply.has_value()) return std::move(*reply);
    // A peer that drips is always ready to be read; it must not pass the deadline.
    TOCSIN_RETURN_IF_ERROR(deadline.Check("reading the answer"));
    TOCSIN_ASSIGN_OR_RETURN(std::size_t count, stream_->Read(chunk.data(), chunk.size(), deadline));
    if (count == 0) {
      return Error{ErrorCode::kUnavailable, "the peer closed the connection"};
    }
    TOCSIN_RETURN_IF_ERROR(reader_.Feed({chunk.data(), count}));
  }
}

}  // namespace tocsin::collectors::redis
