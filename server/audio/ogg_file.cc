#include "server/audio/ogg_file.h"

#include <algorithm>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/audio/sample_source.h"

namespace hearwire {
namespace {

using namespace std::string_view_literals;

// By a stream's first packet.
absl::StatusOr<OggCodec> CodecOf(std::string_view first_packet) {
  if (first_packet.starts_with("\x01vorbis"sv)) return OggCodec::kVorbis;
  if (first_packet.starts_with("OpusHead"sv)) return OggCodec::kOpus;
  if (first_packet.starts_with("\x7f\x46LAC"sv)) return OggCodec::kFlac;
  const char* codec = first_packet.starts_with("Speex   "sv)     ? "Speex"
                      : first_packet.starts_with("\x80theora"sv) ? "Theora"
                      : first_packet.starts_with("fishead"sv)    ? "Skeleton"
                                                                 : "an unknown codec";
  return absl::InvalidArgumentError(
      absl::StrCat("an Ogg file of ", codec, "; Vorbis, Opus and FLAC are accepted in Ogg"));
}

template <typename... Parts>
absl::Status DamagedError(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat("the Ogg file is damaged: ", parts...));
}

}  // namespace

absl::Status CutLinkError(double found_seconds, double missing_seconds) {
  if (missing_seconds > 0) return CutOffError(found_seconds, found_seconds + missing_seconds);
  return absl::InvalidArgumentError(
      absl::StrFormat("the Ogg file is cut off within a page, after %.3f s of audio", found_seconds));
}

absl::StatusOr<bool> OggScan::Step(size_t max_bytes) {
  for (const size_t begin = offset_; offset_ < bytes_.size();) {
    if (offset_ - begin >= max_bytes) return false;
    const std::string_view rest = bytes_.substr(offset_);
    if (!rest.starts_with("OggS"sv.substr(0, std::min<size_t>(4, rest.size())))) {
      if (has_ended_) return true;  // Bytes after the last page are not ours.
      return DamagedError("no page at byte ", offset_, ", where one is due");
    }
    const std::optional<OggPage> page = ReadOggPage(rest);
    if (!page) {
      if (links_.empty()) return DamagedError("it ends within its first page");
      links_.back().is_cut = true;
      return true;
    }
    if (absl::Status status = Take(*page); !status.ok()) return status;
    if (!page->is_whole()) return true;
  }
  return true;
}

absl::Status OggScan::Take(const OggPage& page) {
  if (links_.empty() || page.is_first) {
    if (absl::Status status = Begin(page); !status.ok()) return status;
  } else if (page.stream != stream_) {
    return DamagedError("at byte ", offset_, " a stream goes on whose beginning is missing");
  } else {
    has_begun_ = true;
  }
  OggLink& link = links_.back();
  if (!page.is_whole()) {
    link.is_cut = true;
    // Both are above 0 then: a file may claim any position.
    if (page.position > link.last_position) link.missing_units = page.position - link.last_position;
    return absl::OkStatus();
  }
  if (!HasItsChecksum(page)) {
    const bool is_header = page.position == 0;
    return DamagedError(is_header ? "the page of its header" : "the audio page", " at byte ", offset_,
                        " has a wrong checksum");
  }
  if (page.body.empty() && ++empty_pages_ > kMaxEmptyPages) {
    return DamagedError("the page at byte ", offset_, " is the ", empty_pages_, "th that is empty");
  }
  offset_ += page.bytes;
  link.pages = bytes_.substr(link_begin_, offset_ - link_begin_);
  has_ended_ = page.is_last;
  if (page.position > 0) {
    is_ordered_ = is_ordered_ && page.position >= link.last_position;
    link.last_position = is_ordered_ ? page.position : 0;
  }
  return absl::OkStatus();
}

absl::Status OggScan::Begin(const OggPage& page) {
  if (!links_.empty() && !has_begun_) {
    return absl::InvalidArgumentError(
        absl::StrCat("the Ogg file holds several streams side by side, another one from byte ", offset_,
                     "; one, or several one after the other, are accepted"));
  }
  if (links_.size() == kMaxLinks) {
    return absl::InvalidArgumentError(absl::StrCat("the Ogg file is a chain of more than ", kMaxLinks, " streams"));
  }
  const absl::StatusOr<OggCodec> codec = CodecOf(page.body);
  if (!codec.ok()) return codec.status();
  links_.emplace_back().codec = *codec;
  link_begin_ = offset_;
  stream_ = page.stream;
  has_begun_ = false;
  is_ordered_ = true;
  return absl::OkStatus();
}

}  // namespace hearwire
