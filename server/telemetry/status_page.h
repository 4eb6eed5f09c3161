// What the metrics port shows to people at /: a page that reads /metrics, /readyz and /errors.json every second.
//
// The page needs nothing from elsewhere: its script and its style are in it, and its security policy allows no others.

#ifndef HEARWIRE_SERVER_TELEMETRY_STATUS_PAGE_H_
#define HEARWIRE_SERVER_TELEMETRY_STATUS_PAGE_H_

#include <string_view>

namespace hearwire {

// HTML, UTF-8.
std::string_view StatusPage();

// For the answer's header Content-Security-Policy.
inline constexpr char kStatusPagePolicy[] =
    "default-src 'none'; connect-src 'self'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

}  // namespace hearwire

#endif  // HEARWIRE_SERVER_TELEMETRY_STATUS_PAGE_H_
