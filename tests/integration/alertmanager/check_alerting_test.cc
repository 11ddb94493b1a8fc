// `tocsin check` of what notifies, against the built program.

#include <gmock/gmock.h>

#include <fstream>

#include "tests/support/daemon_process.h"

namespace tocsin::testing {
namespace {

using ::testing::HasSubstr;

// What the daemon would refuse at its start is refused by the checks, at its place.
class CheckAlertingTest : public ::testing::Test {
 protected:
  // Of each subcommand that reads the files, and of the daemon itself: what it says.
  void ExpectRefused(const std::string& why) {
    std::ofstream(folder_.File("tocsin.yaml"))
        << "listen: 127.0.0.1:0\nstorage: { path: " << folder_.File("state")
        << " }\nrules: []\nalerting: " << folder_.File("alertmanager.yml") << "\n";
    const std::string config = folder_.File("tocsin.yaml");
    const std::string alerting = folder_.File("alertmanager.yml");
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{"check", "alerting", alerting},
          std::vector<std::string>{"check", "alerting", config},
          std::vector<std::string>{"check", "config", config},
          std::vector<std::string>{"run", "--config", config}}) {
      const FinishedProcess finished = RunTocsin(words);
      EXPECT_NE(finished.status, 0) << words[1];
      EXPECT_THAT(finished.output, HasSubstr(why)) << words[1];
    }
  }
  void Write(const std::string& slack, const std::string& top = {}) {
    std::ofstream(folder_.File("alertmanager.yml"))
        << top << "route: { receiver: chat }\nreceivers:\n- name: chat\n  slack_configs:\n"
        << "  - api_url: 'http://127.0.0.1:1/'\n    text: '" << slack << "'\n";
  }

  TemporaryFolder folder_;
};

TEST_F(CheckAlertingTest, AnUnclosedActionInAReceiversText) {
  Write("{{ .Status");
  ExpectRefused(
      "alertmanager.yml:6:11: receivers[0].slack_configs[0].text: template: :1: unclosed");
}

TEST_F(CheckAlertingTest, AnUnknownFunctionInATemplatesFile) {
  std::ofstream(folder_.File("own.tmpl")) << "{{ define \"own\" }}\n{{ humanise 1 }}{{ end }}\n";
  Write("fine", "templates: [ own.tmpl ]\n");
  ExpectRefused("own.tmpl:2:1: function \"humanise\" not defined");
}

}  // namespace
}  // namespace tocsin::testing
