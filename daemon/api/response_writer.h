#pragma once

// Answers on their way to the client. Stateless.

#include <string_view>

#include "daemon/api/connection_stream.h"
#include "daemon/api/http_message.h"
#include "daemon/base/clock.h"

namespace tocsin::api {

// How an answer leaves, whatever it says.
struct AnswerForm {
  bool head_only = false;  // HEAD: the body is only measured.
  bool gzip = false;       // The client reads it.
  bool close = false;      // The connection ends behind it.
  WallTime now{};
};

// Gathers the answer in the stream. False if the client does not take it.
bool WriteResponse(Response response, const AnswerForm& form, ConnectionStream& stream);

// What an Accept-Encoding header says of gzip (RFC 9110, 12.5.3).
bool AcceptsGzip(std::string_view accept_encoding);

}  // namespace tocsin::api
