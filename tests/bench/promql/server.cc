#include "tests/bench/promql/server.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <utility>

#include "daemon/formats/remote_write.h"

namespace tocsin::bench {
namespace {

constexpr std::chrono::seconds kStartLimit{30};
constexpr long kAnswerLimitSeconds = 120;
constexpr long kBufferBytes = 512 * 1024;

using SteadyPoint = std::chrono::steady_clock::time_point;

// Begins when the request is about to be sent and ends with the last bytes of the answer:
// what the client does before and behind is not the server's time.
struct Exchange {
  std::string& body;
  SteadyPoint begin{};
  SteadyPoint end{};
};

int NoteBegin(void* exchange, char*, char*, int, int) {
  auto& to = *static_cast<Exchange*>(exchange);
  to.begin = to.end = std::chrono::steady_clock::now();
  return CURL_PREREQFUNC_OK;
}

std::size_t Receive(char* bytes, std::size_t size, std::size_t count, void* exchange) {
  auto& to = *static_cast<Exchange*>(exchange);
  to.body.append(bytes, size * count);
  to.end = std::chrono::steady_clock::now();
  return size * count;
}

Result<> WriteText(const std::string& path, const std::string& text) {
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) return Error{ErrorCode::kIoError, path + ": cannot be written"};
  return {};
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string PrometheusConfig(const Work& work, const std::string& folder) {
  std::string config =
      fmt::format("global: {{ evaluation_interval: 5s }}\nrule_files: [ {}/rules.yaml ]\n", folder);
  if (work.page_url.empty()) return config;
  const std::string host = work.page_url.substr(std::string("http://").size());
  const std::size_t slash = host.find('/');
  return config + fmt::format(
                      "scrape_configs:\n"
                      "  - job_name: page\n    scrape_interval: {0}s\n    scrape_timeout: {0}s\n"
                      "    metrics_path: {1}\n    static_configs: [ {{ targets: ['{2}'] }} ]\n",
                      work.scrape_seconds, host.substr(slash), host.substr(0, slash));
}

std::string TocsinConfig(const Work& work, const std::string& folder, int port) {
  std::string config = fmt::format(
      "listen: 127.0.0.1:{1}\nstorage: {{ path: {0}/data }}\nweb: {{ accept_remote_write: true }}\n"
      "interval: 5s\n",
      folder, port);
  if (!work.rules.empty()) config += fmt::format("rules: [ {}/rules.yaml ]\n", folder);
  if (work.page_url.empty()) return config;
  return config + fmt::format(
                      "prometheus:\n"
                      "  - {{ name: page, url: \"{0}\", interval: {1}s, timeout: {1}s }}\n",
                      work.page_url, work.scrape_seconds);
}

}  // namespace

Connection::Connection(int port)
    : base_("http://127.0.0.1:" + std::to_string(port)), handle_(curl_easy_init()) {}

Connection::~Connection() { curl_easy_cleanup(handle_); }

Result<Connection::Answer> Connection::Perform(const std::string& path) {
  Answer answer;
  answer.body.reserve(largest_answer_);
  const std::string url = base_ + path;
  curl_easy_setopt(handle_, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle_, CURLOPT_WRITEFUNCTION, Receive);
  Exchange exchange{answer.body};
  curl_easy_setopt(handle_, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(handle_, CURLOPT_BUFFERSIZE, kBufferBytes);
  curl_easy_setopt(handle_, CURLOPT_TIMEOUT, kAnswerLimitSeconds);
  curl_easy_setopt(handle_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle_, CURLOPT_PREREQFUNCTION, NoteBegin);
  curl_easy_setopt(handle_, CURLOPT_PREREQDATA, &exchange);
  const CURLcode code = curl_easy_perform(handle_);
  answer.seconds = std::chrono::duration<double>(exchange.end - exchange.begin).count();
  if (code != CURLE_OK) {
    return Error{ErrorCode::kUnavailable, url + ": " + curl_easy_strerror(code)};
  }
  largest_answer_ = std::max(largest_answer_, answer.body.size());
  long status = 0;
  curl_easy_getinfo(handle_, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  return answer;
}

Result<Connection::Answer> Connection::Get(const std::string& path) {
  curl_easy_reset(handle_);
  return Perform(path);
}

Result<Connection::Answer> Connection::Post(const std::string& path,
                                            const std::vector<std::string>& headers,
                                            const std::string& body) {
  curl_easy_reset(handle_);
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  for (const std::string& header : headers) list = curl_slist_append(list, header.c_str());
  curl_easy_setopt(handle_, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(handle_, CURLOPT_POSTFIELDS, body.data());
  curl_easy_setopt(handle_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  auto answer = Perform(path);
  curl_slist_free_all(list);
  return answer;
}

Result<std::unique_ptr<Server>> Server::Start(Kind kind, const std::string& program,
                                              const Work& work) {
  std::unique_ptr<Server> server(
      new Server(kind, kind == Kind::kPrometheus ? "Prometheus" : "Tocsin"));
  TOCSIN_RETURN_IF_ERROR(server->WriteFiles(work));
  TOCSIN_RETURN_IF_ERROR(server->Launch(program));
  return server;
}

Server::~Server() {
  if (process_) process_->Stop();
}

Result<> Server::WriteFiles(const Work& work) const {
  const std::string rules = work.rules.empty() ? "groups: []\n" : work.rules;
  TOCSIN_RETURN_IF_ERROR(WriteText(folder_.File("rules.yaml"), rules));
  return WriteText(folder_.File("config.yaml"), kind_ == Kind::kPrometheus
                                                    ? PrometheusConfig(work, folder_.path())
                                                    : TocsinConfig(work, folder_.path(), port_));
}

Result<> Server::Launch(const std::string& program) {
  testing::ProcessOptions options;
  if (kind_ == Kind::kPrometheus) {
    options.argv = {program,
                    "--config.file=" + folder_.File("config.yaml"),
                    "--storage.tsdb.path=" + folder_.File("data"),
                    "--web.listen-address=127.0.0.1:" + std::to_string(port_),
                    "--web.enable-lifecycle",
                    "--web.enable-remote-write-receiver"};
  } else {
    options.argv = {program, "run", "--config", folder_.File("config.yaml")};
  }
  options.output = folder_.File("output");
  TOCSIN_ASSIGN_OR_RETURN(process_, testing::ChildProcess::Start(options));
  connection_ = std::make_unique<Connection>(port_);
  const auto ready = [this] {
    const auto answer = connection_->Get("/-/ready");
    return answer.ok() && answer->status == 200;
  };
  if (testing::WaitUntil([&] { return !process_->Running() || ready(); }, kStartLimit) &&
      process_->Running()) {
    return {};
  }
  return Error{ErrorCode::kUnavailable, name_ + " did not start:\n" + process_->Output()};
}

Result<> Server::Reload(const Work& work) {
  TOCSIN_RETURN_IF_ERROR(WriteFiles(work));
  process_->Signal(SIGHUP);
  return {};
}

Result<Connection::Answer> Server::Query(const std::string& path) {
  TOCSIN_ASSIGN_OR_RETURN(auto answer, connection_->Get(path));
  if (answer.status != 200) {
    return Error{ErrorCode::kInternal,
                 fmt::format("{}: {} answered {}: {}", name_, path, answer.status, answer.body)};
  }
  return answer;
}

Result<> Server::Write(const std::string& body) {
  std::vector<std::string> headers;
  for (const auto& [name, value] : formats::RemoteWriteHeaders()) {
    headers.push_back(name + ": " + value);
  }
  TOCSIN_ASSIGN_OR_RETURN(const auto answer, connection_->Post("/api/v1/write", headers, body));
  if (answer.status / 100 != 2) {
    return Error{ErrorCode::kInternal, fmt::format("{}: remote write answered {}: {}", name_,
                                                   answer.status, answer.body)};
  }
  return {};
}

double Server::CpuSeconds() const {
  const std::string stat = ReadText(fmt::format("/proc/{}/stat", process_->pid()));
  std::istringstream fields(stat.substr(stat.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;  // Up to utime, the 14th.
  double user = 0;
  double system = 0;
  fields >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::int64_t Server::ResidentBytes() const {
  const std::string status = ReadText(fmt::format("/proc/{}/status", process_->pid()));
  const std::string name = "VmRSS:";
  std::istringstream fields(status.substr(status.find(name) + name.size()));
  std::int64_t kib = 0;
  fields >> kib;
  return kib * 1024;
}

}  // namespace tocsin::bench
