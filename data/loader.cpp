#include "data/loader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "data/picture_source.hpp"
#include "engine/check.hpp"

namespace dml {
// Named, because Loader::Impl is made of them.
namespace loading {

/// One picture of a batch: which item, and how often it came before in the epoch.
struct Order {
  std::int64_t index = 0;
  std::uint64_t occurrence = 0;
};

/// A batch in the making. Its tensor is made when the first picture of it is there, because only
/// the pictures tell the size.
struct Slot {
  std::vector<Order> orders;
  std::int64_t epoch = 0;
  Batch batch;
  std::size_t taken = 0;  ///< orders that some thread has begun
  std::size_t done = 0;   ///< orders that are finished, well or not
  std::size_t failed_at = 0;
  std::exception_ptr failure;  ///< of order failed_at, the first one that failed

  bool complete() const { return done == orders.size(); }
};

std::vector<std::vector<Order>> orders_of(const BatchPlan& plan, std::int64_t items) {
  std::unordered_map<std::int64_t, std::uint64_t> seen;
  std::vector<std::vector<Order>> orders;
  for (const auto& batch : plan) {
    auto& list = orders.emplace_back();
    for (const std::int64_t index : batch) {
      DML_CHECK(index >= 0 && index < items,
                fmt::format("loader: the plan names image {}, there are {}", index, items));
      list.push_back({index, seen[index]++});
    }
  }
  return orders;
}

}  // namespace loading

using loading::Order, loading::Slot;

/// Workers take one picture at a time, of the earliest batch that has one left; so the batch that
/// is wanted next is finished first, and all workers help with it.
struct Loader::Impl {
  Impl(PictureSource the_source, Options the_options)
      : source(std::move(the_source)), options(the_options) {
    if (options.workers < 0 || options.ahead < 1)
      throw UsageError("loader: workers must be at least 0, batches ahead at least 1");
    try {
      for (std::int64_t i = 0; i < options.workers; ++i) threads.emplace_back([this] { work(); });
    } catch (...) {
      join();
      throw;
    }
  }
  ~Impl() { join(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void join() {
    {
      const std::lock_guard lock(mutex);
      stop = true;
    }
    work_to_do.notify_all();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      std::shared_ptr<Slot> slot;  // keeps the batch alive even when start() drops it
      work_to_do.wait(lock, [&] { return stop || (slot = slot_with_work()) != nullptr; });
      if (stop) return;
      make(*slot, lock);
      if (slot->complete()) work_done.notify_all();
    }
  }

  std::shared_ptr<Slot> slot_with_work() const {
    for (const auto& slot : slots)
      if (slot->taken < slot->orders.size()) return slot;
    return nullptr;
  }

  /// Makes the next picture of the slot. Called with the lock, which is let go meanwhile.
  void make(Slot& slot, std::unique_lock<std::mutex>& lock) {
    const std::size_t i = slot.taken++;
    const Order order = slot.orders[i];
    lock.unlock();
    std::exception_ptr failure;
    try {
      const Image image = source.picture(order.index, slot.epoch, order.occurrence);
      lock.lock();
      float* out = place(slot, i, image);
      lock.unlock();
      source.values(image, out);
    } catch (...) {
      failure = std::current_exception();
    }
    if (!lock.owns_lock()) lock.lock();
    if (failure && (!slot.failure || i < slot.failed_at)) {
      slot.failed_at = i;
      slot.failure = failure;
    }
    ++slot.done;
  }

  /// Where picture i of the slot belongs. Called with the lock.
  float* place(Slot& slot, std::size_t i, const Image& image) const {
    Tensor& images = slot.batch.images;
    const auto n = static_cast<std::int64_t>(slot.orders.size());
    if (!images.defined()) images = Tensor::empty({n, image.height, image.width, 3}, DType::f32);
    const Item& item = source.items()[static_cast<std::size_t>(slot.orders[i].index)];
    DML_CHECK(
        images.dim(1) == image.height && images.dim(2) == image.width,
        fmt::format("loader: {} is {} x {} pixels after its transforms, others of the batch "
                    "are {} x {}\n  end the transforms with one that sets the size, like "
                    "center_crop",
                    item.file.string(), image.width, image.height, images.dim(2), images.dim(1)));
    return images.raw<float>() + static_cast<std::int64_t>(i) * image.height * image.width * 3;
  }

  /// Puts batches of the plan to work until enough are in the making. Called with the lock.
  void refill() {
    while (static_cast<std::int64_t>(slots.size()) < options.ahead && at < plan.size()) {
      auto slot = std::make_shared<Slot>();
      slot->orders = std::move(plan[at++]);
      slot->epoch = epoch;
      for (const Order& order : slot->orders) {
        slot->batch.indices.push_back(order.index);
        slot->batch.labels.push_back(source.items()[static_cast<std::size_t>(order.index)].label);
      }
      slots.push_back(std::move(slot));
    }
    work_to_do.notify_all();
  }

  void start(const BatchPlan& batches, std::int64_t new_epoch, std::int64_t skip) {
    auto orders = loading::orders_of(batches, static_cast<std::int64_t>(source.items().size()));
    const std::lock_guard lock(mutex);
    plan = std::move(orders);
    at = static_cast<std::size_t>(std::max<std::int64_t>(0, skip));
    epoch = new_epoch;
    slots.clear();
    refill();
  }

  std::optional<Batch> next() {
    std::unique_lock lock(mutex);
    refill();
    if (slots.empty()) return std::nullopt;
    const std::shared_ptr<Slot> slot = slots.front();
    if (options.workers == 0)
      while (!slot->complete()) make(*slot, lock);
    work_done.wait(lock, [&] { return slot->complete(); });
    slots.pop_front();
    if (slot->failure) {
      slots.clear();
      plan.clear();
      at = 0;
      std::rethrow_exception(slot->failure);
    }
    refill();
    return std::move(slot->batch);
  }

  const PictureSource source;
  const Options options;

  std::mutex mutex;  // guards all that follows, and what the slots hold but for the pixels
  std::condition_variable work_to_do, work_done;
  std::vector<std::vector<Order>> plan;
  std::size_t at = 0;  // the next batch of the plan
  std::int64_t epoch = 0;
  std::deque<std::shared_ptr<Slot>> slots;  // batches in the making, in plan order
  bool stop = false;
  std::vector<std::thread> threads;
};

BatchPlan consecutive(std::int64_t images, std::int64_t batch) {
  DML_CHECK(batch > 0, "consecutive: a batch has at least one image");
  BatchPlan plan;
  for (std::int64_t first = 0; first < images; first += batch) {
    auto& list = plan.emplace_back();
    for (std::int64_t i = first; i < std::min(images, first + batch); ++i) list.push_back(i);
  }
  return plan;
}

Loader::Loader(std::vector<Item> items, Pipeline pipeline, Preprocessing preprocessing,
               Options options)
    : impl_(std::make_unique<Impl>(
          PictureSource(std::move(items), std::move(pipeline), preprocessing, options.seed),
          options)) {}
Loader::~Loader() = default;

const std::vector<Item>& Loader::items() const { return impl_->source.items(); }

void Loader::start(const BatchPlan& plan, std::int64_t epoch, std::int64_t skip) {
  impl_->start(plan, epoch, skip);
}

std::optional<Batch> Loader::next() { return impl_->next(); }

}  // namespace dml
