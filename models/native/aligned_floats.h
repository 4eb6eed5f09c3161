// Memory for kernels: aligned to their widest vectors.

#ifndef HEARWIRE_MODELS_NATIVE_ALIGNED_FLOATS_H_
#define HEARWIRE_MODELS_NATIVE_ALIGNED_FLOATS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

#include "models/checkpoint/in_parallel.h"

namespace hearwire {

inline constexpr std::align_val_t kKernelAlignment{128};

// A buffer that grows and never shrinks. Movable. T: a number.
template <class T>
class AlignedArray {
 public:
  AlignedArray() = default;
  // Zeros.
  explicit AlignedArray(size_t size) {
    Reserve(size);
    for (size_t i = 0; i < size; ++i) values_[i] = 0;
  }

  // At least `size` values. What they hold is lost when the buffer has to grow.
  T* Reserve(size_t size) {
    if (size > size_) {
      values_.reset();
      size_ = 0;  // Should there be no memory.
      values_.reset(static_cast<T*>(::operator new(size * sizeof(T), kKernelAlignment)));
      PreferHugePages(values_.get(), size * sizeof(T));
      size_ = size;
    }
    return values_.get();
  }

  T* data() { return values_.get(); }
  const T* data() const { return values_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(T* values) const { ::operator delete(values, kKernelAlignment); }
  };
  std::unique_ptr<T[], Free> values_;
  size_t size_ = 0;
};

using AlignedFloats = AlignedArray<float>;
using AlignedPairs = AlignedArray<uint32_t>;  // Of numbers in bfloat16 (bfloat16.h).

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_ALIGNED_FLOATS_H_
