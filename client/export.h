// What the client's shared library shows to programs: what is marked, and nothing else.

#ifndef HEARWIRE_CLIENT_EXPORT_H_
#define HEARWIRE_CLIENT_EXPORT_H_

#if defined(__GNUC__)
#define HEARWIRE_CLIENT_EXPORT __attribute__((visibility("default")))
#else
#define HEARWIRE_CLIENT_EXPORT
#endif

#endif  // HEARWIRE_CLIENT_EXPORT_H_
