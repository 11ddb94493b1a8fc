#include "daemon/base/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>

namespace tocsin {
namespace {

constexpr int kGzipWindow = 15 + 16;  // The largest window, in gzip's own frame.
constexpr std::size_t kPieceBytes = 64 << 10;
constexpr std::size_t kMostInput = 1 << 30;  // zlib counts in 32 bits.

// Hands zlib the next part of the input when it has none.
void Feed(std::string_view& input, z_stream& zlib) {
  if (zlib.avail_in > 0) return;
  const std::string_view part = input.substr(0, kMostInput);
  zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(part.data()));
  zlib.avail_in = static_cast<uInt>(part.size());
  input.remove_prefix(part.size());
}

struct EndDeflate {
  void operator()(z_stream* zlib) const { deflateEnd(zlib); }
};
struct EndInflate {
  void operator()(z_stream* zlib) const { inflateEnd(zlib); }
};

}  // namespace

std::string Gzip(std::string_view text) {
  constexpr int kUsualMemory = 8;
  z_stream zlib{};
  if (deflateInit2(&zlib, Z_BEST_SPEED, Z_DEFLATED, kGzipWindow, kUsualMemory,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
  const std::unique_ptr<z_stream, EndDeflate> end(&zlib);
  std::string packed;
  std::array<char, kPieceBytes> piece;
  int code = Z_OK;
  while (code != Z_STREAM_END) {
    Feed(text, zlib);
    zlib.next_out = reinterpret_cast<Bytef*>(piece.data());
    zlib.avail_out = piece.size();
    code = deflate(&zlib, text.empty() ? Z_FINISH : Z_NO_FLUSH);
    packed.append(piece.data(), piece.size() - zlib.avail_out);
  }
  return packed;
}

Result<std::string> Gunzip(std::string_view packed, std::size_t max_bytes) {
  z_stream zlib{};
  if (inflateInit2(&zlib, kGzipWindow) != Z_OK) throw std::bad_alloc();
  const std::unique_ptr<z_stream, EndInflate> end(&zlib);
  std::string text;
  std::array<char, kPieceBytes> piece;
  int code = Z_OK;
  do {
    Feed(packed, zlib);
    zlib.next_out = reinterpret_cast<Bytef*>(piece.data());
    zlib.avail_out = piece.size();
    code = inflate(&zlib, Z_NO_FLUSH);
    text.append(piece.data(), piece.size() - zlib.avail_out);
    const bool another = code == Z_STREAM_END && (zlib.avail_in > 0 || !packed.empty());
    if (another) code = inflateReset(&zlib);
  } while (code == Z_OK && text.size() <= max_bytes);
  if (text.size() > max_bytes) {
    return Error{ErrorCode::kResourceExhausted,
                 "unpacked, it is larger than " + std::to_string(max_bytes) + " bytes"};
  }
  if (code == Z_STREAM_END) return text;
  return Error{ErrorCode::kInvalidArgument,
               code == Z_BUF_ERROR ? "the gzip text ends too early" : "this is no gzip text"};
}

}  // namespace tocsin
