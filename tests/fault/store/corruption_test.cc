// Bytes of history.db are overwritten: the store opens all the same, invents
// nothing, keeps what is intact or sets the file aside visibly, and works on.

#include <gtest/gtest.h>

#include <bit>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>

#include "daemon/store/store.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_executor.h"
#include "tests/support/store_model.h"

namespace tocsin::store {
namespace {

namespace fs = std::filesystem;
using std::chrono::minutes;

constexpr model::TimeRange kAlways{std::numeric_limits<std::int64_t>::min(),
                                   std::numeric_limits<std::int64_t>::max()};
const model::Labels kLabels = {{"__name__", "m"}, {"job", "damage"}};
constexpr int kSamples = 5000;

double ValueAt(int i) { return i * 0.1 / 3; }

class CorruptionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "corruption_test.XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    config_.path = folder_;
    config_.memory_window = minutes(10);
  }
  void TearDown() override {
    store_.reset();
    fs::remove_all(folder_);
  }

  void Open() {
    store_.reset();
    metrics_ = std::make_unique<MetricRegistry>();
    auto opened = Store::Open(config_, clock_, executors_, files_, *metrics_);
    ASSERT_TRUE(opened.ok()) << opened.error().message;
    store_ = std::move(opened).value();
  }

  void Put(int i) {
    const auto ref = store_->Resolve(kLabels);
    ASSERT_TRUE(ref.ok());
    const std::vector<model::SeriesSample> sample = {{&*ref, i, ValueAt(i)}};
    ASSERT_TRUE(store_->Commit({}, sample).ok());
  }

  // Chunks in history, the last ones in the journal only; returns the file's bytes.
  void Fill() {
    Open();
    for (int i = 0; i < kSamples; ++i) Put(i);
    executors_.RunFor(minutes(30));
    for (int i = kSamples; i < kSamples + 50; ++i) Put(i);
    ASSERT_TRUE(store_->Flush().ok());
    store_.reset();
  }

  void Damage(std::int64_t offset, const std::string& bytes) {
    std::fstream file(folder_ + "/history.db", std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file << bytes;
  }

  // Every sample that is there must be one that was committed. Errors are allowed.
  std::size_t CountTrueSamples() {
    std::size_t count = 0;
    const auto selection = store_->Select({}, kAlways);
    if (!selection.ok()) return 0;
    for (std::size_t i = 0; i < (*selection)->size(); ++i) {
      EXPECT_EQ((*selection)->labels(i), kLabels);
      model::SampleColumns columns;
      (void)(*selection)->Read(i, kAlways, columns);
      for (std::size_t k = 0; k < columns.size(); ++k) {
        EXPECT_EQ(std::bit_cast<std::uint64_t>(columns.values[k]),
                  std::bit_cast<std::uint64_t>(ValueAt(static_cast<int>(columns.times_ms[k]))));
      }
      count += columns.size();
    }
    return count;
  }

  testing::SimClock clock_;
  testing::SimExecutors executors_{clock_};
  PosixFileSystem files_;
  std::string folder_;
  StoreConfig config_;
  std::unique_ptr<MetricRegistry> metrics_;
  std::unique_ptr<Store> store_;
};

TEST_F(CorruptionTest, FileThatIsNoDatabaseIsSetAsideAndANewOneTakesItsPlace) {
  Fill();
  Damage(0, std::string(100, 'x'));
  Open();
  const StoreStats stats = store_->Stats();
  EXPECT_EQ(stats.corruptions, 1);
  EXPECT_TRUE(fs::exists(stats.damaged_path)) << stats.damaged_path;
  Put(kSamples + 100);
  EXPECT_EQ(CountTrueSamples(), 1U);
  executors_.RunFor(minutes(1));
  EXPECT_NE(metrics_->Text().find("tocsin_store_corruptions_total 1"), std::string::npos);
  Open();
  EXPECT_EQ(CountTrueSamples(), 1U) << "the new file is a whole one";
  EXPECT_EQ(store_->Stats().corruptions, 0);
}

TEST_F(CorruptionTest, DamageAtAnyPlaceIsBoundedAndInventsNothing) {
  Fill();
  const fs::path pristine = folder_ + "/pristine";
  fs::copy_file(folder_ + "/history.db", pristine);
  const auto size = static_cast<std::int64_t>(fs::file_size(pristine));
  std::mt19937_64 random(4);
  int set_aside = 0;
  for (std::int64_t offset = 0; offset < size; offset += 1471) {
    for (const auto& entry : fs::directory_iterator(folder_)) {
      if (entry.path() != pristine) fs::remove(entry.path());
    }
    fs::copy_file(pristine, folder_ + "/history.db");
    std::string bytes(1 + random() % 64, '\0');
    for (char& byte : bytes) byte = static_cast<char>(random());
    Damage(offset, bytes);
    Open();
    if (HasFatalFailure()) FAIL() << "at " << offset;
    CountTrueSamples();
    executors_.RunFor(minutes(2));
    Put(kSamples + 200);
    executors_.RunFor(minutes(1));
    EXPECT_GE(CountTrueSamples(), 1U) << "new samples are kept, damage at " << offset;
    EXPECT_FALSE(store_->Stats().disk_failing) << "damage at " << offset;
    if (store_->Stats().corruptions > 0) ++set_aside;
    if (HasFailure()) FAIL() << "at " << offset;
  }
  EXPECT_GT(set_aside, 0);
}

TEST_F(CorruptionTest, DamageFoundByAQueryKeepsWhatMemoryHolds) {
  Open();
  for (int i = 0; i < kSamples; ++i) Put(i);
  executors_.RunFor(minutes(30));  // In history only, but for the open chunk.
  for (int i = kSamples; i < kSamples + 1000; ++i) Put(i);
  executors_.RunFor(minutes(1));
  const auto size = static_cast<std::int64_t>(fs::file_size(folder_ + "/history.db"));
  for (std::int64_t page = 4096; page < size; page += 4096) Damage(page, std::string(4096, '\x7f'));
  CountTrueSamples();  // Reads history.
  executors_.RunFor(minutes(1));
  EXPECT_EQ(store_->Stats().corruptions, 1);
  EXPECT_TRUE(fs::exists(store_->Stats().damaged_path));
  const std::size_t kept = CountTrueSamples();
  EXPECT_GE(kept, 1000U);
  Put(kSamples + 5000);
  Open();
  EXPECT_EQ(CountTrueSamples(), kept + 1) << "saved into the new file";
  EXPECT_EQ(store_->Stats().corruptions, 0);
}

}  // namespace
}  // namespace tocsin::store
