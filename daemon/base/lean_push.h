#pragma once

// push_back() for vectors that stay: one that is full grows by an eighth, not to its
// double. To copy more often costs less than to hold memory for items that never come.

#include <cstddef>
#include <utility>
#include <vector>

namespace tocsin {

template <class T>
void LeanPush(std::vector<T>& items, T item) {
  if (items.size() == items.capacity()) items.reserve(items.size() + items.size() / 8 + 1);
  items.push_back(std::move(item));
}

}  // namespace tocsin
