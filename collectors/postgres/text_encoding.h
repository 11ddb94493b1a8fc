#pragma once

// Texts that a server gave as they are, in its database's encoding.

#include <optional>
#include <string>
#include <string_view>

namespace tocsin::collectors::postgres {

// Not thread-safe.
class TextEncoding {
 public:
  // `name` is PostgreSQL's: "EUC_JP", "WIN1252".
  explicit TextEncoding(std::string_view name);
  ~TextEncoding();
  TextEncoding(const TextEncoding&) = delete;
  TextEncoding& operator=(const TextEncoding&) = delete;

  // Nothing if `text` is none in this encoding, has characters that Unicode lacks, or this
  // machine does not know the encoding.
  std::optional<std::string> ToUtf8(std::string_view text) const;

 private:
  void* converter_;  // iconv's; null: there is none.
};

bool IsAscii(std::string_view text);

}  // namespace tocsin::collectors::postgres
