// Memory for kernels: aligned to their widest vectors.

#ifndef HEARWIRE_MODELS_NATIVE_ALIGNED_FLOATS_H_
#define HEARWIRE_MODELS_NATIVE_ALIGNED_FLOATS_H_

#include <cstddef>
#include <memory>
#include <new>

namespace hearwire {

inline constexpr std::align_val_t kKernelAlignment{128};

// A buffer that grows and never shrinks. Movable.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  // Zeros.
  explicit AlignedFloats(size_t size) {
    Reserve(size);
    for (size_t i = 0; i < size; ++i) floats_[i] = 0;
  }

  // At least `size` floats. What they hold is lost when the buffer has to grow.
  float* Reserve(size_t size) {
    if (size > size_) {
      floats_.reset();
      size_ = 0;  // Should there be no memory.
      floats_.reset(static_cast<float*>(::operator new(size * sizeof(float), kKernelAlignment)));
      size_ = size;
    }
    return floats_.get();
  }

  float* data() { return floats_.get(); }
  const float* data() const { return floats_.get(); }
  size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(float* floats) const { ::operator delete(floats, kKernelAlignment); }
  };
  std::unique_ptr<float[], Free> floats_;
  size_t size_ = 0;
};

}  // namespace hearwire

#endif  // HEARWIRE_MODELS_NATIVE_ALIGNED_FLOATS_H_
