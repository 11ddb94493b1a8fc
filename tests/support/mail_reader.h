#pragma once

// A mail read back, independently of the daemon's own writer: unfolded and decoded
// headers, the parts of a multipart message in plain UTF-8.

#include <map>
#include <string>
#include <utility>
#include <vector>

namespace tocsin::testing {

struct ReadMail {
  // By name; a header that stands twice has both values, a line break between them.
  std::map<std::string, std::string> headers;
  std::string raw_head;
  std::vector<std::pair<std::string, std::string>> parts;  // Content-Type and content.
};

ReadMail ReadMailText(const std::string& data);

// Why a line of `data` is not what RFC 5322 allows (998 bytes, CRLF, ASCII); empty if all are.
std::string FaultOfMailLines(const std::string& data);

}  // namespace tocsin::testing
