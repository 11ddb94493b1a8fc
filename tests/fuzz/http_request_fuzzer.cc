// What comes over a connection: requests, in pieces as long as the first byte says.

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/api/request_reader.h"
#include "daemon/api/request_target.h"
#include "daemon/base/check.h"

namespace {

using namespace tocsin;  // NOLINT

constexpr std::size_t kMaxPiece = 64;
constexpr std::size_t kMaxBody = 100;

void ReadAll(int connection) {
  const SystemClock clock;
  api::ConnectionStream stream(connection, {Millis(1), Millis(1)}, clock);
  api::RequestReader reader(stream, clock);
  api::RequestHead head;
  while (reader.done() && reader.ReadHead(head)) {
    TOCSIN_CHECK(!head.method.empty() && !head.target.empty());
    TOCSIN_CHECK(!reader.refusal());
    const std::string_view target = api::PathAndQuery(head.target);
    if (const auto clean = api::CleanTarget(target)) {
      TOCSIN_CHECK(!api::CleanTarget(*clean));
    }
    TOCSIN_CHECK(api::DecodePath(target).size() <= target.size());
    api::ParseForm(target);
    std::string body;
    const auto read = reader.ReadBody(kMaxBody, body);
    TOCSIN_CHECK(body.size() <= kMaxBody);
    TOCSIN_CHECK(read != api::RequestReader::Body::kWhole || reader.done());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t piece = data[0] % kMaxPiece + 1;
  std::array<int, 2> ends;
  // Of such sockets every piece is received by itself.
  TOCSIN_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends.data()) == 0);
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, piece);
    if (send(ends[1], part.data(), part.size(), MSG_DONTWAIT) < 0) break;  // There is no more room.
    bytes.remove_prefix(part.size());
  }
  shutdown(ends[1], SHUT_WR);
  ReadAll(ends[0]);
  for (const int end : ends) close(end);
  return 0;
}
