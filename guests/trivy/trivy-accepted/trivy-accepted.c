// A module for Trivy that removes the findings which a team has accepted: whatever Trivy gives it, since it is only given
// those with the ids that it names.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT(name) __attribute__((export_name(name)))

__attribute__((import_module("env"), import_name("info"))) void env_info(const char *text, uint32_t size);

EXPORT("malloc") void *exported_malloc(size_t size) { return malloc(size); }
EXPORT("free") void exported_free(void *pointer, size_t size) { free(pointer); }

// The host gives back with free what it is given, so it gets memory of the allocator.
static uint64_t give(const char *text, size_t size) {
  char *copy = malloc(size);
  if (!copy) abort();
  memcpy(copy, text, size);
  return (uint64_t)(uintptr_t)copy << 32 | size;
}

static uint64_t give_text(const char *text) { return give(text, strlen(text)); }

EXPORT("name") uint64_t module_name(void) { return give_text("triage"); }
EXPORT("version") uint32_t module_version(void) { return 2; }
EXPORT("api_version") uint32_t module_api_version(void) { return 1; }
EXPORT("is_analyzer") uint64_t module_is_analyzer(void) { return 0; }
EXPORT("is_post_scanner") uint64_t module_is_post_scanner(void) { return 1; }
EXPORT("analyze") uint64_t module_analyze(const char *path, uint32_t size) { return give_text("null"); }

EXPORT("post_scan_spec") uint64_t module_post_scan_spec(void) {
  return give_text("{\"Action\":\"DELETE\",\"IDs\":[\"EXAMPLE-2026-0001\",\"CVE-2022-22965\",\"AVD-DS-0002\",\"DS-0002\"]}");
}

EXPORT("post_scan") uint64_t module_post_scan(const char *results, uint32_t size) {
  static const char text[] = "what is accepted goes away";
  env_info(text, sizeof text - 1);
  return give(results, size);
}
