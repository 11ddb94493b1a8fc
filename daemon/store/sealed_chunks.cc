#include "daemon/store/sealed_chunks.h"

#include <algorithm>
#include <new>
#include <utility>

#include "daemon/store/chunk_codec.h"

namespace tocsin::store {

std::int64_t SealedChunk::first_ms() const { return ChunkFirstTime(bytes()); }

void SealedChunks::Add(SealedChunk chunk) {
  if (block_ == nullptr || block_->count == block_->room) {
    // Nearly exactly: memory counts, and chunks are rare, unless somebody sends samples
    // that are far apart.
    const std::size_t room = size() + std::max<std::size_t>(1, size() / 8);
    void* memory = ::operator new(sizeof(Block) + room * sizeof(SealedChunk));
    Block* grown =
        new (memory) Block{static_cast<std::uint32_t>(size()), static_cast<std::uint32_t>(room)};
    std::uninitialized_move(begin(), end(), grown->chunks());
    Clear();
    block_ = grown;
  }
  new (end()) SealedChunk(std::move(chunk));
  ++block_->count;
}

void SealedChunks::DropFront(std::size_t count) {
  if (count == 0) return;
  if (count == size()) return Clear();
  std::destroy(std::move(begin() + count, end(), begin()), end());
  block_->count -= static_cast<std::uint32_t>(count);
}

void SealedChunks::Clear() {
  if (block_ == nullptr) return;
  std::destroy(begin(), end());
  ::operator delete(block_);
  block_ = nullptr;
}

std::size_t SealedChunks::MemoryBytes() const {
  return block_ == nullptr ? 0 : sizeof(Block) + block_->room * sizeof(SealedChunk);
}

}  // namespace tocsin::store
