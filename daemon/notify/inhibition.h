#pragma once

// Inhibition: while a firing source exists, targets that equal it in the labels
// of the rule are not told. Sources count while they fire, silenced or not. An
// alert never inhibits itself, and one that matches both sides is not inhibited
// by another that does. Unlike Alertmanager's index all sources are looked at.
//
// Immutable once built; build it anew when alerts change. Internal.

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "daemon/model/labels.h"
#include "daemon/notify/notify_config.h"
#include "daemon/notify/tracked_alert.h"

namespace tocsin::notify {

class Inhibitor {
 public:
  Inhibitor() = default;
  // `rules` must outlive the Inhibitor.
  explicit Inhibitor(const std::vector<InhibitRule>& rules);

  // Takes a firing alert into account as a source.
  void AddSource(const TrackedAlert& alert);

  // The sources that mute an alert of these labels; empty: it may be told.
  std::vector<std::uint64_t> InhibitedBy(const model::Labels& labels,
                                         std::uint64_t fingerprint) const;

 private:
  struct Source {
    std::uint64_t fingerprint = 0;
    bool matches_both_sides = false;
  };
  struct Index {
    const InhibitRule* rule = nullptr;
    std::vector<std::string> matched_names;  // For equal_all_other: what is not compared.
    std::unordered_map<model::Labels, std::vector<Source>, model::LabelsHash> sources;
  };
  static model::Labels KeyOf(const Index& index, const model::Labels& labels);

  std::vector<Index> rules_;
};

}  // namespace tocsin::notify
