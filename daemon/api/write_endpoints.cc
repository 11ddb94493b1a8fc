// /api/v1/write (Prometheus' remote write 1.0,
// https://prometheus.io/docs/specs/prw/remote_write_spec/) and
// /api/v1/import/prometheus (a page in text format, as VictoriaMetrics takes it).
//
// What cannot be stored never keeps the rest out: everything else is stored, then
// the answer is 400 (do not send it again) with upstream's words, a line for each
// kind of fault. A header says how many samples were stored.

#include <fmt/format.h>

#include <algorithm>

#include "daemon/api/endpoints.h"
#include "daemon/api/http_message.h"
#include "daemon/base/text.h"
#include "daemon/formats/exposition.h"
#include "daemon/formats/remote_write.h"

namespace tocsin::api {
namespace {

constexpr std::string_view kMessageV1 = "prometheus.WriteRequest";
constexpr std::string_view kMessageV2 = "io.prometheus.write.v2.Request";
constexpr std::string_view kProtobuf = "application/x-protobuf";
constexpr std::int64_t kMaxUnpackedBytes = 32 << 20;

Response NotAccepted() {
  return PlainError(
      404,
      "remote write receiver needs to be enabled with web.accept_remote_write: true in the "
      "configuration");
}

std::vector<std::string_view> Split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == text.npos) return parts;
    text.remove_prefix(at + 1);
  }
}

// What is wrong with a Content-Type for us; nothing if it announces remote write 1.0.
// None at all counts as that too.
std::optional<std::string> FaultOfContentType(std::string_view header) {
  const std::string_view type = TrimSpace(header);
  if (type.empty()) return std::nullopt;
  const auto parts = Split(type, ';');
  if (parts[0] != kProtobuf) {
    return fmt::format("expected {} as the first (media) part, got {} content-type", kProtobuf,
                       type);
  }
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto pair = Split(parts[i], '=');
    if (pair.size() != 2) {
      return fmt::format(
          "as per https://www.rfc-editor.org/rfc/rfc9110#parameter expected parameters to be "
          "key-values, got {} in {} content-type",
          parts[i], type);
    }
    if (pair[0] != "proto") continue;
    if (pair[1] == kMessageV1) return std::nullopt;
    if (pair[1] == kMessageV2) {
      return fmt::format("{} protobuf message is not accepted by this server; accepted [{}]",
                         kMessageV2, kMessageV1);
    }
    return fmt::format(
        "got {} content type; unknown remote write protobuf message {}, supported: {}, {}", type,
        pair[1], kMessageV1, kMessageV2);
  }
  return std::nullopt;
}

std::optional<std::string> FaultOfEncoding(std::string header) {
  for (char& c : header) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (header.empty() || header == "snappy") return std::nullopt;
  return header +
         " encoding (compression) is not accepted by this server; only snappy is acceptable";
}

// What keeps a request from being good, worst first: upstream's words, or ours
// where upstream has none.
std::vector<std::string> FaultsOf(const RemoteWriteReceiver::Outcome& outcome) {
  std::vector<std::string> faults;
  if (outcome.refused_series > 0) faults.push_back(outcome.first_refused);
  if (outcome.too_far_ahead > 0) {
    faults.emplace_back("out of bounds: timestamp is too far in the future");
  }
  if (outcome.samples.out_of_order > 0) faults.emplace_back("out of order sample");
  if (outcome.samples.duplicate > 0) faults.emplace_back("duplicate sample for timestamp");
  return faults;
}

// The answer to a request whose samples were stored; `faults` are those of its body.
Response Settle(const RemoteWriteReceiver::Outcome& outcome, std::vector<std::string> faults) {
  // Sent again, the samples are stored as they are: the same value is no duplicate.
  if (outcome.failure) return PlainError(500, outcome.failure->message);
  const auto more = FaultsOf(outcome);
  faults.insert(faults.end(), more.begin(), more.end());
  Response response = faults.empty() ? Response{204, "", "", {}}
                                     : PlainError(400, fmt::format("{}", fmt::join(faults, "\n")));
  // Of remote write 2.0, but senders of 1.0 may be told too.
  response.headers.emplace_back("X-Prometheus-Remote-Write-Samples-Written",
                                std::to_string(outcome.samples.stored));
  return response;
}

// The samples of a page, in the order of their times: what a client exports of a
// series need not come sorted.
std::vector<formats::RemoteWriteSeries> SeriesOf(const model::MetricBatch& batch,
                                                 std::int64_t default_ms,
                                                 const std::vector<model::LabelView>& extra) {
  std::vector<formats::RemoteWriteSeries> all;
  all.reserve(batch.row_count());
  std::vector<model::LabelView> pairs;
  for (std::size_t i = 0; i < batch.row_count(); ++i) {
    const model::MetricBatch::Row row = batch.row(i);
    pairs.assign(1, {model::kMetricName, row.name});
    for (std::uint32_t j = 0; j < row.label_count; ++j) {
      pairs.push_back(row.label(j));
    }
    pairs.insert(pairs.end(), extra.begin(), extra.end());
    all.push_back(
        {model::Labels::FromPairs(pairs), {{row.time_ms.value_or(default_ms), row.value}}});
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) {
    return a.samples[0].time_ms < b.samples[0].time_ms;
  });
  return all;
}

std::vector<formats::RemoteWriteMetadata> FamiliesOf(const model::MetricBatch& batch) {
  std::vector<formats::RemoteWriteMetadata> families;
  for (const model::MetricBatch::Family& family : batch.families()) {
    if (family.help.empty() && family.type == model::MetricType::kUnknown) continue;
    families.push_back({family.name, family.type, family.help, ""});
  }
  return families;
}

}  // namespace

Response AnswerRemoteWrite(const Context& context, const Request& request) {
  RemoteWriteReceiver* receiver = context.receiver;
  if (!receiver) return NotAccepted();
  if (auto fault = FaultOfContentType(request.Header("Content-Type"))) {
    return PlainError(415, *std::move(fault));
  }
  if (auto fault = FaultOfEncoding(request.Header("Content-Encoding"))) {
    return PlainError(415, *std::move(fault));
  }
  auto decoded = formats::DecodeRemoteWrite(request.body, kMaxUnpackedBytes);
  if (!decoded.ok()) return PlainError(400, decoded.error().message);
  receiver->Learn(std::move(decoded->metadata));
  const auto outcome = receiver->Store(decoded->series);
  receiver->CountInvalid(decoded->invalid.series + decoded->native_histograms.series);
  std::vector<std::string> faults;
  if (decoded->invalid.series > 0) faults.push_back(decoded->invalid.first);
  if (decoded->native_histograms.series > 0) {
    faults.push_back("native histograms are not supported: " + decoded->native_histograms.first);
  }
  return Settle(outcome, std::move(faults));
}

Response AnswerImport(const Context& context, const Request& request) {
  RemoteWriteReceiver* receiver = context.receiver;
  if (!receiver) return NotAccepted();
  std::int64_t default_ms = ToUnixMillis(context.clock.WallNow());
  if (const auto text = request.Param("timestamp"); text && !text->empty()) {
    const auto time_ms = ParseInt(*text);
    if (!time_ms) {
      return PlainError(400, "invalid parameter \"timestamp\": cannot parse \"" + *text +
                                 "\" to Unix milliseconds");
    }
    default_ms = *time_ms;
  }
  const std::vector<std::string> texts = request.Params("extra_label");
  std::vector<model::LabelView> extra;
  for (const std::string_view text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == text.npos || equals == 0) {
      return PlainError(400, "invalid parameter \"extra_label\": \"" + std::string(text) +
                                 "\" is not name=value");
    }
    extra.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  formats::ParseOptions options;
  options.format = formats::FormatOfContentType(request.Header("Content-Type"));
  options.refuses_long_values = true;
  model::MetricBatch batch;
  const auto parsed = formats::ParseExposition(request.body, options, batch);
  std::vector<std::string> faults;
  if (!parsed.ok()) faults.push_back(parsed.error().message);
  receiver->Learn(FamiliesOf(batch));
  return Settle(receiver->Store(SeriesOf(batch, default_ms, extra)), std::move(faults));
}

}  // namespace tocsin::api
