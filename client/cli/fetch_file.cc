#include "client/cli/fetch_file.h"

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/part_file.h"
#include "curl/curl.h"

namespace hearwire::cli {
namespace {

// One request and its reply: asks for what is missing of the part file, and adds what comes to it.
class Transfer {
 public:
  Transfer(const FetchRequest& request, PartFile& part) : request_(request), part_(part), offset_(part.size()) {}

  // ABORTED: it is worth another attempt. Otherwise as FetchFile.
  absl::Status Run();

 private:
  struct Headers {  // Of the last reply: redirects have their own.
    std::string etag;
    std::string last_modified;
    std::string content_range;
  };

  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static size_t OnBody(char* data, size_t size, size_t count, void* self);
  static int OnProgress(void* self, curl_off_t total, curl_off_t done, curl_off_t, curl_off_t);

  absl::Status BeginBody();
  absl::Status TakeBody(std::string_view bytes);
  absl::Status Judge(CURLcode code, const char* explanation);
  absl::Status JudgeHttpStatus(long status);

  const FetchRequest& request_;
  PartFile& part_;
  int64_t offset_;  // Where the body that comes begins.
  std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl_{curl_easy_init(), &curl_easy_cleanup};
  Headers headers_;
  bool in_body_ = false;
  absl::Status failure_;  // Why a callback ended the transfer.
};

// A validator that If-Range takes: a weak entity tag is none.
std::string Validator(const std::string& etag, const std::string& last_modified) {
  return !etag.empty() && etag.front() == '"' ? etag : last_modified;
}

size_t Transfer::OnHeader(char* data, size_t size, size_t count, void* self) {
  Headers& headers = static_cast<Transfer*>(self)->headers_;
  const std::string line(data, size * count);
  if (line.rfind("HTTP/", 0) == 0) headers = {};
  if (const size_t colon = line.find(':'); colon != std::string::npos) {
    const std::string name = absl::AsciiStrToLower(line.substr(0, colon));
    const std::string value(absl::StripAsciiWhitespace(line.substr(colon + 1)));
    if (name == "etag") headers.etag = value;
    if (name == "last-modified") headers.last_modified = value;
    if (name == "content-range") headers.content_range = value;
  }
  return size * count;
}

size_t Transfer::OnBody(char* data, size_t size, size_t count, void* self) {
  Transfer& transfer = *static_cast<Transfer*>(self);
  transfer.failure_ = transfer.TakeBody({data, size * count});
  return transfer.failure_.ok() ? size * count : 0;
}

int Transfer::OnProgress(void* self, curl_off_t total, curl_off_t done, curl_off_t, curl_off_t) {
  const Transfer& transfer = *static_cast<Transfer*>(self);
  if (transfer.request_.stop.stop_requested()) return 1;
  if (transfer.in_body_ && transfer.request_.on_progress) {
    transfer.request_.on_progress(transfer.offset_ + done, total > 0 ? transfer.offset_ + total : 0);
  }
  return 0;
}

absl::Status Transfer::BeginBody() {
  long status = 0;
  curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &status);
  // "bytes 100-199/200" continues where we stand; anything else is the whole file, or of no use.
  if (status == 206 && headers_.content_range.rfind(absl::StrCat("bytes ", part_.size(), "-"), 0) == 0) {
    return absl::OkStatus();
  }
  offset_ = 0;
  absl::Status status_of_restart = part_.Restart(Validator(headers_.etag, headers_.last_modified));
  if (!status_of_restart.ok() || status == 200) return status_of_restart;
  return absl::AbortedError(
      absl::StrCat("the server sent another part of the file than was asked for (", headers_.content_range, ")"));
}

absl::Status Transfer::TakeBody(std::string_view bytes) {
  if (!in_body_) {
    if (absl::Status wrong = BeginBody(); !wrong.ok()) return wrong;
    in_body_ = true;
  }
  if (part_.size() + static_cast<int64_t>(bytes.size()) > request_.max_bytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(request_.url, ": larger than ", request_.max_bytes, " bytes: no checkpoint is"));
  }
  return part_.Append(bytes);
}

absl::Status Transfer::JudgeHttpStatus(long status) {
  if (status == 404 || status == 410) {
    return absl::NotFoundError(absl::StrCat(request_.url, ": the server has no such file (HTTP ", status, ")"));
  }
  if (status == 416) {
    // Nothing is missing, or the file has become shorter.
    if (headers_.content_range == absl::StrCat("bytes */", part_.size())) return absl::OkStatus();
    if (absl::Status wrong = part_.Restart(""); !wrong.ok()) return wrong;
    return absl::AbortedError("the file has changed on the server");
  }
  const std::string message = absl::StrCat(request_.url, ": the server answered HTTP ", status);
  return status == 408 || status == 429 || status >= 500 ? absl::AbortedError(message)
                                                         : absl::FailedPreconditionError(message);
}

absl::Status Transfer::Judge(CURLcode code, const char* explanation) {
  if (!failure_.ok()) return failure_;
  long status = 0;
  curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &status);
  const std::string message =
      absl::StrCat(request_.url, ": ", *explanation != '\0' ? explanation : curl_easy_strerror(code));
  switch (code) {
    case CURLE_OK:
      return in_body_ ? absl::OkStatus() : BeginBody();  // An empty body is a body too.
    case CURLE_HTTP_RETURNED_ERROR:
      return JudgeHttpStatus(status);
    case CURLE_ABORTED_BY_CALLBACK:
      return absl::CancelledError("interrupted");
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return absl::UnavailableError(absl::StrCat(
          message, "; without a network, fetch the file elsewhere and copy it, or name a mirror with --from"));
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return absl::InvalidArgumentError(absl::StrCat(message, "; http:// or https:// would be right"));
    case CURLE_COULDNT_CONNECT:
    case CURLE_OPERATION_TIMEDOUT:
    case CURLE_PARTIAL_FILE:
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return absl::AbortedError(message);
    default:
      return absl::FailedPreconditionError(message);
  }
}

absl::Status Transfer::Run() {
  CURL* curl = curl_.get();
  char explanation[CURL_ERROR_SIZE] = "";
  const bool secure = absl::AsciiStrToLower(request_.url.substr(0, 6)) == "https:";
  curl_easy_setopt(curl, CURLOPT_URL, request_.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
  curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 5L);
  curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 20L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                   std::max(1L, static_cast<long>(absl::ToInt64Seconds(request_.stalled_after))));
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "hearwire/" HEARWIRE_VERSION);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, explanation);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &OnProgress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
  std::unique_ptr<curl_slist, decltype(&curl_slist_free_all)> headers(nullptr, &curl_slist_free_all);
  if (part_.size() > 0) {
    curl_easy_setopt(curl, CURLOPT_RANGE, absl::StrCat(part_.size(), "-").c_str());
    headers.reset(curl_slist_append(nullptr, absl::StrCat("If-Range: ", part_.validator()).c_str()));
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  }
  const CURLcode code = curl_easy_perform(curl);
  return Judge(code, explanation);
}

// False when `stop` cut it short.
bool Pause(absl::Duration pause, const std::stop_token& stop) {
  std::mutex mu;
  std::condition_variable_any never;
  std::unique_lock lock(mu);
  never.wait_for(lock, stop, absl::ToChronoMilliseconds(pause), [] { return false; });
  return !stop.stop_requested();
}

// Attempt after attempt, until the part file is whole.
absl::Status FillPart(const FetchRequest& request, PartFile& part) {
  absl::Duration pause = request.first_pause;
  for (int attempt = 1;; ++attempt) {
    // Without a validator nothing can tell whether the rest would be of the same file.
    if (part.size() > 0 && part.validator().empty()) {
      if (absl::Status wrong = part.Restart(""); !wrong.ok()) return wrong;
    }
    const int64_t before = part.size();
    absl::Status status = Transfer(request, part).Run();
    if (!absl::IsAborted(status)) return status;
    if (part.size() > before && !part.validator().empty()) {
      attempt = 1;
      pause = request.first_pause;
    }
    if (attempt >= request.attempts) return absl::UnavailableError(status.message());
    if (!Pause(pause, request.stop)) return absl::CancelledError("interrupted");
    pause *= 2;
  }
}

}  // namespace

absl::StatusOr<FetchedFile> FetchFile(const FetchRequest& request) {
  auto part = PartFile::Open(request.path, request.url);
  if (!part.ok()) return part.status();
  if (absl::Status failure = FillPart(request, **part); !failure.ok()) {
    if ((*part)->size() == 0) (*part)->Remove();
    return failure;
  }
  const absl::StatusOr<FileSummary> summary = SummariseFile((*part)->path());
  if (!summary.ok()) return summary.status();
  if (absl::Status refused = request.check((*part)->path(), *summary); !refused.ok()) {
    (*part)->Remove();
    return refused;
  }
  if (absl::Status wrong = (*part)->Rename(); !wrong.ok()) return wrong;
  return FetchedFile{*summary, (*part)->earlier_bytes()};
}

}  // namespace hearwire::cli
