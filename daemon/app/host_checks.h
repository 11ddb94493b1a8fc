#pragma once

// What the daemon needs of its host besides its targets, for `tocsin doctor`: somewhere
// to write, somebody to tell, a clock that is right, descriptors, and a unit that
// starts it. Nothing is changed and nothing is sent.

#include <vector>

#include "collectors/advice.h"
#include "daemon/base/file_system.h"
#include "daemon/config/config.h"

namespace tocsin::app {

std::vector<collectors::Finding> CheckStorage(const config::Config& config, FileSystem& files);
std::vector<collectors::Finding> CheckReceivers(const config::Config& config);
std::vector<collectors::Finding> CheckClock();
std::vector<collectors::Finding> CheckDescriptors(const config::Config& config);
std::vector<collectors::Finding> CheckUnit(FileSystem& files);

}  // namespace tocsin::app
