#pragma once

// The full chunks of one series, oldest first. One pointer wide, with a block as large
// as it must be: a hundred thousand series have one or two each. Not thread-safe.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

namespace tocsin::store {

// A chunk that takes no more samples.
struct SealedChunk {
  std::unique_ptr<char[]> data;
  std::int64_t last_ms = 0;
  std::int64_t sealed_at_ms : 48 = 0;  // Wall time, for retention.
  std::uint64_t size : 16 = 0;
  std::uint64_t first_sequence : 55 = 0;  // Of the journal: the commit of its first sample.
  std::uint64_t samples : 8 = 0;
  std::uint64_t saved : 1 = false;  // History holds it.

  std::string_view bytes() const { return {data.get(), size}; }
  std::int64_t first_ms() const;
};

class SealedChunks {
 public:
  SealedChunks() = default;
  ~SealedChunks() { Clear(); }
  SealedChunks(SealedChunks&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  SealedChunks& operator=(SealedChunks&&) = delete;

  std::size_t size() const { return block_ == nullptr ? 0 : block_->count; }
  bool empty() const { return size() == 0; }
  const SealedChunk* begin() const { return block_ == nullptr ? nullptr : block_->chunks(); }
  const SealedChunk* end() const { return begin() + size(); }
  SealedChunk* begin() { return block_ == nullptr ? nullptr : block_->chunks(); }
  SealedChunk* end() { return begin() + size(); }
  const SealedChunk& front() const { return *begin(); }
  void Fetch() const { __builtin_prefetch(block_); }  // Hints that they are wanted soon.

  void Add(SealedChunk chunk);
  void DropFront(std::size_t count);
  void Clear();

  std::size_t MemoryBytes() const;  // Without the chunks' own bytes.

 private:
  struct Block {
    std::uint32_t count = 0;
    std::uint32_t room = 0;
    SealedChunk* chunks() { return reinterpret_cast<SealedChunk*>(this + 1); }
  };
  static_assert(sizeof(Block) % alignof(SealedChunk) == 0);

  Block* block_ = nullptr;  // Null: none.
};

}  // namespace tocsin::store
