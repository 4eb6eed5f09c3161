#include "server/audio/vorbis_headers.h"

#include <ogg/ogg.h>
#include <vorbis/codec.h>

#include <algorithm>
#include <cstring>

namespace hearwire {
namespace {

constexpr int kHeaderCount = 3;
constexpr size_t kPieceBytes = 4096;

class HeaderReader {
 public:
  explicit HeaderReader(std::string_view ogg) : rest_(ogg) {
    ogg_sync_init(&bytes_);
    vorbis_info_init(&info_);
    vorbis_comment_init(&comment_);
  }
  ~HeaderReader() {
    vorbis_comment_clear(&comment_);
    vorbis_info_clear(&info_);
    if (has_stream_) ogg_stream_clear(&stream_);
    ogg_sync_clear(&bytes_);
  }
  HeaderReader(const HeaderReader&) = delete;
  HeaderReader& operator=(const HeaderReader&) = delete;

  bool ReadAll() {
    int headers = 0;
    ogg_page page;
    while (headers < kHeaderCount && NextPage(&page)) {
      if (!has_stream_) {
        if (ogg_stream_init(&stream_, ogg_page_serialno(&page)) != 0) return false;
        has_stream_ = true;
      }
      ogg_stream_pagein(&stream_, &page);
      ogg_packet packet;
      int result = 0;
      while (headers < kHeaderCount && (result = ogg_stream_packetout(&stream_, &packet)) == 1) {
        if (vorbis_synthesis_headerin(&info_, &comment_, &packet) != 0) return false;
        ++headers;
      }
      if (result < 0) return false;  // A page is missing.
    }
    return headers == kHeaderCount;
  }

 private:
  bool NextPage(ogg_page* page) {
    while (ogg_sync_pageout(&bytes_, page) != 1) {
      if (rest_.empty()) return false;
      const size_t piece = std::min(rest_.size(), kPieceBytes);
      char* buffer = ogg_sync_buffer(&bytes_, static_cast<long>(piece));  // NOLINT(google-runtime-int): libogg's type.
      if (buffer == nullptr) return false;
      std::memcpy(buffer, rest_.data(), piece);
      ogg_sync_wrote(&bytes_, static_cast<long>(piece));  // NOLINT(google-runtime-int)
      rest_.remove_prefix(piece);
    }
    return true;
  }

  std::string_view rest_;
  ogg_sync_state bytes_ = {};
  ogg_stream_state stream_ = {};
  bool has_stream_ = false;
  vorbis_info info_ = {};
  vorbis_comment comment_ = {};
};

}  // namespace

bool HasVorbisHeaders(std::string_view ogg) { return HeaderReader(ogg.substr(0, kMaxVorbisHeaderBytes)).ReadAll(); }

}  // namespace hearwire
