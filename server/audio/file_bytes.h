// The bytes that libsndfile sees of a file: a header of our own making, then the file's samples or frames.

#ifndef HEARWIRE_SERVER_AUDIO_FILE_BYTES_H_
#define HEARWIRE_SERVER_AUDIO_FILE_BYTES_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "server/audio/ogg_packets.h"

namespace hearwire {

class FileBytes {
 public:
  explicit FileBytes(std::string head) : head_(std::move(head)) {}
  virtual ~FileBytes() = default;

  virtual int64_t size() const = 0;  // At least.

  // Copies up to `count` bytes from `offset` on, and returns how many; fewer: there are no more.
  int64_t Read(int64_t offset, char* out, int64_t count);

 protected:
  int64_t head_size() const { return static_cast<int64_t>(head_.size()); }

 private:
  // The same behind the header, `offset` counted from there.
  virtual int64_t ReadBody(int64_t offset, char* out, int64_t count) = 0;

  const std::string head_;
};

// A header, then a view.
class PlainBytes final : public FileBytes {
 public:
  PlainBytes(std::string head, std::string_view body) : FileBytes(std::move(head)), body_(body) {}
  int64_t size() const override { return head_size() + static_cast<int64_t>(body_.size()); }

 private:
  int64_t ReadBody(int64_t offset, char* out, int64_t count) override;

  const std::string_view body_;
};

// A header, then the frames of a FLAC stream in Ogg. Cheap to read in order; going back walks from the beginning.
class OggFlacBytes final : public FileBytes {
 public:
  // pages: of the stream. What stands before its first frame is left out.
  OggFlacBytes(std::string head, std::string_view pages) : FileBytes(std::move(head)), pages_(pages), packets_(pages) {}
  int64_t size() const override { return head_size() + static_cast<int64_t>(pages_.size()); }

 private:
  int64_t ReadBody(int64_t offset, char* out, int64_t count) override;

  const std::string_view pages_;
  OggPackets packets_;
  bool is_in_frames_ = false;
  std::string_view packet_;  // What is left of the current one.
  int64_t offset_ = 0;       // Of that.
};

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_AUDIO_FILE_BYTES_H_
