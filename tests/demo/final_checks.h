#pragma once

// What must hold beside the alerts: the series that were pushed have arrived, every
// panel of the dashboards has data, and the vendors refused nothing.

#include <string>
#include <vector>

#include "daemon/base/result.h"
#include "tests/demo/report.h"
#include "tests/demo/servers.h"
#include "tests/demo/standins/standins.h"
#include "tests/demo/web.h"

namespace tocsin::demo {

Check PushedToPrometheus(const Servers& servers);
Check PushedToPushgateway(const Servers& servers);
Check DashboardHasData(const PrometheusApi& daemon, const std::string& source);
Check NothingRefused(const StandIns& standins);

// A panel's expression with Grafana's variables filled in as the demo needs them.
std::string FillVariables(std::string expression);

struct PanelExpression {
  std::string panel;
  std::string expression;  // As in the file.
};

// Every expression of every panel, those in rows included.
Result<std::vector<PanelExpression>> PanelExpressions(const std::string& dashboard);

}  // namespace tocsin::demo
