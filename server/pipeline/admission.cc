#include "server/pipeline/admission.h"

#include <algorithm>

namespace hearwire {

void Admission::Add(int calls, int64_t bytes) {
  calls_ += calls;
  bytes_ += bytes;
  if (on_change_) on_change_(calls_, bytes_);
}

std::variant<std::unique_ptr<Admission::Share>, Admission::Refusal> Admission::Admit(int64_t bytes) {
  MutexLock lock(&mu_);
  if (calls_ >= max_calls_) return Refusal::kTooManyCalls;
  if (bytes_ > 0 && bytes > max_bytes_ - bytes_) return Refusal::kMemoryFull;
  Add(1, bytes);
  return std::make_unique<Share>(this, bytes);
}

Admission::Share::~Share() {
  MutexLock lock(&admission_->mu_);
  admission_->Add(-1, -bytes_);
}

bool Admission::Share::Grow(int64_t bytes) {
  if (bytes >= kLargeBytes && admission_->has_room_ && !admission_->has_room_(bytes)) return false;
  MutexLock lock(&admission_->mu_);
  const bool alone = admission_->bytes_ == bytes_;
  if (!alone && bytes > admission_->max_bytes_ - admission_->bytes_) return false;
  bytes_ += bytes;
  admission_->Add(0, bytes);
  return true;
}

void Admission::Share::Shrink(int64_t bytes) {
  MutexLock lock(&admission_->mu_);
  bytes_ -= bytes;
  admission_->Add(0, -bytes);
}

void Admission::Share::ShrinkTo(int64_t bytes) {
  MutexLock lock(&admission_->mu_);
  const int64_t surplus = std::max<int64_t>(bytes_ - bytes, 0);
  bytes_ -= surplus;
  admission_->Add(0, -surplus);
}

int Admission::calls() const {
  MutexLock lock(&mu_);
  return calls_;
}

int64_t Admission::bytes() const {
  MutexLock lock(&mu_);
  return bytes_;
}

}  // namespace hearwire
