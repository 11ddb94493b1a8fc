#pragma once

// A YAML value that knows its file, line and place in the document, and the
// reader that turns a map of them into typed values. Parsing collects every
// error of a file instead of stopping at the first; each names file, line and
// key, what is allowed, and the nearest valid word:
//   tocsin.yaml:14:3: postgres[0].intervall: unknown key (did you mean "interval"?)
//
// Nodes are immutable and cheap to copy; thread-safe to read.

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/base/file_system.h"
#include "daemon/base/result.h"
#include "daemon/base/secret.h"

namespace tocsin {

class ConfigNode;

// `text` as a double-quoted scalar on one line, which reads back the same.
std::string QuotedYaml(std::string_view text);

struct ConfigError {
  std::string file;
  int line = 0;      // From 1; 0 when only the file is known.
  int column = 0;    // From 1.
  std::string path;  // "postgres[0].interval"; empty at the top.
  std::string message;

  // "file:line:column: path: message".
  std::string Text() const;
};

// All that is wrong with one or more files. Not thread-safe.
class ConfigErrors {
 public:
  void Add(const ConfigNode& where, std::string message);
  void Add(ConfigError error);
  bool empty() const { return errors_.empty(); }
  const std::vector<ConfigError>& errors() const { return errors_; }

  // One line per error, in the order of file and line.
  std::string Text() const;

 private:
  std::vector<ConfigError> errors_;
};

class ConfigNode {
 public:
  enum class Kind { kNull, kScalar, kSequence, kMap };
  using Entry = std::pair<ConfigNode, ConfigNode>;  // Key and value.

  ConfigNode();  // Null, of no file.

  enum class Expand { kNothing, kEnvironment };  // ${VAR} and ${VAR:-default} in values.

  // Parses one YAML document. On a syntax error, a duplicate key, or an unset
  // ${VAR}, adds to `errors`; the result is then null or what could be read.
  static ConfigNode Parse(std::string_view text, const std::string& file, Expand expand,
                          ConfigErrors& errors);

  Kind kind() const;
  bool IsNull() const { return kind() == Kind::kNull; }
  const std::string& file() const;
  int line() const;
  int column() const;
  const std::string& path() const;

  const std::string& scalar() const;             // Empty unless a scalar.
  bool quoted() const;                           // "5" and '5' are strings, 5 may be a number.
  const std::vector<ConfigNode>& items() const;  // Of a sequence; else empty.
  const std::vector<Entry>& entries() const;     // Of a map, in file order; else empty.

  // The value of `key` in a map, or nullptr.
  const ConfigNode* Find(std::string_view key) const;

  struct Rep;

 private:
  friend class ConfigNodeBuilder;
  explicit ConfigNode(std::shared_ptr<const Rep> rep) : rep_(std::move(rep)) {}
  std::shared_ptr<const Rep> rep_;
};

// All that a node says, as one text: every value, and the digest of each file that a
// *_file key names. Two nodes with the same text configure the same thing.
std::string FingerprintOf(const ConfigNode& node, FileSystem& files);

// `path` as the file `config_file` means it: relative to that file's folder.
std::string PathBeside(const std::string& config_file, const std::string& path);

// Reads one map key by key. Every getter adds an error for a value of the wrong
// shape and then returns the default, so that reading goes on. Finish() reports
// the keys that nobody asked for. Not thread-safe; `errors` must outlive it.
class ConfigReader {
 public:
  // A null node reads as an empty map; another kind is an error.
  ConfigReader(ConfigNode node, ConfigErrors& errors);

  bool Has(std::string_view key);
  std::string String(std::string_view key, std::string fallback = {});
  std::string RequiredString(std::string_view key);  // Non-empty.
  // A file's path; a relative one lies beside the configuration file.
  std::string Path(std::string_view key);
  std::vector<std::string> Strings(std::string_view key);  // A sequence, or one scalar.
  std::vector<std::pair<std::string, std::string>> StringMap(std::string_view key);
  bool Bool(std::string_view key, bool fallback);
  std::int64_t Int(std::string_view key, std::int64_t fallback, std::int64_t min, std::int64_t max);
  double Number(std::string_view key, double fallback, double min, double max);
  Millis Duration(std::string_view key, Millis fallback, Millis min = Millis(0));
  std::int64_t Bytes(std::string_view key, std::int64_t fallback);  // "1GB", "512MiB", "1024".

  // One of `words`; returns its index.
  int Choice(std::string_view key, std::initializer_list<std::string_view> words, int fallback);

  // The value of `key`, or the line in the file that `key`_file names (as Path; without the
  // space around it). Both at once is an error; an empty one counts as none. The file is read
  // here, on every load, and by Secret::Renew().
  Secret SecretValue(std::string_view key, FileSystem& files);

  // The value as a node, marked as known; null if absent.
  ConfigNode Node(std::string_view key);
  ConfigReader Map(std::string_view key);
  std::vector<ConfigReader> Maps(std::string_view key);  // A sequence of maps.

  const ConfigNode& node() const { return node_; }
  ConfigErrors& errors() { return *errors_; }

  // Adds an error at `key`'s value, or at the map if the key is absent.
  void Fail(std::string_view key, std::string message);

  // Reports each key that no call above asked for, with the nearest that was.
  void Finish();

 private:
  const ConfigNode* Ask(std::string_view key);
  const ConfigNode* AskScalar(std::string_view key);

  ConfigNode node_;
  ConfigErrors* errors_;
  std::set<std::string, std::less<>> known_;
};

}  // namespace tocsin
