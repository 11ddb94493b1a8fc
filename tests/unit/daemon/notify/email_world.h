#pragma once

// What the tests of mails share: a receiver's configuration, in short.

#include <string>

#include "tests/unit/daemon/notify/world.h"

namespace tocsin::notify {

// One mail receiver, of these settings.
inline std::string Yaml(const std::string& email, const std::string& global = "") {
  return (global.empty() ? "" : "global: {" + global + "}\n") +
         "route: {receiver: ops, group_by: [alertname], group_wait: 10s, group_interval: 1m}\n"
         "receivers: [{name: ops, email_configs: [{" +
         email + "}]}]\n";
}
inline const std::string kPlain =
    "to: 'ann@example.com, bob@example.com', from: 'tocsin@example.com', "
    "smarthost: 'mail.test:587', send_resolved: true";

}  // namespace tocsin::notify
