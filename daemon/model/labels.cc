#include "daemon/model/labels.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "daemon/base/check.h"

namespace tocsin::model {

// What every block begins with.
struct Labels::Rep {
  std::uint32_t hash : 31 = 0;
  std::uint32_t is_composed : 1 = 0;  // Else it is flat.
  std::atomic<std::uint32_t> references{1};
};

// This header, then where each string ends, then the bytes of all strings (name, value,
// name, value, …). Ends take one byte, two or four, as they need: a million series hold a
// million of these blocks.
struct Labels::Flat : Rep {
  std::uint32_t count : 29 = 0;
  std::uint32_t end_size : 3 = 0;

  std::size_t strings() const { return std::size_t{2} * count; }
  std::size_t end_bytes() const { return strings() * end_size; }
  char* ends() { return reinterpret_cast<char*>(this + 1); }
  const char* ends() const { return reinterpret_cast<const char*>(this + 1); }
  char* text() { return ends() + end_bytes(); }
  const char* text() const { return ends() + end_bytes(); }

  // Of string `index`; its begin is the end of the one before.
  std::uint32_t End(std::size_t index) const {
    if (end_size == 1) return static_cast<unsigned char>(ends()[index]);
    if (end_size == 2) return reinterpret_cast<const std::uint16_t*>(ends())[index];
    return reinterpret_cast<const std::uint32_t*>(ends())[index];
  }
  void SetEnd(std::size_t index, std::uint32_t end) {
    if (end_size == 1) {
      ends()[index] = static_cast<char>(end);
    } else if (end_size == 2) {
      reinterpret_cast<std::uint16_t*>(ends())[index] = static_cast<std::uint16_t>(end);
    } else {
      reinterpret_cast<std::uint32_t*>(ends())[index] = end;
    }
  }
  LabelView Label(std::size_t index) const {
    const std::uint32_t begin = index == 0 ? 0 : End(2 * index - 1);
    const std::uint32_t name_end = End(2 * index);
    return {{text() + begin, name_end - begin}, {text() + name_end, End(2 * index + 1) - name_end}};
  }
  // Ends and text: equal label sets have equal bytes, others have not.
  std::string_view content() const { return {ends(), end_bytes() + End(strings() - 1)}; }
};

// Both parts are flat.
struct Labels::Composed : Rep {
  Composed(const Labels& its_name, const Labels& its_rest) : name(its_name), rest(its_rest) {}

  const Labels name;
  const Labels rest;
};

namespace {

std::uint32_t EndSizeFor(std::size_t bytes) {
  if (bytes <= UINT8_MAX) return 1;
  return bytes <= UINT16_MAX ? 2 : 4;
}

// Such that a composed set has the hash of a flat one: of the name's bits and the rest's.
std::uint32_t HashOf(std::string_view metric_name, std::string_view rest) {
  constexpr std::uint32_t kBits = 0x7fffffff;
  constexpr std::uint64_t kSpread = 0xD6E8FEB86659FD93ULL;
  std::uint64_t hash = rest.empty() ? 0 : std::hash<std::string_view>()(rest);
  if (!metric_name.empty()) hash ^= std::hash<std::string_view>()(metric_name) * kSpread >> 32;
  return static_cast<std::uint32_t>(hash) & kBits;
}

std::vector<LabelView> Views(const Labels& labels) {
  std::vector<LabelView> views;
  views.reserve(labels.size() + 1);
  for (const LabelView label : labels) views.push_back(label);
  return views;
}

bool Contains(const std::vector<std::string>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

Labels::Labels(std::initializer_list<LabelView> labels)
    : Labels(FromPairs(std::vector<LabelView>(labels))) {}

Labels Labels::FromPairs(std::vector<LabelView> pairs) {
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const LabelView& a, const LabelView& b) { return a.first < b.first; });
  std::vector<LabelView> sorted;
  sorted.reserve(pairs.size());
  for (std::size_t i = 0; i < pairs.size(); ++i) {
    if (i + 1 < pairs.size() && pairs[i + 1].first == pairs[i].first) continue;
    if (!pairs[i].second.empty()) sorted.push_back(pairs[i]);
  }
  return FromSorted(sorted);
}

Labels Labels::FromMap(const std::vector<std::pair<std::string, std::string>>& pairs) {
  return FromPairs(std::vector<LabelView>(pairs.begin(), pairs.end()));
}

Labels Labels::FromSorted(const std::vector<LabelView>& sorted) {
  if (sorted.empty()) return {};
  std::size_t bytes = 0;
  for (const auto& [name, value] : sorted) bytes += name.size() + value.size();
  TOCSIN_CHECK(bytes < UINT32_MAX);
  Flat header;
  header.count = static_cast<std::uint32_t>(sorted.size());
  header.end_size = EndSizeFor(bytes);
  void* block = ::operator new(sizeof(Flat) + header.end_bytes() + bytes);
  Flat* rep = new (block) Flat;
  rep->count = header.count;
  rep->end_size = header.end_size;
  char* text = rep->text();
  std::uint32_t end = 0;
  std::size_t index = 0;
  for (const auto& [name, value] : sorted) {
    for (const std::string_view part : {name, value}) {
      std::memcpy(text + end, part.data(), part.size());
      end += static_cast<std::uint32_t>(part.size());
      rep->SetEnd(index++, end);
    }
  }
  const std::string_view all(text, end);
  const bool has_metric_name = sorted.front().first == kMetricName;
  rep->hash =
      has_metric_name ? HashOf(sorted.front().second, all.substr(rep->End(1))) : HashOf({}, all);
  return Labels(rep);
}

Labels Labels::Named(const Labels& name, const Labels& rest) {
  TOCSIN_CHECK(name.size() == 1 && name[0].first == kMetricName);
  if (rest.empty()) return name;
  TOCSIN_CHECK(rest[0].first > kMetricName);
  auto* rep = new Composed(name, rest);
  rep->is_composed = 1;
  rep->hash = name.rep_->hash ^ rest.rep_->hash;
  return Labels(rep);
}

Labels::Labels(const Labels& other) noexcept : rep_(other.rep_) {
  if (rep_) rep_->references.fetch_add(1, std::memory_order_relaxed);
}

Labels::~Labels() { Release(rep_); }

void Labels::Release(Rep* rep) noexcept {
  if (rep == nullptr || rep->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  if (rep->is_composed == 0) {
    static_cast<Flat*>(rep)->~Flat();
    ::operator delete(rep);
    return;
  }
  delete static_cast<Composed*>(rep);
}

std::size_t Labels::size() const {
  if (rep_ == nullptr) return 0;
  if (rep_->is_composed == 0) return static_cast<const Flat*>(rep_)->count;
  return 1 + static_cast<const Composed*>(rep_)->rest.size();
}

LabelView Labels::operator[](std::size_t index) const {
  if (rep_->is_composed == 0) return static_cast<const Flat*>(rep_)->Label(index);
  const auto* composed = static_cast<const Composed*>(rep_);
  return index == 0 ? composed->name[0] : composed->rest[index - 1];
}

std::string_view Labels::Get(std::string_view name) const {
  for (const LabelView label : *this) {
    if (label.first == name) return label.second;
  }
  return {};
}

Labels Labels::With(std::string_view name, std::string_view value) const {
  std::vector<LabelView> views = Views(*this);
  views.emplace_back(name, value);
  return FromPairs(std::move(views));
}

template <class Keeps>
Labels Labels::Filtered(Keeps keeps) const {
  thread_local std::vector<LabelView> views;  // Keeps its memory from call to call.
  views.clear();
  for (const LabelView label : *this) {
    if (keeps(label.first)) views.push_back(label);
  }
  if (views.size() == size()) return *this;
  const bool all_but_one = !views.empty() && views.size() + 1 == size();
  if (all_but_one && rep_->is_composed != 0 && views.front().first != kMetricName) {
    return static_cast<const Composed*>(rep_)->rest;
  }
  return FromSorted(views);
}

Labels Labels::Without(std::string_view name) const {
  return Filtered([&](std::string_view other) { return other != name; });
}

Labels Labels::Overlay(const Labels& other) const {
  if (other.empty()) return *this;
  std::vector<LabelView> views = Views(*this);
  for (const LabelView label : other) views.push_back(label);
  return FromPairs(std::move(views));
}

Labels Labels::Keep(const std::vector<std::string>& names) const {
  return Filtered([&](std::string_view name) { return Contains(names, name); });
}

Labels Labels::Drop(const std::vector<std::string>& names) const {
  return Filtered([&](std::string_view name) { return !Contains(names, name); });
}

std::uint64_t Labels::Hash() const {
  // Half of a hash is kept, and spread over all bits for tables that take other ones.
  constexpr std::uint64_t kSpread = 0x9E3779B97F4A7C15ULL;
  return rep_ ? rep_->hash * kSpread : 0;
}

std::size_t Labels::MemoryBytes() const {
  if (rep_ == nullptr) return 0;
  if (rep_->is_composed != 0) return sizeof(Composed);
  return sizeof(Flat) + static_cast<const Flat*>(rep_)->content().size();
}

std::uint64_t Labels::Fingerprint() const {
  std::uint64_t hash = 14695981039346656037ULL;
  const auto mix = [&](unsigned char byte) { hash = (hash ^ byte) * 1099511628211ULL; };
  for (const auto& [name, value] : *this) {
    for (const char c : name) mix(static_cast<unsigned char>(c));
    mix(0xFF);
    for (const char c : value) mix(static_cast<unsigned char>(c));
    mix(0xFF);
  }
  return hash;
}

std::string Labels::Text() const {
  std::string out(Name());
  const bool name_only = !out.empty() && size() == 1;
  if (name_only) return out;
  out += '{';
  bool first = true;
  for (const auto& [name, value] : *this) {
    if (name == kMetricName) continue;
    if (!first) out += ", ";
    first = false;
    out += IsPlainLabelName(name) ? std::string(name) : QuoteLabelValue(name);
    out += '=';
    out += QuoteLabelValue(value);
  }
  out += '}';
  return out;
}

bool operator==(const Labels& a, const Labels& b) {
  if (a.rep_ == b.rep_) return true;
  if (a.rep_ == nullptr || b.rep_ == nullptr || a.rep_->hash != b.rep_->hash) return false;
  if (a.rep_->is_composed == 0 && b.rep_->is_composed == 0) {
    const auto& one = *static_cast<const Labels::Flat*>(a.rep_);
    const auto& other = *static_cast<const Labels::Flat*>(b.rep_);
    return one.count == other.count && one.content() == other.content();
  }
  if (a.rep_->is_composed != 0 && b.rep_->is_composed != 0) {
    const auto& one = *static_cast<const Labels::Composed*>(a.rep_);
    const auto& other = *static_cast<const Labels::Composed*>(b.rep_);
    return one.rest == other.rest && one.name == other.name;
  }
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

bool operator<(const Labels& a, const Labels& b) {
  const std::size_t shared = std::min(a.size(), b.size());
  for (std::size_t i = 0; i < shared; ++i) {
    if (const auto x = a[i], y = b[i]; x != y) return x < y;
  }
  return a.size() < b.size();
}

bool IsPlainLabelName(std::string_view name) {
  return IsPlainMetricName(name) && name.find(':') == name.npos;
}

bool IsPlainMetricName(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == ':';
  });
}

std::string QuoteLabelValue(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  out += '"';
  return out;
}

std::string FingerprintText(std::uint64_t fingerprint) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out(16, '0');
  for (std::size_t i = 0; i < 16; ++i) out[15 - i] = kHex[(fingerprint >> (4 * i)) & 15];
  return out;
}

}  // namespace tocsin::model
