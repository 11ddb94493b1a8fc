#include "tests/support/exporter_comparison.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "daemon/formats/exposition.h"
#include "daemon/model/labels.h"

namespace tocsin::testing {
namespace {

bool Matches(std::string_view pattern, std::string_view family) {
  return pattern.ends_with('*') ? family.starts_with(pattern.substr(0, pattern.size() - 1))
                                : family == pattern;
}

class PageComparison {
 public:
  PageComparison(const ComparedPages& pages, std::string_view prefix,
                 std::span<const Difference> differences)
      : pages_(pages), prefix_(prefix), differences_(differences) {}

  std::vector<std::string> Compare() {
    for (const auto& [family, type] : pages_.before.types) {
      if (IsCompared(family)) CompareFamily(family, type);
    }
    for (const auto& [name, series] : pages_.before.series) {
      if (IsCompared(series.family) && pages_.ours.types.contains(series.family)) {
        CompareSeries(name, series);
      }
    }
    for (const Difference& difference : differences_) {
      const bool is_borne = std::any_of(
          pages_.before.types.begin(), pages_.before.types.end(),
          [&difference](const auto& one) { return Matches(difference.family, one.first); });
      if (!is_borne) {
        Complain("{} is not on the exporter's page, but may differ: {}", difference.family,
                 difference.why);
      }
    }
    return std::move(complaints_);
  }

 private:
  template <typename... Arguments>
  void Complain(fmt::format_string<Arguments...> text, Arguments&&... arguments) {
    complaints_.push_back(fmt::format(text, std::forward<Arguments>(arguments)...));
  }

  bool IsCompared(const std::string& family) const { return family.starts_with(prefix_); }

  const Difference* Find(const std::string& family, Difference::In in) const {
    for (const Difference& difference : differences_) {
      if (difference.in == in && Matches(difference.family, family)) return &difference;
    }
    return nullptr;
  }

  void CompareFamily(const std::string& family, model::MetricType type) {
    const auto found = pages_.ours.types.find(family);
    if (found == pages_.ours.types.end()) {
      if (Find(family, Difference::In::kFamily) == nullptr) Complain("{} is missing", family);
      return;
    }
    if (found->second != type && Find(family, Difference::In::kType) == nullptr) {
      Complain("{} is a {}, the exporter's a {}", family, model::MetricTypeName(found->second),
               model::MetricTypeName(type));
    }
    if (Find(family, Difference::In::kLabels) != nullptr) return;
    const auto& theirs = pages_.before.label_sets.at(family);
    for (const std::string& labels : pages_.ours.label_sets.at(family)) {
      if (theirs.contains(labels)) continue;
      Complain("{} has labels [{}], the exporter's [{}]", family, labels,
               fmt::join(theirs, "] or ["));
    }
  }

  const ExporterPage::Series* FindOurs(const std::string& name,
                                       const ExporterPage::Series& theirs) const {
    const auto same = pages_.ours.series.find(name);
    if (same != pages_.ours.series.end()) return &same->second;
    if (Find(theirs.family, Difference::In::kLabels) == nullptr) return nullptr;
    for (const auto& [ignored, ours] : pages_.ours.series) {
      if (ours.sample == theirs.sample &&
          std::includes(ours.labels.begin(), ours.labels.end(), theirs.labels.begin(),
                        theirs.labels.end())) {
        return &ours;
      }
    }
    return nullptr;
  }

  void CompareSeries(const std::string& name, const ExporterPage::Series& before) {
    const bool may_be_missing = Find(before.family, Difference::In::kSeries) != nullptr;
    const ExporterPage::Series* ours = FindOurs(name, before);
    if (ours == nullptr) {
      if (!may_be_missing) Complain("{} is missing", name);
      return;
    }
    const auto after = pages_.after.series.find(name);
    if (may_be_missing || after == pages_.after.series.end()) return;
    const double value = ours->value;
    if (std::isnan(before.value)) {
      if (!std::isnan(value)) Complain("{} is {}, the exporter's NaN", name, value);
      return;
    }
    const double least = std::min(before.value, after->second.value);
    const double most = std::max(before.value, after->second.value);
    const Difference* difference = Find(before.family, Difference::In::kValues);
    const double slack =
        difference == nullptr ? 0 : difference->share * std::max(std::abs(least), std::abs(most));
    if (std::isnan(slack)) return;  // Any share, of nothing.
    if (!(value >= least - slack && value <= most + slack)) {
      Complain("{} is {}, the exporter's {} before and {} after", name, value, before.value,
               after->second.value);
    }
  }

  const ComparedPages& pages_;
  std::string_view prefix_;
  std::span<const Difference> differences_;
  std::vector<std::string> complaints_;
};

}  // namespace

std::string GetPage(int port, std::string_view path) {
  const int peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  const std::string request = fmt::format("GET {} HTTP/1.0\r\n\r\n", path);
  const timeval silence{30, 0};
  setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof silence);
  if (connect(peer, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
      send(peer, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    char bytes[65536];
    ssize_t got;
    while ((got = recv(peer, bytes, sizeof(bytes), 0)) > 0) {
      answer.append(bytes, static_cast<std::size_t>(got));
    }
  }
  close(peer);
  const auto body = answer.find("\r\n\r\n");
  return body == std::string::npos ? std::string() : answer.substr(body + 4);
}

ExporterPage PageOf(const model::MetricBatch& batch) {
  ExporterPage page;
  for (std::size_t i = 0; i < batch.row_count(); ++i) {
    const auto row = batch.row(i);
    const auto& family = batch.families()[row.family];
    ExporterPage::Series series{family.name, std::string(row.name), {}, row.value};
    for (std::uint32_t j = 0; j < row.label_count; ++j) {
      const auto [name, value] = row.label(j);
      if (!value.empty()) series.labels.emplace(name, value);
    }
    std::string names;
    std::string text;
    for (const auto& [name, value] : series.labels) {
      names.append(names.empty() ? "" : ",").append(name);
      text += fmt::format("{}{}={}", text.empty() ? "{" : ",", name, model::QuoteLabelValue(value));
    }
    page.types[family.name] = family.type;
    page.label_sets[family.name].insert(std::move(names));
    page.series[series.sample + (text.empty() ? "" : text + "}")] = std::move(series);
  }
  return page;
}

Result<std::unique_ptr<PackagedExporter>> PackagedExporter::Start(
    const std::string& name, std::vector<std::string> arguments,
    std::vector<std::pair<std::string, std::string>> environment) {
  std::unique_ptr<PackagedExporter> exporter(new PackagedExporter);
  exporter->port_ = FreePort();
  ProcessOptions process;
  process.argv = {name, fmt::format("--web.listen-address=127.0.0.1:{}", exporter->port_)};
  for (std::string& argument : arguments) process.argv.push_back(std::move(argument));
  process.environment = std::move(environment);
  process.output = exporter->folder_.File("exporter.log");
  TOCSIN_ASSIGN_OR_RETURN(exporter->process_, ChildProcess::Start(process));
  if (!WaitUntil([&exporter] { return !GetPage(exporter->port_, "/").empty(); })) {
    return Error{ErrorCode::kUnavailable, name + ": " + exporter->process_->Output()};
  }
  return exporter;
}

ExporterPage PackagedExporter::Scrape(std::string_view path) const {
  model::MetricBatch batch;
  const auto parsed = formats::ParseExposition(GetPage(port_, path), {}, batch);
  EXPECT_TRUE(parsed.ok()) << parsed.error().message;
  return PageOf(batch);
}

std::vector<std::string> CompareWithExporter(const ComparedPages& pages, std::string_view prefix,
                                             std::span<const Difference> differences) {
  return PageComparison(pages, prefix, differences).Compare();
}

std::string Lines(const std::vector<std::string>& complaints) {
  return fmt::format("{}", fmt::join(complaints, "\n"));
}

}  // namespace tocsin::testing
