#include "daemon/base/secret.h"

#include <cstdint>

#include "daemon/base/file_system.h"

namespace tocsin {
namespace {

constexpr std::int64_t kMaxSecretBytes = 64 * 1024;

}  // namespace

Result<Secret> Secret::FromFile(const std::string& path, FileSystem& files) {
  TOCSIN_ASSIGN_OR_RETURN(std::string content, files.Read(path, kMaxSecretBytes));
  while (!content.empty() && (content.back() == '\n' || content.back() == '\r')) {
    content.pop_back();
  }
  if (content.empty()) return Error{ErrorCode::kInvalidArgument, "the file is empty"};
  Secret secret(std::move(content));
  secret.path_ = path;
  return secret;
}

void Secret::Renew(FileSystem& files) {
  if (path_.empty()) return;
  if (auto renewed = FromFile(path_, files); renewed.ok()) *this = *std::move(renewed);
}

}  // namespace tocsin
