#pragma once

// The table of every kind of target.

#include <span>

#include "collectors/collector.h"

namespace tocsin::collectors {

std::span<const CollectorKind> CollectorKinds();

// Null if there is no kind of that name.
const CollectorKind* FindCollectorKind(std::string_view name);

}  // namespace tocsin::collectors
