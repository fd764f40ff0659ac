// LevelDB without a binding: does the plan that leveldb_program.ts has written, and prints what it saw as JSON.
//
//   leveldb_program PLAN STORE TIMES SECONDS_MAX
//
// Keys, values and checksums are those of data.ts, operations those of plan.ts and drive.ts; what they mean is told there.
// Memory is counted from before the store is opened, as in child.ts.

#include <leveldb/cache.h>
#include <leveldb/db.h>
#include <leveldb/filter_policy.h>
#include <leveldb/write_batch.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using leveldb::Slice;

constexpr size_t KEY_BYTES = 16;
constexpr size_t MEMORY_BYTES = 16 * 1024 * 1024;
constexpr int FILTER_BITS = 10;
enum Mode { OPERATIONS, SCAN, OPEN };
enum Kind { PUT, GET, GET_ABSENT, SEEK, UPDATE };

struct Plan {
  uint32_t mode, batch, writers, durable, reverse, latency, loaded, read_only;
  uint32_t value_bytes, pool_bytes, numbers_count, kinds_count, details_count;
  std::vector<uint8_t> pool, kinds, details;
  std::vector<uint32_t> numbers;

  uint8_t kind(size_t i) const { return kinds[kinds_count == 1 ? 0 : i]; }
  uint8_t detail(size_t i) const { return details[details_count == 1 ? 0 : i]; }
  Slice value(uint32_t number, uint32_t generation) const {
    uint32_t hash = (number + 1) * (0x9e3779b1u + 2 * generation);
    size_t at = hash % (pool_bytes / value_bytes);
    return Slice(reinterpret_cast<const char*>(pool.data()) + at * value_bytes, value_bytes);
  }
};

struct Key {
  char bytes[KEY_BYTES];
  explicit Key(uint32_t number, bool absent = false) {
    for (size_t i = KEY_BYTES; i-- > 0; number /= 10) bytes[i] = static_cast<char>('0' + number % 10);
    if (absent) bytes[KEY_BYTES - 1] = static_cast<char>(bytes[KEY_BYTES - 1] + 128);
  }
  Slice slice() const { return Slice(bytes, KEY_BYTES); }
};

[[noreturn]] void fail(const std::string& text) {
  std::fprintf(stderr, "%s\n", text.c_str());
  std::exit(1);
}

void check(const leveldb::Status& status) {
  if (!status.ok()) fail(status.ToString());
}

void readInto(std::ifstream& file, void* to, size_t bytes) {
  file.read(static_cast<char*>(to), static_cast<std::streamsize>(bytes));
  if (!file) fail("the plan is too short");
}

Plan readPlan(const char* path) {
  std::ifstream file(path, std::ios::binary);
  Plan plan;
  readInto(file, &plan.mode, 13 * sizeof(uint32_t));
  plan.pool.resize(plan.pool_bytes);
  plan.numbers.resize(plan.numbers_count);
  plan.kinds.resize(plan.kinds_count);
  plan.details.resize(plan.details_count);
  readInto(file, plan.pool.data(), plan.pool_bytes);
  readInto(file, plan.numbers.data(), plan.numbers_count * sizeof(uint32_t));
  readInto(file, plan.kinds.data(), plan.kinds_count);
  readInto(file, plan.details.data(), plan.details_count);
  return plan;
}

uint32_t checksum(uint32_t before, const Slice* value) {
  if (value == nullptr) return before * 31;
  uint32_t first = static_cast<uint8_t>((*value)[0]);
  uint32_t last = static_cast<uint8_t>((*value)[value->size() - 1]);
  return before * 31 + first + (last << 8) + static_cast<uint32_t>(value->size());
}

uint32_t entryChecksum(uint32_t before, const Slice& key, const Slice& value) {
  return checksum(before + static_cast<uint8_t>(key[KEY_BYTES - 1]), &value);
}

double secondsSince(Clock::time_point begun) {
  return std::chrono::duration<double>(Clock::now() - begun).count();
}

struct Cpu {
  double user, system;
};

Cpu cpuNow() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& time) { return time.tv_sec + time.tv_usec / 1e6; };
  return {seconds(usage.ru_utime), seconds(usage.ru_stime)};
}

long statusBytes(const char* name) {
  std::ifstream file("/proc/self/status");
  std::string line;
  while (std::getline(file, line)) {
    if (line.compare(0, std::strlen(name), name) == 0) return std::atol(line.c_str() + std::strlen(name)) * 1024;
  }
  return 0;
}

class Run {
 public:
  Run(const Plan& plan, const char* store, double seconds_max) : plan_(plan), store_(store), seconds_max_(seconds_max) {
    filter_.reset(leveldb::NewBloomFilterPolicy(FILTER_BITS));
    cache_.reset(leveldb::NewLRUCache(MEMORY_BYTES));
    write_.sync = plan.durable != 0;
  }

  void open() {
    leveldb::Options options;
    options.create_if_missing = true;
    options.filter_policy = filter_.get();
    options.block_cache = cache_.get();
    options.write_buffer_size = MEMORY_BYTES;
    leveldb::DB* db = nullptr;
    check(leveldb::DB::Open(options, store_, &db));
    db_.reset(db);
  }

  void close() { db_.reset(); }

  void warm() {
    begin();
    scan(false);
    size_t count = plan_.numbers.size() / 4;
    std::string value;
    for (size_t i = 0; i < count && !isOver(); i++) db_->Get(read_, Key(plan_.numbers[i]).slice(), &value);
    sum = 0;
    atRest();
  }

  // Waits until compactions have come to an end: the levels stay as they are.
  void atRest() {
    std::string before, now;
    for (int same = 0, looks = 0; same < 5 && looks < 600; looks++) {
      db_->GetProperty("leveldb.sstables", &now);
      same = now == before ? same + 1 : 0;
      before = now;
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }

  size_t operations() {
    begin();
    if (plan_.mode == SCAN) return scan(plan_.reverse != 0);
    if (plan_.writers > 1) return putsOfWriters();
    if (plan_.batch > 1) return putsTogether();
    if (plan_.latency != 0) times.resize(plan_.numbers.size());
    size_t count = plan_.numbers.size();
    for (size_t i = 0; i < count; i++) {
      if (plan_.latency != 0) {
        Clock::time_point begun = Clock::now();
        one(i);
        times[i] = secondsSince(begun) * 1e3;
      } else {
        one(i);
      }
      if ((i & 15) == 0 && isOver()) return i + 1;
    }
    return count;
  }

  void content(uint32_t* hash, uint32_t* count) {
    *hash = 0x811c9dc5u;
    *count = 0;
    std::unique_ptr<leveldb::Iterator> iterator(db_->NewIterator(read_));
    for (iterator->SeekToFirst(); iterator->Valid(); iterator->Next()) {
      for (const Slice& part : {iterator->key(), iterator->value()}) {
        for (size_t i = 0; i < part.size(); i++) *hash = (*hash ^ static_cast<uint8_t>(part[i])) * 0x01000193u;
      }
      *count += 1;
    }
    check(iterator->status());
  }

  uint32_t sum = 0;
  std::vector<double> times;

 private:
  void begin() { begun_ = Clock::now(); }
  bool isOver() const { return secondsSince(begun_) > seconds_max_; }

  void one(size_t i) {
    uint32_t number = plan_.numbers[i];
    uint8_t kind = plan_.kind(i);
    if (kind == GET || kind == UPDATE) get(Key(number));
    if (kind == GET_ABSENT) get(Key(number, true));
    if (kind == SEEK) seek(Key(number), plan_.detail(i));
    if (kind == PUT || kind == UPDATE) {
      check(db_->Put(write_, Key(number).slice(), plan_.value(number, plan_.detail(i))));
    }
  }

  void get(const Key& key) {
    leveldb::Status status = db_->Get(read_, key.slice(), &value_);
    Slice value(value_);
    if (!status.ok() && !status.IsNotFound()) check(status);
    sum = checksum(sum, status.ok() ? &value : nullptr);
  }

  void seek(const Key& key, int count) {
    if (!iterator_ || plan_.read_only == 0) iterator_.reset(db_->NewIterator(read_));
    int left = count;
    for (iterator_->Seek(key.slice()); left > 0 && iterator_->Valid(); iterator_->Next(), left--) {
      sum = entryChecksum(sum, iterator_->key(), iterator_->value());
    }
    if (plan_.read_only == 0) iterator_.reset();
  }

  size_t scan(bool reverse) {
    size_t count = 0;
    std::unique_ptr<leveldb::Iterator> iterator(db_->NewIterator(read_));
    if (reverse) iterator->SeekToLast();
    else iterator->SeekToFirst();
    while (iterator->Valid()) {
      sum = entryChecksum(sum, iterator->key(), iterator->value());
      count++;
      if ((count & 1023) == 0 && isOver()) break;
      if (reverse) iterator->Prev();
      else iterator->Next();
    }
    check(iterator->status());
    return count;
  }

  size_t putsTogether() {
    size_t count = plan_.numbers.size();
    for (size_t from = 0; from < count; from += plan_.batch) {
      size_t to = std::min(count, from + plan_.batch);
      leveldb::WriteBatch batch;
      for (size_t i = from; i < to; i++) {
        batch.Put(Key(plan_.numbers[i]).slice(), plan_.value(plan_.numbers[i], plan_.detail(i)));
      }
      check(db_->Write(write_, &batch));
      if (isOver()) return to;
    }
    return count;
  }

  size_t putsOfWriters() {
    std::atomic<size_t> next{0};
    size_t count = plan_.numbers.size();
    auto write = [&] {
      for (;;) {
        if (isOver()) return;
        size_t i = next.fetch_add(1);
        if (i >= count) return;
        one(i);
      }
    };
    std::vector<std::thread> writers;
    for (uint32_t i = 0; i < plan_.writers; i++) writers.emplace_back(write);
    for (std::thread& writer : writers) writer.join();
    return std::min(count, next.load());
  }

  const Plan& plan_;
  std::string store_;
  double seconds_max_;
  Clock::time_point begun_;
  std::unique_ptr<const leveldb::FilterPolicy> filter_;
  std::unique_ptr<leveldb::Cache> cache_;
  std::unique_ptr<leveldb::DB> db_;
  std::unique_ptr<leveldb::Iterator> iterator_;
  std::string value_;
  leveldb::ReadOptions read_;
  leveldb::WriteOptions write_;

 public:
  // An iterator must go before its store.
  ~Run() {
    iterator_.reset();
    db_.reset();
  }
  void closeIterator() { iterator_.reset(); }
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) fail("leveldb_program PLAN STORE TIMES SECONDS_MAX");
  Plan plan = readPlan(argv[1]);
  Run run(plan, argv[2], std::atof(argv[4]));
  std::ofstream("/proc/self/clear_refs") << "5";
  long base = statusBytes("VmRSS:");
  Clock::time_point begun = Clock::now();
  Cpu before = cpuNow();
  run.open();
  if (plan.loaded != 0 && plan.mode != OPEN) {
    run.warm();
    begun = Clock::now();
    before = cpuNow();
  } else if (plan.mode != OPEN) {
    begun = Clock::now();
    before = cpuNow();
  }
  size_t operations = run.operations();
  double seconds = secondsSince(begun);
  Cpu after = cpuNow();
  long peak = statusBytes("VmHWM:") - base;
  run.closeIterator();
  if (plan.read_only == 0) run.atRest();
  run.close();
  Cpu closed = cpuNow();
  uint32_t hash = 0, count = 0;
  if (plan.read_only == 0) {
    run.open();
    run.content(&hash, &count);
    run.close();
  }
  if (!run.times.empty()) {
    std::ofstream times(argv[3], std::ios::binary);
    times.write(reinterpret_cast<const char*>(run.times.data()), static_cast<std::streamsize>(operations * sizeof(double)));
  }
  std::printf(
      "{\"operations\":%zu,\"seconds\":%.9f,\"checksum\":%d,\"cpu\":[%f,%f],\"cpuUntilClosed\":[%f,%f],"
      "\"peakMemoryBytes\":%ld,\"hash\":%u,\"count\":%u}\n",
      operations, seconds, static_cast<int32_t>(run.sum), after.user - before.user, after.system - before.system,
      closed.user - before.user, closed.system - before.system, peak < 0 ? 0 : peak, hash, count);
  return 0;
}
