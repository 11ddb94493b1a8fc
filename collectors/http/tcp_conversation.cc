#include "collectors/http/tcp_conversation.h"

#include <netinet/in.h>
#include <re2/re2.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>

#include "daemon/base/stream.h"
#include "daemon/base/text.h"

namespace tocsin::collectors::http {
namespace {

// What a step's regular expression captured: the whole match first.
struct Captures {
  const re2::RE2* regex = nullptr;
  std::vector<std::string> groups;

  std::string Of(std::string_view name) const {
    std::optional<std::int64_t> index = ParseInt(name);
    if (!index) {
      const auto& names = regex->NamedCapturingGroups();
      const auto found = names.find(std::string(name));
      if (found != names.end()) index = found->second;
    }
    if (!index || *index < 0 || *index >= static_cast<std::int64_t>(groups.size())) return {};
    return groups[static_cast<std::size_t>(*index)];
  }
};

bool IsNameByte(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

// Puts captures in the place of $1, ${1}, $name and ${name}, as Go's
// regexp.Regexp.Expand does: $$ is a dollar sign, what was not captured is empty.
std::string Expand(std::string_view text, const Captures& captures) {
  std::string out;
  while (!text.empty()) {
    const std::size_t dollar = text.find('$');
    out += text.substr(0, dollar);
    if (dollar == std::string_view::npos) break;
    text.remove_prefix(dollar + 1);
    const bool braced = text.starts_with('{');
    std::string_view name = text.substr(braced ? 1 : 0);
    name =
        name.substr(0, static_cast<std::size_t>(
                           std::find_if_not(name.begin(), name.end(), IsNameByte) - name.begin()));
    const bool closed = !braced || text.substr(1 + name.size()).starts_with('}');
    if (text.starts_with('$')) {
      out += '$';
      text.remove_prefix(1);
    } else if (name.empty() || !closed) {
      out += '$';  // Not a reference: stays as it is.
    } else {
      out += captures.Of(name);
      text.remove_prefix(name.size() + (braced ? 2 : 0));
    }
  }
  return out;
}

// The addresses that the preference leaves.
std::vector<ResolvedAddress> Choose(const std::vector<ResolvedAddress>& all,
                                    const IpPreference& ip) {
  if (ip.family == 0) return all;
  std::vector<ResolvedAddress> chosen;
  for (const ResolvedAddress& address : all) {
    if ((address.storage.ss_family == AF_INET6) == (ip.family == 6)) chosen.push_back(address);
  }
  return chosen.empty() && ip.fallback ? all : chosen;
}

// The one of `addresses` that `socket` is connected to.
const ResolvedAddress& PeerOf(const Socket& socket, const std::vector<ResolvedAddress>& addresses) {
  sockaddr_storage peer{};
  socklen_t size = sizeof peer;
  if (getpeername(socket.fd(), reinterpret_cast<sockaddr*>(&peer), &size) == 0) {
    const auto same = [&](const ResolvedAddress& address) {
      if (address.storage.ss_family != peer.ss_family) return false;
      if (peer.ss_family == AF_INET6) {
        const auto& ours = reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_addr;
        const auto& theirs = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
        return std::equal(std::begin(ours.s6_addr), std::end(ours.s6_addr),
                          std::begin(theirs.s6_addr));
      }
      return reinterpret_cast<const sockaddr_in&>(address.storage).sin_addr.s_addr ==
             reinterpret_cast<const sockaddr_in&>(peer).sin_addr.s_addr;
    };
    const auto found = std::find_if(addresses.begin(), addresses.end(), same);
    if (found != addresses.end()) return *found;
  }
  return addresses.front();
}

class Talk {
 public:
  Talk(const TcpConfig& config, const Deadline& deadline) : config_(config), deadline_(deadline) {}

  // Errors: kCancelled; everything else is in the conversation.
  Result<Conversation> Run() {
    const SteadyTime started = deadline_.clock().SteadyNow();
    const Result<> result = Everything();
    Conversation& end = conversation_;
    end.path.duration_seconds = ToSeconds(deadline_.clock().SteadyNow() - started);
    if (result.ok()) return std::move(end);
    const Error& error = result.error();
    if (error.code == ErrorCode::kCancelled) return error;
    end.explanation = error.message;
    end.verdict.failure =
        error.code == ErrorCode::kDeadlineExceeded ? FailureReason::kTimeout : stage_;
    return std::move(end);
  }

 private:
  Result<> Everything() {
    stage_ = FailureReason::kDns;
    TOCSIN_RETURN_IF_ERROR(Connect());
    if (config_.tls_at_once) TOCSIN_RETURN_IF_ERROR(BeginTls());
    for (const QueryStep& step : config_.steps) TOCSIN_RETURN_IF_ERROR(Take(step));
    return Ok{};
  }

  Result<> Connect() {
    ProbePath& path = conversation_.path;
    if (!config_.unix_path.empty()) {
      path.has_address = false;
      stage_ = FailureReason::kConnect;
      TOCSIN_ASSIGN_OR_RETURN(Socket socket, Socket::ConnectUnix(config_.unix_path, deadline_));
      stream_ = PlainStream(std::move(socket));
      return Ok{};
    }
    const SteadyTime started = deadline_.clock().SteadyNow();
    auto resolved = Resolve(config_.host, config_.port, deadline_);
    path.resolve_seconds = ToSeconds(deadline_.clock().SteadyNow() - started);
    if (!resolved.ok()) return resolved.error();
    const auto addresses = Choose(*resolved, config_.ip);
    if (addresses.empty()) {
      return Error{ErrorCode::kUnavailable, "\"" + config_.host + "\" has no address of IPv" +
                                                std::to_string(config_.ip.family)};
    }
    stage_ = FailureReason::kConnect;
    TakeAddress(addresses.front());
    TOCSIN_ASSIGN_OR_RETURN(Socket socket, Socket::ConnectTcp(addresses, deadline_));
    TakeAddress(PeerOf(socket, addresses));
    stream_ = PlainStream(std::move(socket));
    return Ok{};
  }

  void TakeAddress(const ResolvedAddress& address) {
    conversation_.path.ip_protocol = address.storage.ss_family == AF_INET6 ? 6 : 4;
    conversation_.path.ip_address = address.text;
  }

  Result<> BeginTls() {
    stage_ = FailureReason::kTls;
    // What the peer sent before the handshake may come from anybody.
    buffer_.clear();
    TOCSIN_ASSIGN_OR_RETURN(stream_,
                            StartTls(std::move(stream_), config_.tls, config_.host, deadline_));
    conversation_.tls = stream_->Tls();
    return Ok{};
  }

  Result<> Take(const QueryStep& step) {
    stage_ = FailureReason::kBroken;
    std::string send = step.send;
    if (step.expect) {
      TOCSIN_ASSIGN_OR_RETURN(const Captures captures, Await(*step.expect));
      send = Expand(step.send, captures);
      for (const auto& [name, value] : step.labels) {
        conversation_.labels.emplace_back(name, Expand(value, captures));
      }
    }
    if (!step.expect_bytes.empty()) TOCSIN_RETURN_IF_ERROR(AwaitBytes(step.expect_bytes));
    if (!send.empty()) TOCSIN_RETURN_IF_ERROR(stream_->Write(send + "\n", deadline_));
    if (step.starttls) TOCSIN_RETURN_IF_ERROR(BeginTls());
    return Ok{};
  }

  // Reads lines until one matches.
  Result<Captures> Await(const re2::RE2& regex) {
    Captures captures{&regex, {}};
    std::vector<re2::StringPiece> groups(static_cast<std::size_t>(regex.NumberOfCapturingGroups()) +
                                         1);
    while (true) {
      TOCSIN_ASSIGN_OR_RETURN(const std::optional<std::string> line, ReadLine());
      if (!line) {
        stage_ = FailureReason::kBody;
        conversation_.verdict.failed_by_regex = true;
        return Error{ErrorCode::kUnavailable,
                     Where() + "the peer closed and no line matched \"" + regex.pattern() + "\""};
      }
      if (!regex.Match(*line, 0, line->size(), re2::RE2::UNANCHORED, groups.data(),
                       static_cast<int>(groups.size()))) {
        continue;
      }
      for (const auto& group : groups) captures.groups.emplace_back(group.data(), group.size());
      return captures;
    }
  }

  // The next line without its end, the last one perhaps without one at all; nothing
  // once the peer has closed.
  Result<std::optional<std::string>> ReadLine() {
    std::size_t searched = 0;
    while (true) {
      const std::size_t end = buffer_.find('\n', searched);
      const bool whole = end != std::string::npos;
      if (whole || (closed_ && !buffer_.empty())) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, whole ? end + 1 : buffer_.size());
        if (line.ends_with('\r')) line.pop_back();
        return std::optional(ValidUtf8(line));  // Else no regular expression reads past it.
      }
      if (closed_) return std::optional<std::string>();
      if (buffer_.size() > kMaxLineBytes) {
        stage_ = FailureReason::kTooLarge;
        return Error{ErrorCode::kResourceExhausted,
                     Where() + "a line is longer than " + std::to_string(kMaxLineBytes) + " bytes"};
      }
      searched = buffer_.size();
      TOCSIN_RETURN_IF_ERROR(Receive());
    }
  }

  Result<> AwaitBytes(const std::string& expected) {
    while (buffer_.size() < expected.size() && !closed_) TOCSIN_RETURN_IF_ERROR(Receive());
    if (buffer_.size() < expected.size()) {
      return Error{ErrorCode::kUnavailable, Where() + "the peer closed before its bytes came"};
    }
    if (buffer_.compare(0, expected.size(), expected) != 0) {
      stage_ = FailureReason::kBody;
      conversation_.failed_by_bytes = true;
      return Error{ErrorCode::kUnavailable, Where() + "other bytes came than expected"};
    }
    buffer_.erase(0, expected.size());
    return Ok{};
  }

  Result<> Receive() {
    std::array<char, 16 << 10> chunk;
    // A peer that always has more never makes Read() wait.
    TOCSIN_RETURN_IF_ERROR(deadline_.Check("reading what the peer sends"));
    TOCSIN_ASSIGN_OR_RETURN(const std::size_t count,
                            stream_->Read(chunk.data(), chunk.size(), deadline_));
    closed_ = count == 0;
    buffer_.append(chunk.data(), count);
    return Ok{};
  }

  std::string Where() const { return config_.Instance() + ": "; }

  const TcpConfig& config_;
  const Deadline& deadline_;
  Conversation conversation_;
  FailureReason stage_ = FailureReason::kDns;  // What a failure now would be called.
  std::unique_ptr<Stream> stream_;
  std::string buffer_;  // Received and not yet read.
  bool closed_ = false;
};

}  // namespace

Result<Conversation> Converse(const TcpConfig& config, const Deadline& deadline) {
  return Talk(config, deadline).Run();
}

}  // namespace tocsin::collectors::http
