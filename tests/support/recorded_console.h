#pragma once

// PgBouncer's console answering from recorded tables, for versions that are not
// at hand: it speaks just enough of the protocol (version 3, simple queries), on
// a loopback port, to one client at a time, and lets everybody in.

#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace tocsin::testing {

// Rows of (column, value), all with the same columns.
using RecordedRow = std::vector<std::pair<std::string, std::string>>;
using RecordedTable = std::vector<RecordedRow>;

// Reads psql's expanded output: "-[ RECORD 1 ]…" and "column | value" lines.
RecordedTable ParseRecordedTable(std::string_view text);

class RecordedConsole {
 public:
  // `answers` by query ("SHOW POOLS"); any other query is refused as not allowed.
  explicit RecordedConsole(std::map<std::string, RecordedTable> answers);
  ~RecordedConsole();

  int port() const { return port_; }

 private:
  void Serve(const std::stop_token& stop);
  void Talk(int client, const std::stop_token& stop);
  std::string Answer(const std::string& query) const;

  std::map<std::string, RecordedTable> answers_;
  int listener_ = -1;
  int port_ = 0;
  std::jthread thread_;
};

}  // namespace tocsin::testing
